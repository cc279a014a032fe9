"""Labels from a CSV file: every line read, every wrong one named with what to change.

    frame_id,label,source,weight,labelled_at
    gate:2026-11-23:42,truck,anna,1,2026-11-24T09:30:00Z

`frame_id` or `passage_id` says what is labelled (both columns may be there, each line fills one), `label` what it
shows, or `withdrawn`, which takes back what the source said of it before; the others may be left out. Commas, semicolons
and tabs all serve, as the header shows. A file that `roadwatch label export` has made has more columns, and lines that
nobody has filled in: those are left open.
"""

import csv
import math
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from producers.labels import WITHDRAWN, label_of
from schemas.errors import ConfigurationError, DecodingError
from schemas.ids import parse_id
from schemas.records import Label

TARGETS = ("frame_id", "passage_id")
COLUMNS = (*TARGETS, "label", "source", "weight", "labelled_at")
PICTURES = "pictures"
"The column by which an exported file is known."
TOLD = (PICTURES, "why", "predicted", "confidence", "camera", "at")
"What an exported file says for whoever fills it in."
DELIMITERS = ",;\t"
LARGEST_FILE = 256 * 1024 * 1024
"Bytes: some three million labels."


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for every line of a file."""

    classes: tuple[str, ...]
    "The labels that there are."
    source: str
    "Who gave the labels, where a line does not say."
    labelled_at: datetime
    "When they were given, where a line does not say; UTC."


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the file, read; of files without lines, one thing that was labelled."""

    number: int
    "In the file, from 1, the header included."
    label: Label | None
    "The label; None for a wrong line, and for one that was not filled in."
    faults: tuple[str, ...]
    "What is wrong with it; empty for a good one."
    what: str = "line"
    "What is numbered."
    is_timed: bool = True
    "Whether it says when the label was given."
    is_weighted: bool = True
    "Whether it says what the label weighs."
    is_exported: bool = False
    "Whether it is of a file that was exported, and its thing must be known."

    @property
    def is_open(self) -> bool:
        """Whether it was not filled in."""
        return self.label is None and not self.faults


@dataclass(slots=True)
class Check:
    """What came of reading a whole file."""

    good: int = 0
    "Right lines."
    faults: list[str] = field(default_factory=list)
    "A line each: where, what, what to change."
    bad: int = 0
    "Wrong lines."
    open: int = 0
    "Lines that were not filled in."

    def add(self, line: Line) -> None:
        """Count a line."""
        self.good += line.label is not None
        self.bad += bool(line.faults)
        self.open += line.is_open
        self.faults += [f"{line.what} {line.number}: {fault}" for fault in line.faults]


def read_lines(path: Path, defaults: Defaults) -> Iterator[Line]:
    """Every line of a file after its header, one at a time, so that a large file needs little memory.

    Raises:
        ConfigurationError: the file itself is wrong: missing, too large, not UTF-8, no such columns, torn quotes.

    """
    check_size(path)
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield from _lines(stream, path, defaults)
    except UnicodeDecodeError as error:
        raise ConfigurationError(str(path), [_encoding_fault(error)]) from error
    except csv.Error as error:
        raise ConfigurationError(str(path), [f"not CSV: {error}; look for a quote that is never closed"]) from error


def check_size(path: Path) -> None:
    """Raise ConfigurationError for a file that is not there, or is too large to be read at once."""
    if not path.is_file():
        raise ConfigurationError(str(path), ["no such file"])
    if (size := path.stat().st_size) > LARGEST_FILE:
        raise ConfigurationError(
            str(path), [f"{size} bytes, more than {LARGEST_FILE} are not read at once; split the file"]
        )


def _encoding_fault(error: UnicodeDecodeError) -> str:
    seen = error.object[error.start]
    return f"byte 0x{seen:02x} is not UTF-8; save the file as CSV UTF-8"


