"""What is tried on a recording: models times rule sets, each found and checked before anything is read."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.bundle import BUNDLED, SHIPPED, Bundle, load_bundle
from models.registry.history import resolve
from models.registry.opening import open_registry
from monitor.policies import rules_of
from monitor.rules import Rules
from roadwatch.rulefiles import settings_with
from runtime.settings import ModelSettings, MonitorSettings, Settings
from schemas.errors import ConfigurationError, ModelError

RECORDED: Final = "recorded"
"Names the predictions that the recording holds."
CURRENT: Final = "current"
"Names the rules of the settings in force."
MOST: Final = 4
"Models, and rule sets, that fit side by side."


@dataclass(frozen=True, slots=True)
class Model:
    """Whose predictions are tried."""

    name: str
    "The bundle's version, or `recorded`."
    bundle: Bundle | None
    "What classifies the recorded pictures; None: the recorded predictions are taken as they are."


@dataclass(frozen=True, slots=True)
class RuleSet:
    """By what the predictions are folded and judged."""

    name: str
    "The file's name without its ending, or `current`."
    settings: MonitorSettings
    "Windows and joins."
    rules: Rules
    "What raises an alert about a day."


@dataclass(frozen=True, slots=True)
class Variant:
    """One column of a backtest."""

    model: Model
    "Whose predictions."
    rules: RuleSet
    "By what rules."

    @property
    def name(self) -> str:
        """Both names."""
        return f"{self.model.name}, {self.rules.name}"


def variants_of(models: Sequence[Model], rules: Sequence[RuleSet]) -> list[Variant]:
    """Each model with each rule set, models first."""
    return [Variant(model, rule_set) for model in models for rule_set in rules]


def chosen_models(names: Sequence[str], settings: ModelSettings) -> list[Model]:
    """The models that were named; the recorded predictions where none was.

    Raises:
        ConfigurationError: too many, or two that are the same.
        ModelError: one is not there, or is damaged.

    """
    _require_few("--model", names)
    found = [_model(name, settings) for name in names or [RECORDED]]
    _require_different("--model", [model.name for model in found])
    return found


def chosen_rules(files: Sequence[str], settings: Settings, option: str = "--rules") -> list[RuleSet]:
    """The rule sets of files; `current`, and no file at all, stands for the settings in force.

    Raises:
        ConfigurationError: names every fault of every file, as those of an option.

    """
    _require_few(option, files)
    faults: list[str] = []
    found = [rules for name in files or [CURRENT] if (rules := _rules(name, settings, faults)) is not None]
    if faults:
        raise ConfigurationError(option, faults)
    _require_different(option, [rules.name for rules in found])
    return found


def _require_few(option: str, names: Sequence[str]) -> None:
    if len(names) > MOST:
        raise ConfigurationError(option, [f"{len(names)} are named: {MOST} fit side by side"])


def _require_different(option: str, names: Iterable[str]) -> None:
    seen: list[str] = []
    faults: list[str] = []
    for name in names:
        (faults if name in seen else seen).append(name)
    if faults:
        raise ConfigurationError(option, [f"{name} is named twice: beside itself it shows nothing" for name in faults])


def _model(name: str, settings: ModelSettings) -> Model:
    if name == RECORDED:
        return Model(RECORDED, None)
    bundle = _bundle(name, settings)
    return Model(bundle.version, bundle)


def _bundle(name: str, settings: ModelSettings) -> Bundle:
    """A folder, one that ships, or a registered version by name, beginning or alias; nothing is written."""
    folder = SHIPPED.get(name) or Path(name)
    if folder.is_dir():
        return load_bundle(folder)
    registry = open_registry(settings)
    state = registry.state()
    if name == "champion" and name not in state.holders:
        return load_bundle(BUNDLED)
    try:
        return registry.load(resolve(state, name))
    except ModelError as error:
        raise type(error)(f"--model {name}: {error}") from error


def _rules(name: str, settings: Settings, faults: list[str]) -> RuleSet | None:
    path = Path(name)
    if path.stem == CURRENT and name != CURRENT:
        faults.append(f"{name}: {CURRENT!r} names the settings in force; give the file another name")
        return None
    try:
        chosen = settings.monitor if name == CURRENT else settings_with(path, settings.monitor)
        return RuleSet(path.stem, chosen, rules_of(chosen))
    except ConfigurationError as error:
        faults.extend(error.lines)
        return None
