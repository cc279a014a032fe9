"""A file of rules, as backtests and tests take it: settings of the monitor, a table of rules, or both.

[monitor]                 whose values take the place of those in force
[[rules]]                 which take the place of the shipped ones
"""

from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from monitor.rules.table import parse_rules, read_table
from runtime.faults import faults_of
from runtime.settings import MonitorSettings, checked_settings
from schemas.errors import ConfigurationError

DEFAULTS: Final = MonitorSettings()
"Of the monitor."


def monitor_values(path: Path) -> dict[str, Any]:
    """What a file says of the monitor: its [monitor] table, and itself as `rules_file` where it has [[rules]].

    Other sections of a settings file are checked, and change nothing; beside [[rules]] there are none.

    Raises:
        ConfigurationError: names every fault of settings and rules.

    """
    table = read_table(path)
    settings = {name: section for name, section in table.items() if name != "rules"}
    if faults := [*_faults_of_settings(settings, str(path)), *_faults_of_rules(table, str(path))]:
        raise ConfigurationError(str(path), faults)
    return {**settings.get("monitor", {}), **({"rules_file": path} if "rules" in table else {})}


def settings_with(path: Path, current: MonitorSettings) -> MonitorSettings:
    """The monitor's settings with what a file says on top; what it does not name stays as it is.

    Raises:
        ConfigurationError: as `monitor_values`, or the file says nothing of the monitor.

    """
    given = monitor_values(path)
    if not given:
        raise ConfigurationError(str(path), ["it has no [monitor] table, such as min_accuracy = 0.7, and no [[rules]]"])
    try:
        return MonitorSettings(**{**current.model_dump(), **given})
    except ValidationError as error:
        raise ConfigurationError(str(path), faults_of(error, MonitorSettings)) from error


def _faults_of_settings(settings: dict[str, Any], where: str) -> list[str]:
    try:
        checked_settings(settings, {}, where)
    except ConfigurationError as error:
        return error.faults
    return []


def _faults_of_rules(table: dict[str, Any], where: str) -> list[str]:
    """Whatever the settings that rules may name are: their defaults serve as well as any."""
    if "rules" not in table:
        return []
    try:
        parse_rules(table, where, DEFAULTS.min_accuracy, DEFAULTS.min_labels)
    except ConfigurationError as error:
        return error.faults
    return []
