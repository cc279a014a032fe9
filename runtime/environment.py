"""Settings in the environment: `ROADWATCH_KAFKA__BOOTSTRAP_SERVERS` is `kafka.bootstrap_servers`."""

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from typing import Any, Final

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_settings import BaseSettings, EnvSettingsSource

from runtime.faults import Place, nearest

PREFIX: Final = "ROADWATCH_"
BETWEEN: Final = "__"
"Stands where a dot stands in a setting's name."
ALIKE: Final = 0.85
"How much a name has to look like a setting's to be doubted: `KAFKA_BOOTSTRAP_SERVERS` does, `KAFKA_PORT` does not."


class Environment:
    """What the environment says of settings."""

    def __init__(self, variables: Mapping[str, str], settings: type[BaseSettings]) -> None:
        """`variables` are the whole environment."""
        ours = {name: value for name, value in variables.items() if name.upper().startswith(PREFIX)}
        self._names = {name.upper(): name for name in ours}
        self._sections = settings.model_fields
        self._values = _Given(ours, settings)()

    def over(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """Values with those of the environment, which win."""
        return _over(values, self._values)

    def variable_of(self, place: Place) -> str:
        """Which variable a value comes from; empty where it comes from none."""
        above = [_variable(place[:depth]) for depth in range(len(place), 0, -1)]
        below = [name for name in self._names if name.startswith(f"{above[0]}{BETWEEN}")]
        return next((self._names[name] for name in (*above, *below) if name in self._names), "")

    def unknown(self) -> list[str]:
        """A fault for each variable that is written as a setting is, and that no setting takes."""
        lost = [given for name, given in sorted(self._names.items()) if BETWEEN in name and self._is_lost(name)]
        return [f"{given}: no setting is called so; {self._nearest(given)}" for given in lost]

    def doubtful(self) -> list[str]:
        """A warning for each variable that only looks like a setting: orchestrators may set such ones, too."""
        known = {_plain(name): name for name in _variables(self._sections)}
        others = {given: _plain(name) for name, given in sorted(self._names.items()) if BETWEEN not in name}
        meant = {
            given: get_close_matches(plain, known, 1, ALIKE) for given, plain in others.items() if self._is_lost(given)
        }
        return [f"{given}: no setting; {known[close[0]]} is one" for given, close in meant.items() if close]

    def _is_lost(self, name: str) -> bool:
        return not _has(self._values, _place(name.upper()))

    def _nearest(self, given: str) -> str:
        return nearest(_place(given.upper())[0], list(self._sections))


class _Given(EnvSettingsSource):
    """The environment as a parameter, not as a global."""

    def __init__(self, variables: Mapping[str, str], settings: type[BaseSettings]) -> None:
        self._variables = variables
        super().__init__(settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {name.lower(): value for name, value in self._variables.items()}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:
        """What JSON says; text that is none stays as it is, and is a fault of its setting."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _variables(fields: Mapping[str, FieldInfo]) -> Iterator[str]:
    """Those of all settings, but for tables within sections."""
    for name, field in fields.items():
        section = field.annotation
        if isinstance(section, type) and issubclass(section, BaseModel):
            yield from (_variable((name, each)) for each in section.model_fields)
        else:
            yield _variable((name,))


def _plain(name: str) -> str:
    """Without what is the same in all, and with one underscore where there are two."""
    return name.removeprefix(PREFIX).replace(BETWEEN, "_")


def _variable(place: Place) -> str:
    return PREFIX + BETWEEN.join(map(str, place)).upper()


def _place(name: str) -> list[str]:
    return name.removeprefix(PREFIX).lower().split(BETWEEN)


def _has(values: Any, place: list[str]) -> bool:
    for part in place:
        if not isinstance(values, Mapping) or part not in values:
            return False
        values = values[part]
    return True


def _over(values: Mapping[str, Any], others: Mapping[str, Any]) -> dict[str, Any]:
    both = {
        name: _over(values[name], other)
        for name, other in others.items()
        if isinstance(other, Mapping) and isinstance(values.get(name), Mapping)
    }
    return {**values, **others, **both}
