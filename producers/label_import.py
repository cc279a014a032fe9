"""Labels from a CSV file: every line read, every wrong one named with what to change.

    frame_id,label,source,weight,labelled_at
    gate:2026-11-23:42,truck,anna,1,2026-11-24T09:30:00Z

`frame_id` or `passage_id` says what is labelled (both columns may be there, each line fills one), `label` what it
shows, or `withdrawn`, which takes back what the source said of it before; the others may be left out. Commas, semicolons
and tabs all serve, as the header shows. A file that `roadwatch label export` has made has more columns, and lines that
nobody has filled in: those are left open.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TextIO

from producers.labels import WITHDRAWN, label_of
from schemas.errors import ConfigurationError, DecodingError
from schemas.ids import parse_id
from schemas.labels import EARLIEST, HEAVIEST, LIGHTEST, LONGEST_SOURCE, LONGEST_THING, is_weight, short
from schemas.records import Label

TARGETS = ("frame_id", "passage_id")
COLUMNS = (*TARGETS, "label", "source", "weight", "labelled_at")
PICTURES = "pictures"
"The column by which an exported file is known."
TOLD = (PICTURES, "known", "why", "predicted", "confidence", "camera", "at")
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
    "When they were given, where a line does not say: now; UTC."
    max_skew: timedelta = timedelta(minutes=5)
    "How much later than now a label may say that it was given: clocks differ."

    @property
    def latest(self) -> datetime:
        """From when on a label cannot have been given yet."""
        return self.labelled_at + self.max_skew


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
    known: str | None = None
    "The label with which it was exported; None: without one, or nobody can tell."

    @property
    def is_as_exported(self) -> bool:
        """Whether nobody has changed its label since it was exported: it is the word of others."""
        return self.label is not None and self.known is not None and self.known == self.label.label

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
    yield from consistent(_read(path, defaults))


def _read(path: Path, defaults: Defaults) -> Iterator[Line]:
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
    for values in reader:
        if any(value.strip() for value in values):
            yield _line(reader.line_num + 1, names, values, defaults)


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
    faults = tuple(_row_faults(row, defaults))
    return Line(
        number,
        None if faults else _label(row, defaults),
        faults,
        is_timed=bool(row.get("labelled_at")),
        is_weighted=bool(row.get("weight")),
        is_exported=PICTURES in row,
        known=row.get("known") or None,
    )


def _row_faults(row: Mapping[str, str], defaults: Defaults) -> Iterator[str]:
    yield from _target_faults(row)
    if row["label"] not in (*defaults.classes, WITHDRAWN):
        yield f"label {short(row['label'])} is not known; write one of {', '.join(defaults.classes)}, or {WITHDRAWN}"
    if row.get("weight") and not _is_weight(row["weight"]):
        yield (
            f"weight {short(row['weight'])} is not a number above 0, from {LIGHTEST:g} to {HEAVIEST:g}, such as 1 or 2.5"
        )
    yield from source_faults(row.get("source", ""))
    if row.get("labelled_at"):
        yield from _time_faults(row["labelled_at"], defaults)


def _target_faults(row: Mapping[str, str]) -> Iterator[str]:
    given = [column for column in TARGETS if row.get(column)]
    if len(given) != 1:
        yield "fill frame_id or passage_id, and only one of them"
        return
    if len(name := row[given[0]]) > LONGEST_THING:
        yield f"{given[0]} {short(name)} has {len(name)} characters, and no id has more than {LONGEST_THING}"
        return
    try:
        ref = parse_id(name)
    except DecodingError as error:
        yield f"{given[0]}: {error}"
        return
    right = TARGETS[ref.passage]
    if given[0] != right:
        yield f"{given[0]} {name!r} is a {right.removesuffix('_id')}'s id; put it under {right}"


def source_faults(source: str) -> Iterator[str]:
    """Give what is wrong with a source's name."""
    if len(source) > LONGEST_SOURCE:
        yield f"source {short(source)} has {len(source)} characters; name it with at most {LONGEST_SOURCE}"


def _is_weight(text: str) -> bool:
    try:
        return is_weight(float(text))
    except ValueError:
        return False


def _time_faults(text: str, defaults: Defaults) -> Iterator[str]:
    when = time_of(text)
    if when is None:
        yield f"labelled_at {short(text)} is not a time with its zone, such as 2026-11-24T09:30:00Z"
    else:
        yield from when_faults(text, when, defaults)


def when_faults(text: str, when: datetime, defaults: Defaults) -> Iterator[str]:
    """Give what is wrong with the time at which a label is said to have been given; `text` is how it says so."""
    if when > defaults.latest:
        yield (
            f"labelled_at {short(text)} is later than now ({defaults.labelled_at:%Y-%m-%dT%H:%M:%SZ}) by more than"
            " monitor.max_skew: until then no correction would hold; correct it"
        )
    if when < EARLIEST:
        yield f"labelled_at {short(text)} is before {EARLIEST:%Y-%m-%d}; correct it, or leave it empty"


def time_of(text: str) -> datetime | None:
    """A time with its zone, in UTC; None for anything else, and for what lies before the year 1 or after 9999 there."""
    try:
        when = datetime.fromisoformat(text)
        return when.astimezone(UTC) if when.tzinfo else None
    except (ValueError, OverflowError):
        return None


def _label(row: Mapping[str, str], defaults: Defaults) -> Label:
    return label_of(
        row.get("frame_id") or row["passage_id"],
        None if row["label"] == WITHDRAWN else row["label"],
        source=row.get("source") or defaults.source,
        weight=float(row.get("weight") or 1),
        labelled_at=time_of(row.get("labelled_at", "")) or defaults.labelled_at,
    )


def consistent(lines: Iterable[Line]) -> Iterator[Line]:
    """Give the lines, once all are read; those are wrong that contradict each other.

    Of two words that a source says of the same thing at different times, the later one holds; at the same time, nobody
    knows which was meant.
    """
    said: dict[str, Line] = {}
    torn: dict[str, tuple[Line, Line]] = {}
    read = list(lines)
    for line in read:
        if line.label is not None:
            first = said.setdefault(_word(line.label), line)
            if _says(first) != _says(line):
                torn.setdefault(_word(line.label), (first, line))
    for line in read:
        yield _contradicted(line, torn)


def _contradicted(line: Line, torn: Mapping[str, tuple[Line, Line]]) -> Line:
    """The line, or a wrong one where another says something else."""
    if line.label is None or (pair := torn.get(_word(line.label))) is None:
        return line
    other = pair[0] if _says(pair[0]) != _says(line) else pair[1]
    fault = f"says {_says(line)!r}, and {other.what} {other.number} says {_says(other)!r} of the same"
    return replace(line, label=None, faults=(fault,))


def _word(label: Label) -> str:
    """Who speaks, of what, and when."""
    return f"{label.source}:{label.frame_id or label.passage_id}@{label.labelled_at.isoformat()}"


def _says(line: Line) -> str:
    return (line.label and line.label.label) or WITHDRAWN
