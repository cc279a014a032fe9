"""Runs of 64 frames of one camera and epoch, with their labels: what a day's figures are made of.

    gate:2026:127 ─► chunk 1 of gate, 2026      rows 64..127, labels for them and for passages that begin among them

Ids say in which chunk a frame or passage lies, so that a label finds its frame, and a frame a label that came first.
Frames are kept by number: taking one in twice changes nothing.
"""

import json
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from schemas.records import CLASSIFIED

SIZE = 64
"Frames a chunk: a light stream rewrites its chunk with each frame, a heavy one seldom shares it between records."
PEEKED = 8
"Chunks that are remembered on a walk: a vehicle's frames lie in one or two."
DEFLATE_LEVEL = 1
"A fifth of the bytes for .1 ms; the best level saves a tenth more for four times as long."

Place = tuple[str, int]
"A chunk's epoch and number."

T = TypeVar("T")


class Encoded(Protocol):
    """What has bytes of its own."""

    def encoded(self) -> bytes:
        """To be written."""


class Row(NamedTuple):
    """A frame as the monitor remembers it."""

    kind: str
    "The frame's kind."
    captured_us: int
    "When the picture was taken."
    passage: int | None
    "The first frame's sequence of its passage; None for whole pictures."
    crossed_us: int | None
    "When the vehicle crossed; None before that."
    zone_id: str | None
    "The zone; None for whole pictures."
    label: str | None
    "The predicted class; None for what is not classified."
    probabilities: dict[str, float]
    "Of each class; empty for what is not classified."
    pixels: int
    "The picture's area: how much a frame's vote weighs."
    brightness: float
    "Mean luma."
    bucket: int
    "Of its latency."
    model_version: str
    "The bundle that served."
    contrast: float = 0.0
    "Standard deviation of luma."
    sharpness: float = 0.0
    "Variance of the Laplacian."
    noise: float = 0.0
    "Standard deviation of the grain."
    stages: tuple[int, ...] = ()
    "Buckets of its latency by stage, as in monitor.closing.STAGES; empty where they were not measured."

    @property
    def is_refused(self) -> bool:
        """Whether the model looked at it and abstained."""
        return self.kind in CLASSIFIED and self.label is None

    @property
    def confidence(self) -> float:
        """The label's probability; 0 for what is not classified."""
        return self.probabilities.get(self.label, 0.0) if self.label else 0.0


class Given(NamedTuple):
    """A label that waits for its frame or passage, or has found it."""

    label: str
    "The true class; empty where the source takes back what it said before."
    labelled_us: int
    "When it was given: of two that a source gives for one thing, the later one holds."
    label_id: str
    "Decides between two given at the same time."
    promised_us: int = -1
    "How far labels had been promised complete before it was sent: a day that ends by then is closed to it."
    logged_ms: int = -1
    "When it was logged; never less than of those before it."
    source: str = ""
    "Who says so."
    weight: float = 1.0
    "How many like it the label stands for."

    def is_in_time(self, end_us: int, cutoff_ms: int | None, heeds_promises: bool) -> bool:
        """Whether it counts for a day that ends then: decided by labels' own order and when they were logged."""
        if heeds_promises and self.promised_us >= end_us:
            return False
        return cutoff_ms is None or self.logged_ms < cutoff_ms


class Verdict(NamedTuple):
    """A passage that is over."""

    label: str | None
    "The class with most votes; None when no frame was classified."
    crossed_us: int | None
    "When it crossed the line; None when it never did."
    first_us: int
    "Its first frame that was seen."
    last: int
    "The sequence of its last frame."
    ended_by: int
    "The last observations' offset when it ended: a verdict of the record at hand was left by a run that was killed."
    due_through: str = ""
    "The newest day whose frames were complete when it ended: it came too late for that one."
    frames: int = 0
    "Its classified frames."
    dissenting: int = 0
    "Those that disagree with the label."
    refused: int = 0
    "Frames on which the model abstained."
    confidence: float = 0.0
    "The label's share of all votes."
    zone_id: str | None = None
    "Where it crossed; None when it never did."
    pixels: int = 0
    "Area of its largest picture."
    shown: int = -1
    "Sequence of that picture."


