"""Examples from what is on the topics. Pure.

    predictions ───────► frames of each passage, its largest kept ─┐
    shadow-predictions ► what the challenger says of it            ├─► Example
    passages ──────────► the verdict, as the monitor gave it ──────┘
    samples ───────────► an example each

A passage that the monitor has not told of yet, or that is on the topic no more, is judged here in the same way. Kept
are, of each example, its three largest frames without their pictures, and sums: some seven kilobytes in memory.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from models.archive.examples import Example, ExampleFrame
from monitor.chunks import Row
from monitor.closing import PASSAGE_SPAN
from monitor.passages import heaviest
from monitor.scenes import hour_of, light_of, size_of, weather_of
from monitor.windows import Calendar
from schemas.errors import ConfigurationError
from schemas.records import CLASSIFIED, Origin, Passage, Prediction
from schemas.times import to_us

FRAMES: Final = 3
"Of a passage, its largest: a person sees enough on them, and they are the ones whose votes weigh most."
MOST: Final = 100_000
"Examples that are held at once."
FIRST, LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 1, 1, tzinfo=UTC)
"Of all days."


@dataclass(frozen=True, slots=True)
class Shown:
    """A frame of an example, and where its picture lies."""

    sequence: int
    "In its epoch."
    frame: ExampleFrame
    "Without its picture."
    origin: Origin
    "Of the frame's record."

    @property
    def pixels(self) -> int:
        """The picture's area."""
        return self.frame.width * self.frame.height


@dataclass(frozen=True, slots=True)
class Gathered:
    """An example, and where its pictures lie."""

    example: Example
    "Its frames without pictures."
    shown: tuple[Shown, ...]
    "The same frames, in order."


@dataclass(slots=True)
class _Votes:
    """What frames say together: the class with the largest sum of probabilities, each weighed by its picture's area."""

    sums: dict[str, float] = field(default_factory=dict)
    counts: Counter[str] = field(default_factory=Counter)
    version: str = ""

    def add(self, prediction: Prediction) -> None:
        """Count a frame; one on which the model abstains has no vote."""
        self.version = prediction.model_version
        if prediction.label is None:
            return
        self.counts[prediction.label] += 1
        pixels = prediction.statistics.width * prediction.statistics.height
        for label, probability in prediction.probabilities.items():
            self.sums[label] = self.sums.get(label, 0.0) + pixels * round(probability, 5)

    @property
    def label(self) -> str | None:
        """As in monitor.passages."""
        return heaviest(self.sums)

    @property
    def confidence(self) -> float:
        """The label's share of all sums."""
        return self.sums[self.label or ""] / total if (total := sum(self.sums.values())) else 0.0


@dataclass(slots=True)
class _Sighting:
    """A passage, or a single frame, as far as it was seen."""

    camera_id: str
    first_at: datetime
    at: datetime | None
    zone_id: str | None
    light: str
    weather: str
    last: int = -1
    votes: _Votes = field(default_factory=_Votes)
    shown: list[Shown] = field(default_factory=list)

    def add(self, prediction: Prediction, shown: Shown) -> None:
        """Frames of one camera come in their order: one that is no newer was seen before, in a replay."""
        kept = [other for other in self.shown if other.sequence != shown.sequence]
        self.shown = sorted([*kept, shown], key=lambda each: (-each.pixels, each.sequence))[:FRAMES]
        if prediction.sequence > self.last:
            self.last = prediction.sequence
            self.votes.add(prediction)
        self.at = self.at or prediction.crossed_at