def _lines(stream: TextIO, path: Path, defaults: Defaults) -> Iterator[Line]:
    header = stream.readline()
    delimiter = max(DELIMITERS, key=header.count)
    names = [name.strip().lower() for name in next(csv.reader([header], delimiter=delimiter), [])]
    if faults := _header_faults(names):
        raise ConfigurationError(str(path), faults)
    reader = csv.reader(stream, delimiter=delimiter, strict=True)
    said: dict[str, tuple[str, int]] = {}
    for values in reader:
        if any(value.strip() for value in values):
            yield contradicted(_line(reader.line_num + 1, names, values, defaults), said)


def _header_faults(names: list[str]) -> list[str]:
    known = COLUMNS + (TOLD if PICTURES in names else ())
    said = ", ".join(known)
    faults = [f"column {name!r} is not known; known are {said}" for name in names if name not in known]
    faults += [f"column {name!r} is there {names.count(name)} times" for name in known if names.count(name) > 1]
    if not set(TARGETS) & set(names):
        faults.append("the header names neither frame_id nor passage_id: begin the file with 'frame_id,label', say")
    if "label" not in names:
        faults.append("the header names no label: begin the file with 'frame_id,label', say")
    return faults


def _line(number: int, names: list[str], values: list[str], defaults: Defaults) -> Line:
    if len(values) != len(names):
        return Line(number, None, (f"has {len(values)} fields, the header names {len(names)}",))
    row = {name: value.strip() for name, value in zip(names, values, strict=True)}
    if PICTURES in row and not row["label"]:
        return Line(number, None, ())
    faults = tuple(_row_faults(row, defaults.classes))
    return Line(
        number,
        None if faults else _label(row, defaults),
        faults,
        is_timed=bool(row.get("labelled_at")),
        is_weighted=bool(row.get("weight")),
        is_exported=PICTURES in row,
    )


def _row_faults(row: Mapping[str, str], classes: Collection[str]) -> Iterator[str]:
    yield from _target_faults(row)
    if row["label"] not in (*classes, WITHDRAWN):
        yield f"label {row['label']!r} is not known; write one of {', '.join(classes)}, or {WITHDRAWN}"
    if row.get("weight") and not _is_weight(row["weight"]):
        yield f"weight {row['weight']!r} is not a number above 0, such as 1 or 2.5"
    if row.get("labelled_at") and time_of(row["labelled_at"]) is None:
        yield f"labelled_at {row['labelled_at']!r} is not a time with its zone, such as 2026-11-24T09:30:00Z"


def _target_faults(row: Mapping[str, str]) -> Iterator[str]:
    given = [column for column in TARGETS if row.get(column)]
    if len(given) != 1:
        yield "fill frame_id or passage_id, and only one of them"
        return
    try:
        ref = parse_id(row[given[0]])
    except DecodingError as error:
        yield f"{given[0]}: {error}"
        return
    right = TARGETS[ref.passage]
    if given[0] != right:
        yield f"{given[0]} {row[given[0]]!r} is a {right.removesuffix('_id')}'s id; put it under {right}"


def _is_weight(text: str) -> bool:
    try:
        return math.isfinite(float(text)) and float(text) > 0
    except ValueError:
        return False


def time_of(text: str) -> datetime | None:
    """A time with its zone, in UTC; None for anything else."""
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    return when.astimezone(UTC) if when.tzinfo else None


def _label(row: Mapping[str, str], defaults: Defaults) -> Label:
    return label_of(
        row.get("frame_id") or row["passage_id"],
        None if row["label"] == WITHDRAWN else row["label"],
        source=row.get("source") or defaults.source,
        weight=float(row.get("weight") or 1),
        labelled_at=time_of(row.get("labelled_at", "")) or defaults.labelled_at,
    )


def contradicted(line: Line, said: dict[str, tuple[str, int]]) -> Line:
    """The line, or a wrong one where the same source has said something else of the same frame or passage."""
    if line.label is None:
        return line
    target, says = f"{line.label.source}:{line.label.frame_id or line.label.passage_id}", line.label.label or WITHDRAWN
    before, number = said.setdefault(target, (says, line.number))
    if before == says:
        return line
    return replace(line, label=None, faults=(f"says {says!r}, and {line.what} {number} says {before!r} of the same",))