@dataclass(slots=True)
class Chunk:
    """One run of frames."""

    rows: dict[int, Row] = field(default_factory=dict)
    "By sequence."
    frame_labels: dict[int, list[Given]] = field(default_factory=dict)
    "By the frame's sequence; several where one was corrected."
    passage_labels: dict[int, list[Given]] = field(default_factory=dict)
    "By the sequence of the passage's first frame; likewise."
    verdicts: dict[int, Verdict] = field(default_factory=dict)
    "Of passages that are over, by the sequence of their first frame."

    @property
    def is_empty(self) -> bool:
        """Whether nothing is in it."""
        return not (self.rows or self.frame_labels or self.passage_labels or self.verdicts)

    def newest_us(self) -> int:
        """The newest picture's time; -1 without any."""
        return max((row.captured_us for row in self.rows.values()), default=-1)

    def encoded(self) -> bytes:
        """As compact JSON, deflated: a day's chunks lie in memory. Strings that repeat stand once, in a table."""
        words = _Words()
        plain = {
            "rows": [_plain_row(sequence, row, words) for sequence, row in sorted(self.rows.items())],
            "frames": {key: [*map(_plain_given, given)] for key, given in self.frame_labels.items()},
            "passages": {key: [*map(_plain_given, given)] for key, given in self.passage_labels.items()},
            "verdicts": {key: list(verdict) for key, verdict in self.verdicts.items()},
            "words": words.known,
        }
        return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), DEFLATE_LEVEL)


def decoded(data: bytes) -> Chunk:
    """A chunk from its bytes; older ones are plain JSON."""
    plain = _plain(data)
    words = [*plain["words"], None]
    return Chunk(
        rows={cells[0]: _row(cells, words) for cells in plain["rows"]},
        frame_labels={int(key): _given(given) for key, given in plain["frames"].items()},
        passage_labels={int(key): _given(given) for key, given in plain["passages"].items()},
        verdicts={int(key): Verdict(*verdict) for key, verdict in plain["verdicts"].items()},
    )


def newest_us(data: bytes) -> int:
    """The newest picture's time in a chunk's bytes, without making its rows; -1 without any."""
    return max((cells[2] for cells in _plain(data)["rows"]), default=-1)


def _plain(data: bytes) -> dict[str, Any]:
    plain: dict[str, Any] = json.loads(data if data.startswith(b"{") else zlib.decompress(data))
    return plain


def _plain_given(given: Given) -> list[Any]:
    return [*given] if given.weight != 1 else [*given[:-1]]


def _given(plain: list[Any]) -> list[Given]:
    if isinstance(plain[0], str):
        return [Given(*plain)]  # written before there could be several
    return [Given(*given) for given in plain]


class _Words(dict[str | None, int]):
    """Numbers for strings, in the order of their first use; -1 for None."""

    def __init__(self) -> None:
        super().__init__({None: -1})

    def __missing__(self, word: str | None) -> int:
        number = self[word] = len(self) - 1
        return number

    @property
    def known(self) -> list[str]:
        return [word for word in self if word is not None]


def _plain_row(sequence: int, row: Row, words: _Words) -> list[Any]:
    probabilities = [part for name, p in row.probabilities.items() for part in (words[name], p)]
    return [
        sequence,
        words[row.kind],
        row.captured_us,
        row.passage,
        row.crossed_us,
        words[row.zone_id],
        words[row.label],
        probabilities,
        row.pixels,
        row.brightness,
        row.bucket,
        words[row.model_version],
        row.contrast,
        row.sharpness,
        row.noise,
        *row.stages,
    ]


_UNMEASURED = (0.0, 0.0, 0.0)
"What older rows do not hold: contrast, sharpness, noise."


