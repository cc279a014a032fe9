"""The monitor's settings for a test: from a settings file or a file of rules, from single values, or both."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from monitor.policies import rules_of
from roadwatch.rulefiles import monitor_values
from runtime.faults import faults_of
from runtime.settings import MonitorSettings
from schemas.errors import ConfigurationError

Rules = str | Path | None
"A file whose [monitor] section and [[rules]] count; None for the defaults."


def monitor_settings(rules: Rules, changes: Mapping[str, Any] | None, base: MonitorSettings) -> MonitorSettings:
    """What `rules` says of the monitor, with `changes` on top; group and folder stay those of `base`.

    Raises:
        ConfigurationError: names every fault of the file or of the changes.

    """
    given = monitor_values(Path(rules)) if rules else {}
    own = {"group": base.group, "data_folder": base.data_folder}
    try:
        settings = MonitorSettings.model_validate({**given, **(changes or {}), **own})
    except ValidationError as error:
        raise ConfigurationError("monitor={…}", faults_of(error, MonitorSettings)) from error
    rules_of(settings)
    return settings
