"""What can befall a camera and its road, when, and how badly: switched in event time, told as one line of text.

The line: ``fog@2026-03-03T00:00/2026-03-04T00:00=0.8~45m``: kind, start, end (left out: for good),
intensity (left out: 1) and the minutes it takes to come and go (left out: the kind's own). Times are UTC
unless they carry an offset.
"""

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta

from schemas.errors import ConfigurationError

# Kind and the minutes it takes to come and to go, unless told.
RAMP_MINUTES = {
    "night": 40,
    "clouds": 20,
    "fog": 30,
    "rain": 10,
    "bump": 0,
    "dirt": 60,
    "leaf": 0,
    "blur": 60,
    "dim": 30,
    "blown": 10,
    "black": 0,
    "frozen": 0,
    "small": 0,
    "noise": 0,
    "new_kind": 0,
    "pickups": 0,
    "hot": 60,
}
STEPS = 32  # an intensity moves in steps of 1/32, so that lit backgrounds can be kept

_LINE = re.compile(r"(?P<kind>[^@=/~]+)@(?P<start>[^/=~]+)(/(?P<end>[^=~]*))?(=(?P<intensity>[^~]+))?(~(?P<ramp>.+)m)?")


@dataclass(frozen=True, slots=True)
class Condition:
    """One thing that befalls the camera or its road. Raises ValueError when a value makes no sense."""

    # A key of RAMP_MINUTES.
    kind: str
    # When it begins, timezone-aware.
    starts_at: datetime
    # When it is over, timezone-aware; None: never.
    ends_at: datetime | None = None
    # How bad at its worst, 0..1.
    intensity: float = 1.0
    # How long it takes to come and to go; None: the kind's own.
    ramp: timedelta | None = None

    def __post_init__(self) -> None:
        if self.kind not in RAMP_MINUTES:
            raise ValueError(f"condition {self.kind!r} is not known; choose one of {', '.join(RAMP_MINUTES)}")
        if not 0 <= self.intensity <= 1:
            raise ValueError(f"intensity {self.intensity} of {self.kind} is outside 0..1")
        if self.starts_at.tzinfo is None or (self.ends_at and self.ends_at.tzinfo is None):
            raise ValueError(f"{self.kind} from {self.starts_at} to {self.ends_at}: a time lacks its zone")
        if self.ends_at is not None and self.ends_at <= self.starts_at:
            raise ValueError(f"{self.kind} ends at {self.ends_at}, not after its start {self.starts_at}")

    def level(self, when: datetime) -> float:
        """Its intensity at that time, 0 before and after, rising and falling over the ramp."""
        if when < self.starts_at or (self.ends_at is not None and when >= self.ends_at):
            return 0.0
        ramp = self.ramp if self.ramp is not None else timedelta(minutes=RAMP_MINUTES[self.kind])
        if not ramp:
            return self.intensity
        rise = (when - self.starts_at) / ramp
        fall = (self.ends_at - when) / ramp if self.ends_at is not None else 1.0
        return self.intensity * min(1.0, rise, fall)


@dataclass(frozen=True, slots=True)
class Levels:
    """The intensity of every kind at one time, 0..1 each."""

    # Darkness, with street lamps and headlights.
    night: float = 0.0
    # The sun is gone behind clouds.
    clouds: float = 0.0
    # Haze that grows with distance.
    fog: float = 0.0
    # Streaks, wet road, drops on the lens.
    rain: float = 0.0
    # The camera was knocked and looks elsewhere.
    bump: float = 0.0
    # Smears on the lens.
    dirt: float = 0.0
    # Something near hangs into the picture.
    leaf: float = 0.0
    # The lens is out of focus.
    blur: float = 0.0
    # Exposed too short, or too long until all is white.
    dim: float = 0.0
    blown: float = 0.0
    # No light reaches the sensor; any level is all of it.
    black: float = 0.0
    # The camera repeats one picture; any level is all of it.
    frozen: float = 0.0
    # Pictures are smaller: at full, half as wide and high.
    small: float = 0.0
    # Sensor noise.
    noise: float = 0.0
    # Share of trucks replaced by a kind never seen before: tractors, which look like trucks.
    new_kind: float = 0.0
    # Share of trucks replaced by another such kind: parcel pick-ups, which look like cars.
    pickups: float = 0.0
    # The device runs hot: telemetry, and hot pixels.
    hot: float = 0.0


KINDS = tuple(field.name for field in fields(Levels))


def levels_at(conditions: Iterable[Condition], when: datetime) -> Levels:
    """The levels at that time in steps of 1/STEPS; of several of one kind, the worst counts."""
    worst = dict.fromkeys(KINDS, 0.0)
    for condition in conditions:
        worst[condition.kind] = max(worst[condition.kind], condition.level(when))
    return Levels(**{kind: math.ceil(level * STEPS) / STEPS for kind, level in worst.items()})


def shown_at(conditions: Iterable[Condition], when: datetime) -> datetime:
    """When the picture was taken that the camera gives at that time: earlier while it is frozen."""
    return min((c.starts_at for c in conditions if c.kind == "frozen" and c.level(when) > 0), default=when)


def parse_condition(text: str) -> Condition:
    """The condition a line tells. Raises ValueError saying what is wrong with which part."""
    found = _LINE.fullmatch(text.strip())
    if found is None:
        raise ValueError(f"condition {text!r} is not of the form kind@start/end=intensity~minutesm")
    ramp = found["ramp"]
    try:
        return Condition(
            kind=found["kind"].strip().replace("-", "_"),
            starts_at=_time(found["start"], "start"),
            ends_at=_time(found["end"], "end") if found["end"] else None,
            intensity=_number(found["intensity"] or "1", "intensity"),
            ramp=timedelta(minutes=_number(ramp, "ramp")) if ramp else None,
        )
    except ValueError as error:
        raise ValueError(f"condition {text!r}: {error}") from error


def parse_conditions(lines: Sequence[str], where: str = "conditions") -> tuple[Condition, ...]:
    """All conditions told. Raises ConfigurationError naming every wrong line; `where` says whose they are."""
    good, faults = [], []
    for line in lines:
        try:
            good.append(parse_condition(line))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        raise ConfigurationError(where, faults)
    return tuple(good)


def _time(text: str, part: str) -> datetime:
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError:
        raise ValueError(f"{part} {text!r} is not a time such as 2026-03-03T06:30") from None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)


def _number(text: str, part: str) -> float:
    try:
        number = float(text)
    except ValueError:
        raise ValueError(f"{part} {text!r} is not a number") from None
    if not (math.isfinite(number) and number >= 0):
        raise ValueError(f"{part} {text!r} is not a number of 0 or more")
    return number