def _row(cells: list[Any], words: list[Any]) -> Row:
    """A row from its cells; the last of the words is None. By place, not by name: a day has a million."""
    _, kind, captured_us, passage, crossed_us, zone, label, parts, pixels, brightness, bucket, model, *rest = cells
    contrast, sharpness, noise, *stages = rest or _UNMEASURED
    part = iter(parts)
    return Row(
        words[kind],
        captured_us,
        passage,
        crossed_us,
        words[zone],
        words[label],
        {words[i]: p for i, p in zip(part, part, strict=True)},
        pixels,
        brightness,
        bucket,
        words[model],
        contrast,
        sharpness,
        noise,
        tuple(stages),
    )


class Chunks:
    """The chunks of one camera, and what is kept beside them: read when needed, and written where it changed."""

    def __init__(self, camera_id: str, values: Mapping[str, bytes]) -> None:
        """`values` is the table that holds the chunks' bytes."""
        self._camera_id = camera_id
        self._values = values
        self._loaded: dict[str, Chunk] = {}
        self._changed: dict[str, None] = {}
        self._peeked: dict[str, Chunk] = {}
        self._kept: dict[str, Encoded] = {}

    def key(self, epoch: str, number: int) -> str:
        """A chunk's key in the table."""
        return f"{self._camera_id}:{epoch}:{number}"

    def get(self, epoch: str, number: int) -> Chunk:
        """A chunk to read; an empty one where there is none."""
        key = self.key(epoch, number)
        if key not in self._loaded and (data := self._values.get(key)):
            self._loaded[key] = decoded(data)
        return self._loaded.get(key) or Chunk()

    def peek(self, epoch: str, number: int) -> Chunk:
        """A chunk to read once, on a walk through a whole day: only the last few are remembered."""
        key = self.key(epoch, number)
        if key in self._loaded or not (data := self._values.get(key)):
            return self.get(epoch, number)
        if key not in self._peeked:
            self._peeked[key] = decoded(data)
            self._peeked.pop(next(iter(self._peeked))) if len(self._peeked) > PEEKED else None
        return self._peeked[key]

    def newest_us(self, epoch: str, number: int) -> int:
        """The newest picture's time in a chunk; -1 without any."""
        key = self.key(epoch, number)
        if key in self._loaded or not (data := self._values.get(key)):
            return self.get(epoch, number).newest_us()
        return newest_us(data)

    def change(self, epoch: str, number: int) -> Chunk:
        """A chunk to change."""
        key = self.key(epoch, number)
        self._changed[key] = None
        return self._loaded.setdefault(key, self.get(epoch, number))

    def is_stored(self, epoch: str, number: int) -> bool:
        """Whether there is something to delete."""
        key = self.key(epoch, number)
        return key in self._values or key in self._changed

    def kept(self, key: str, decoded: Callable[[bytes], T | None]) -> T | None:
        """What was kept beside the chunks; None where nothing is, or nothing that can be read."""
        if key in self._kept:
            return cast(T, self._kept[key])
        data = self._values.get(key)
        return decoded(data) if data else None

    def keep(self, key: str, what: Encoded) -> None:
        """Keep something beside the chunks."""
        self._kept[key] = what

    def frames_of(self, epoch: str, passage: int, last: int) -> Iterator[tuple[int, Row]]:
        """A passage's frames with their sequence, in order; `last` is the sequence of its last one."""
        for number in range(passage // SIZE, last // SIZE + 1):
            rows = sorted(self.get(epoch, number).rows.items())
            yield from ((sequence, row) for sequence, row in rows if row.passage == passage and sequence <= last)

    def drop(self, keys: Iterable[str]) -> None:
        """Forget chunks for good."""
        for key in keys:
            self._loaded.pop(key, None)
            self._changed.pop(key, None)
            self._kept.pop(key, None)

    def writes(self) -> dict[str, bytes]:
        """What changed, by key."""
        kept = {key: what.encoded() for key, what in self._kept.items()}
        return {key: self._loaded[key].encoded() for key in self._changed} | kept
