"""The registry that the settings name."""

import json
from contextlib import suppress
from typing import Any, Final

from models.registry.store import Registry
from runtime.settings import ModelSettings, value_of

DEFAULTS: Final[dict[str, dict[str, Any]]] = {
    # s3fs tries five times by itself: with botocore's retries and timeouts besides, a silent address holds its caller up
    # for minutes.
    "s3": {"config_kwargs": {"connect_timeout": 5, "read_timeout": 15, "retries": {"total_max_attempts": 1}}},
}
"Options where the settings give none, by protocol."


def open_registry(settings: ModelSettings) -> Registry:
    """Return the registry of the settings; nothing is opened yet. Raises ConfigurationError for a secret's file."""
    protocol = settings.registry.partition("://")[0]
    given = {name: _option(value) for name, value in settings.options.items()}
    return Registry(settings.registry, {**DEFAULTS.get(protocol, {}), **given})


def _option(value: str) -> Any:
    """Return a file's content, what JSON says of `true`, `false` and `{…}`, or else the value itself."""
    if value in ("true", "false") or value.startswith("{"):
        with suppress(ValueError):
            return json.loads(value)
    return value_of(value)
