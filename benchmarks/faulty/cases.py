"""The faults: what is put in, at which camera, how bad, and what a person would name as its cause.

quiet days          fault                     quiet
├─────┼─────┼─────┼─────▓▓▓▓▓▓▓▓▓▓▓─────┼─────┤
1     2     3     4 03:00–09:00   12–24 h     6
"""

import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import numpy as np

from benchmarks.faulty import changes
from benchmarks.faulty.changes import Change, Spell
from benchmarks.faulty.filming import Camera, FilmedDay
from benchmarks.faulty.shelf import Logged, Shelf
from benchmarks.faulty.streams import chained
from benchmarks.faulty.weather import condition, touches, weather

Severity = Literal["weak", "medium", "strong"]

START = datetime(2026, 3, 2, tzinfo=UTC)
QUIET_DAYS = 30
"Of each camera."
CAMERAS = (
    Camera("toll-gate", "gate", 11),
    Camera("junction", "junction", 12),
    Camera("overpass", "overpass", 13),
)
LEVELS: Mapping[Severity, float] = {"weak": 0.25, "medium": 0.55, "strong": 0.9}
HOURS: Mapping[Severity, float] = {"weak": 2, "medium": 6, "strong": 18}
"How long what knows no intensity lasts."
BEFORE, CASE_DAYS = 3, 6
"Quiet days before the fault's, and days in all."
STEP = 5
"Days from one fault's first day to the next one's, round the quiet days."
EPOCH = "benchmark"


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fault."""

    cause: str
    "Its true cause, as the monitor names it."
    places: tuple[int, ...]
    "At which of CAMERAS it is tried. At the others its pictures were not looked at when thresholds and weights were set."
    condition: str = ""
    "The simulator's condition; empty for a fault of the records."
    change: Change | None = None
    "What is done to the records."
    everywhere: bool = False
    "Whether it befalls all cameras."
    whole: bool = False
    "Whether it knows no intensity: severity is its length then."


KINDS: Mapping[str, Kind] = {
    "bump": Kind("moved", (0, 2), "bump"),
    "fog": Kind("fog", (1, 2), "fog"),
    "rain": Kind("rain", (0,), "rain"),
    "darkness": Kind("dark", (2,), "night"),
    "short exposure": Kind("dark", (0,), "dim"),
    "long exposure": Kind("blown-out", (1,), "blown"),
    "dirt": Kind("dirty-lens", (1,), "dirt"),
    "leaf": Kind("dirty-lens", (0,), "leaf"),
    "defocus": Kind("blurred-lens", (0, 1), "blur"),
    "noise": Kind("noise", (2,), "noise"),
    "heat": Kind("sensor-heat", (1,), "hot"),
    "frozen": Kind("frozen", (2,), "frozen", whole=True),
    "black": Kind("black", (0,), "black", whole=True),
    "size": Kind("size-change", (2,), "small"),
    "strange vehicles": Kind("new-vehicles", (0,), change=changes.strangers),
    "gaps": Kind("gaps", (0,), change=changes.gaps),
    "repeats": Kind("gaps", (2,), change=changes.repeats),
    "disorder": Kind("gaps", (1,), change=changes.disorder),
    "power cut": Kind("dead-camera", (1,), change=changes.silent, whole=True),
    "stalled": Kind("dead-camera", (2,), change=changes.stalled, whole=True),
    "clock back": Kind("clock", (0,), change=changes.clock_back),
    "clock ahead": Kind("clock", (1,), change=changes.clock_ahead),
    "stuck sensor": Kind("device", (2,), change=changes.stuck, whole=True),
    "leak": Kind("device", (0,), change=changes.leak),
    "worse model": Kind("model", (1,), change=changes.worse_model, everywhere=True),
    "wrong labels": Kind("labels", (2,), change=changes.flipped_labels, everywhere=True),
    "no labels": Kind("labels", (0,), change=changes.no_labels, everywhere=True, whole=True),
}


@dataclass(frozen=True, slots=True)
class Case:
    """One fault, once."""

    kind: str
    "A key of KINDS."
    camera: Camera
    "Where."
    beside: Camera
    "Another one, whose pictures are as usual."
    severity: Severity
    "How bad."
    first_day: datetime
    "The first of its quiet days."
    spell: Spell
    "When, and how bad."

    @property
    def cause(self) -> str:
        """Its true cause."""
        return KINDS[self.kind].cause

    def days(self) -> list[FilmedDay]:
        """What has to be filmed for it."""
        return [*self._days_of(self.camera, self._line()), *self._days_of(self.beside, None)]

    def stream(self, shelf: Shelf) -> list[Logged]:
        """Both cameras' records, in the order of their log."""
        kind = KINDS[self.kind]
        sick, sound = (
            chained([shelf.get(day.text) for day in self._days_of(camera, line)], EPOCH)
            for camera, line in ((self.camera, self._line()), (self.beside, None))
        )
        if kind.change:
            sick = kind.change(sick, self.spell)
            sound = kind.change(sound, self.spell) if kind.everywhere else sound
        return sorted([*sick, *sound], key=lambda logged: logged.at)

    def _line(self) -> str | None:
        kind, spell = KINDS[self.kind].condition, self.spell
        return condition(kind, spell.start, spell.end, spell.level) if kind else None

    def _days_of(self, camera: Camera, line: str | None) -> Iterator[FilmedDay]:
        for number in range(CASE_DAYS):
            day = quiet_day(camera, self.first_day + timedelta(days=number))
            touched = line is not None and touches(line, day.day)
            yield FilmedDay(camera, day.day, (*day.conditions, line)) if touched and line else day


