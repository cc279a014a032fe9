"""The monitor's settings for a test: from a settings file, from single values, or both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from runtime.settings import MonitorSettings, faults_of, load_settings
from schemas.errors import ConfigurationError

Rules = str | Path | None
"A settings file whose [monitor] section counts; None for the defaults."


def monitor_settings(rules: Rules, changes: Mapping[str, Any] | None, base: MonitorSettings) -> MonitorSettings:
    """The [monitor] section of `rules` with `changes` on top; group and folder stay those of `base`.

    Raises:
        ConfigurationError: names every fault of the file or of the changes.

    """
    given = load_settings(Path(rules), {}).monitor if rules else MonitorSettings()
    own = {"group": base.group, "data_folder": base.data_folder}
    try:
        return MonitorSettings.model_validate({**given.model_dump(), **(changes or {}), **own})
    except ValidationError as error:
        raise ConfigurationError("monitor={…}", faults_of(error)) from error