class Gathering:
    """Takes what was said of frames, each camera's in order, and gives the examples of a day, or those that are wanted."""

    def __init__(
        self, calendar: Calendar, day: str | None = None, wanted: frozenset[str] | None = None, most: int = MOST
    ) -> None:
        """`day` leaves out what crossed on others, `wanted` what is not among these passages and frames.

        `most` are held at once; the one after raises ConfigurationError.
        """
        self._calendar = calendar
        self._zone = ZoneInfo(calendar.timezone)
        self._bounds = calendar.bounds(day) if day else (FIRST, LAST)
        self._wanted, self._most = wanted, most
        self._sightings: dict[str, _Sighting] = {}
        self._scenes: dict[str, tuple[str, Row]] = {}
        self._passages: dict[str, Passage] = {}
        self._challenged: dict[str, _Votes] = {}

    def predicted(self, prediction: Prediction) -> None:
        """Take what the model that served says of a frame."""
        if prediction.passage_id is None and prediction.kind != "end":
            self._scenes[prediction.camera_id] = (prediction.epoch, _scene(prediction))
        for name in self._names(prediction):
            sighting = self._sightings.get(name) or self._begin(name, prediction)
            sighting.add(prediction, _shown(prediction))

    def challenged(self, prediction: Prediction) -> None:
        """Take what the challenger says of a frame; another challenger's votes do not mix with those before."""
        for name in self._names(prediction):
            known = self._challenged.get(name)
            if known is None or known.version != prediction.model_version:
                known = self._challenged[name] = _Votes()
            known.add(prediction)

    def passed(self, passage: Passage) -> None:
        """Take the monitor's verdict on a passage."""
        if self._is_on_day(passage.crossed_at) and self._is_wanted(passage.passage_id):
            self._passages[passage.passage_id] = passage

    def examples(self) -> Iterator[Gathered]:
        """Give the day's examples, by time."""
        found = [(self._at(name, sighting), name) for name, sighting in self._sightings.items()]
        for at, name in sorted((at, name) for at, name in found if at is not None and self._is_on_day(at)):
            yield self._gathered(name, at, self._sightings[name])

    def _names(self, prediction: Prediction) -> Iterator[str]:
        """The examples that a frame belongs to: its passage, or itself; a frame that is wanted for itself, to both."""
        if prediction.kind not in CLASSIFIED or not self._is_near(prediction):
            return
        name = prediction.passage_id or prediction.frame_id
        if self._is_wanted(name):
            yield name
        if self._wanted is not None and prediction.passage_id and prediction.frame_id in self._wanted:
            yield prediction.frame_id

    def _is_wanted(self, name: str) -> bool:
        return self._wanted is None or name in self._wanted

    def _is_on_day(self, at: datetime) -> bool:
        return self._bounds[0] <= at < self._bounds[1]

    def _is_near(self, prediction: Prediction) -> bool:
        span = PASSAGE_SPAN if prediction.passage_id else timedelta(0)
        return self._bounds[0] - span <= prediction.captured_at < self._bounds[1] + span

    def _begin(self, name: str, prediction: Prediction) -> _Sighting:
        if len(self._sightings) >= self._most:
            raise ConfigurationError(
                "--camera",
                [f"there are more than {self._most} vehicles and single frames; name fewer cameras at once"],
            )
        epoch, scene = self._scenes.get(prediction.camera_id, ("", None))
        scene = scene if epoch == prediction.epoch else None
        at = prediction.captured_at if name == prediction.frame_id else None
        made = _Sighting(
            prediction.camera_id,
            prediction.captured_at,
            at,
            prediction.zone_id,
            light_of(scene),
            weather_of(scene),
        )
        self._sightings[name] = made
        return made

    def _at(self, name: str, sighting: _Sighting) -> datetime | None:
        """When it crossed; what never did is no vehicle of a day, and is given where it is wanted by name."""
        if passage := self._passages.get(name):
            return passage.crossed_at
        return sighting.at or (None if self._wanted is None else sighting.first_at)

    def _gathered(self, name: str, at: datetime, sighting: _Sighting) -> Gathered:
        shown = tuple(sorted(sighting.shown, key=lambda each: each.sequence))
        passage, challenger = self._passages.get(name), self._challenged.get(name)
        label, confidence, dissent, version = _said(passage) if passage else _counted(sighting.votes)
        zone_id = passage.zone_id if passage else sighting.zone_id
        example = Example(
            example_id=name,
            camera_id=sighting.camera_id,
            day=self._calendar.day_of(at),
            zone_id=zone_id,
            at=at,
            predicted=label,
            confidence=confidence,
            dissent=dissent,
            model_version=version,
            frames=tuple(each.frame for each in shown),
            challenged=challenger.label if challenger else None,
            scene=self._scene_of(at, zone_id, sighting),
        )
        return Gathered(example, shown)

    def _scene_of(self, at: datetime, zone_id: str | None, sighting: _Sighting) -> Mapping[str, str]:
        """The slices of a report that it falls into."""
        scene = {
            "camera": sighting.camera_id,
            "hour": hour_of(at.astimezone(self._zone).hour),
            "light": sighting.light,
            "weather": sighting.weather,
        }
        if zone_id is None:
            return scene
        largest = max(each.pixels for each in sighting.shown)
        return {**scene, "zone": f"{sighting.camera_id}/{zone_id}", "size": size_of(largest)}


def _said(passage: Passage) -> tuple[str | None, float, float, str]:
    """Verdict, its confidence, the share of frames that disagree, and who served."""
    return passage.label, passage.confidence, _dissent(passage.votes, passage.label), passage.model_version


def _counted(votes: _Votes) -> tuple[str | None, float, float, str]:
    return votes.label, round(votes.confidence, 5), _dissent(votes.counts, votes.label), votes.version


def _dissent(counts: Mapping[str, int], label: str | None) -> float:
    total = sum(counts.values())
    return 1 - counts.get(label or "", 0) / total if total else 0.0


def _shown(prediction: Prediction) -> Shown:
    seen = prediction.statistics
    frame = ExampleFrame(
        frame_id=prediction.frame_id,
        captured_at=prediction.captured_at,
        picture=b"",
        width=seen.width,
        height=seen.height,
        brightness=seen.brightness,
        contrast=seen.contrast,
        sharpness=seen.sharpness,
        noise=seen.noise,
        predicted=prediction.label,
        probabilities=prediction.probabilities,
    )
    return Shown(prediction.sequence, frame, prediction.origin)


def _scene(prediction: Prediction) -> Row:
    """A whole picture as far as it tells light and weather."""
    seen = prediction.statistics
    return Row(
        kind=prediction.kind,
        captured_us=to_us(prediction.captured_at),
        passage=None,
        crossed_us=None,
        zone_id=None,
        label=prediction.label,
        probabilities={},
        pixels=seen.width * seen.height,
        brightness=seen.brightness,
        bucket=0,
        model_version=prediction.model_version,
        contrast=seen.contrast,
    )