def quiet_day(camera: Camera, day: datetime) -> FilmedDay:
    """A day with its ordinary weather."""
    return FilmedDay(camera, day, weather(camera.seed, day))


def quiet_days() -> list[FilmedDay]:
    """All quiet days, camera by camera."""
    return [quiet_day(camera, START + timedelta(days=number)) for camera in CAMERAS for number in range(QUIET_DAYS)]


def quiet_stream(shelf: Shelf) -> list[Logged]:
    """All cameras' quiet days, in the order of their log."""
    days = {camera: [day for day in quiet_days() if day.camera == camera] for camera in CAMERAS}
    streams = [chained([shelf.get(day.text) for day in those], EPOCH) for those in days.values()]
    return sorted([logged for stream in streams for logged in stream], key=lambda logged: logged.at)


def cases(only: str | None = None, elsewhere: bool = False) -> list[Case]:
    """Every fault in each severity; `only` of one kind; `elsewhere`, those of pictures at cameras where none was tuned."""
    return [
        _case(place, name, number, severity)
        for place, (name, number) in enumerate(_elsewhere() if elsewhere else _faults())
        if only in (None, name)
        for severity in LEVELS
    ]


def _faults() -> list[tuple[str, int]]:
    return [(name, number) for name, kind in KINDS.items() for number in kind.places]


def _elsewhere() -> list[tuple[str, int]]:
    others = ((name, kind, number) for name, kind in KINDS.items() for number in range(len(CAMERAS)))
    return [(name, number) for name, kind, number in others if kind.condition and number not in kind.places]


def _case(place: int, kind: str, number: int, severity: Severity) -> Case:
    camera, beside = CAMERAS[number], CAMERAS[(number + 1) % len(CAMERAS)]
    first_day = START + timedelta(days=place * STEP % (QUIET_DAYS - CASE_DAYS + 1))
    seed = zlib.crc32(f"{kind} {camera.id}".encode())
    rng = np.random.default_rng([seed, 47])
    start = first_day + timedelta(days=BEFORE, minutes=int(rng.integers(180, 540)))
    minutes = HOURS[severity] * 60 if KINDS[kind].whole else int(rng.integers(12 * 60, 24 * 60))
    level = 1.0 if KINDS[kind].whole else LEVELS[severity]
    return Case(
        kind, camera, beside, severity, first_day, Spell(start, start + timedelta(minutes=minutes), level, seed)
    )
