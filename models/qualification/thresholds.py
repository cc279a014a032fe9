"""The table of thresholds that a candidate must meet, as a team writes it in TOML."""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from models.qualification.figures import PARTS, Part
from schemas.errors import ConfigurationError

DEFAULTS: Final = Path(__file__).with_name("thresholds.toml")
"The table that comes with the distribution."

MAX_BYTES: Final = 256 * 1024
"Of a table."

End = Literal["value", "low", "high"]
"What of a figure is compared: the value, or an end of its 95 % interval."

Bound = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1)]
Flag = Annotated[bool, Field(strict=True)]


@dataclass(frozen=True, slots=True)
class Threshold:
    """What one figure, or all that a pattern names, must reach."""

    part: Part
    "The part that the figures are in."
    figure: str
    "A figure's name; `*` stands for one word between dots."
    min: Bound | None = None
    "At least this; None: no lower bound."
    max: Bound | None = None
    "At most this; None: no upper bound."
    use: End = "value"
    "What of the figure `min` and `max` are compared with."
    min_ratio_to_champion: Bound | None = None
    "At least this times the champion's; not judged without a champion."
    max_ratio_to_champion: Bound | None = None
    "At most this times the champion's; not judged without a champion."
    min_n: Count | None = None
    "A figure of fewer is too uncertain: the threshold is missed."
    ignore_below_n: Count | None = None
    "A figure of fewer is shown, and not judged."
    only_with_champion: Flag = False
    "Not judged where there is no champion."
    optional: Flag = False
    "Not judged where it was not measured."

    @property
    def bounds(self) -> tuple[float | None, ...]:
        """What it wants of the number."""
        return self.min, self.max, self.min_ratio_to_champion, self.max_ratio_to_champion


KEYS: Final = tuple(field.name for field in fields(Threshold) if field.name not in {"part", "figure"})
"What a line may say."


@dataclass(frozen=True, slots=True)
class Thresholds:
    """The table."""

    lines: tuple[Threshold, ...]
    "In the order of the file."
    sha256: str
    "Of the file: two judgements by the same table have the same."


def load_thresholds(path: Path | None = None) -> Thresholds:
    """Read a table; None: the one that comes with the distribution. Raises ConfigurationError with every fault."""
    chosen = path or DEFAULTS
    try:
        with chosen.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ConfigurationError(str(chosen), [f"cannot be read: {error.strerror}"]) from error
    return parse_thresholds(raw, str(chosen))


def parse_thresholds(raw: bytes, where: str) -> Thresholds:
    """Return the table that `raw` says in TOML; raises ConfigurationError naming each line's key and value."""
    table = _toml(raw, where)
    faults: list[str] = []
    lines = [line for part, rows in table.items() for line in _part(part, rows, faults)]
    if not lines and not faults:
        faults.append("no line: every candidate would be approved")
    if faults:
        raise ConfigurationError(where, faults)
    return Thresholds(tuple(lines), hashlib.sha256(raw).hexdigest())


def _toml(raw: bytes, where: str) -> dict[str, Any]:
    if len(raw) > MAX_BYTES:
        raise ConfigurationError(where, [f"more than the {MAX_BYTES} bytes that are allowed"])
    try:
        return tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigurationError(where, [f"is no TOML: {error}"]) from error


def _part(part: str, rows: Any, faults: list[str]) -> Iterator[Threshold]:
    if part not in PARTS:
        faults.append(f"[{part}]: no part of a qualification; one of {', '.join(PARTS)}")
    elif not isinstance(rows, dict):
        faults.append(f"{part} = {rows!r}: a part is a table, [{part}] on a line of its own")
    else:
        for figure, row in rows.items():
            yield from _line(part, figure, row, faults)


def _line(part: str, figure: str, row: Any, faults: list[str]) -> Iterator[Threshold]:
    if not isinstance(row, dict):
        faults.append(f"{part}.{figure} = {row!r}: a line is a table, such as {{ min = 0.9 }}")
        return
    if row and all(isinstance(value, dict) for value in row.values()):
        faults.append(f'{part}: put "{figure}.{next(iter(row))}" in quotes: a dot without them begins another table')
        return
    unknown = sorted(row.keys() - KEYS)
    faults.extend(f"{part}.{figure}: no key {key!r} ({row[key]!r}); one of {', '.join(KEYS)}" for key in unknown)
    known = {key: value for key, value in row.items() if key in KEYS}
    try:
        line = _lines().validate_python({**known, "part": part, "figure": figure})
    except ValidationError as error:
        faults.extend(_fault(part, figure, row, dict(fault)) for fault in error.errors())
        return
    faults.extend(f"{part}.{figure}: {fault}" for fault in _contradictions(line))
    yield line


def _fault(part: str, figure: str, row: Mapping[str, Any], fault: Mapping[str, Any]) -> str:
    key = str(fault["loc"][0])
    return f"{part}.{figure}: {key} = {row[key]!r}: {fault['msg'][0].lower()}{fault['msg'][1:]}"


def _contradictions(line: Threshold) -> Iterator[str]:
    if all(bound is None for bound in line.bounds):
        yield "says neither min nor max, nor a ratio to the champion's"
    if line.min is not None and line.max is not None and line.min > line.max:
        yield f"min = {line.min} is above max = {line.max}: nothing can meet both"


@cache
def _lines() -> TypeAdapter[Threshold]:
    return TypeAdapter(Threshold)
