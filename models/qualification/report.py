"""A qualification's outcome as JSON: what is kept in the registry, printed for `--json`, and read back for a page."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, Literal

from pydantic import TypeAdapter, ValidationError

from models.qualification.figures import PARTS, Measured, Measurements, Part, figure, of_part
from models.qualification.judgement import Judgement
from schemas.errors import ModelError

Report = tuple[Judgement, Measurements]
"A verdict, and what it was passed on."

FORMAT: Final = 1


@dataclass(frozen=True, slots=True)
class _Document:
    """What the JSON says."""

    format: Literal[1]
    "Of this document."
    judgement: Judgement
    "The verdict."
    measurements: Measurements
    "What it was passed on."


def to_json(judgement: Judgement, measurements: Measurements) -> bytes:
    """Return both as one JSON document, pictures in base64."""
    return _documents().dump_json(_Document(FORMAT, judgement, measurements), indent=2) + b"\n"


def parse_report(raw: bytes) -> Report:
    """Return what `to_json` wrote; raises ModelError for anything else."""
    try:
        document = _documents().validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"qualification report: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error
    return document.judgement, document.measurements


def comparison_json(reports: Sequence[Report]) -> bytes:
    """Return the figures of two versions or more side by side, with their differences from the first, as JSON."""
    document = {
        "versions": [{"version": judged.version, "approved": judged.approved} for judged, _ in reports],
        "parts": {part: _figures(part, [measurements for _, measurements in reports]) for part in PARTS},
    }
    return json.dumps(document, indent=2).encode() + b"\n"


def figure_names(measured: Sequence[Measured | None]) -> list[str]:
    """Return the names of all figures, in the order in which they are met first."""
    return list(dict.fromkeys(each.name for found in measured if found for each in found.figures))


def _figures(part: Part, measurements: Sequence[Measurements]) -> Mapping[str, Any]:
    measured = [of_part(each.candidate, part) for each in measurements]
    return {name: _side_by_side([_value(found, name) for found in measured]) for name in figure_names(measured)}


def _value(measured: Measured | None, name: str) -> float | None:
    found = figure(measured, name) if measured else None
    return found.value if found else None


def _side_by_side(values: Sequence[float | None]) -> dict[str, list[float | None]]:
    first = values[0]
    differences = [None if first is None or value is None else value - first for value in values[1:]]
    return {"values": list(values), "differences": differences}


@cache
def _documents() -> TypeAdapter[_Document]:
    return TypeAdapter(_Document)
