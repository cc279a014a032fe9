"""A small world for the monitor: cameras whose vehicles and labels are known, and a bus without Kafka."""

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from monitor.cameras import Policy
from monitor.folding import take_label, take_observations
from monitor.merging import take_camera_day, take_settled, waiting_until
from monitor.outcomes import Outcome, Position
from monitor.rules.table import shipped_rules
from monitor.windows import Calendar
from schemas.codec import Codec
from schemas.ids import frame_id, passage_id
from schemas.observations import pack
from schemas.records import (
    CameraDay,
    Label,
    Observations,
    Origin,
    Prediction,
    Record,
    Statistics,
    Timings,
)
from schemas.topics import CAMERA_DAYS, LABELS, OBSERVATIONS

START = datetime(2026, 3, 2, tzinfo=UTC)
NOW = datetime(2026, 4, 1, tzinfo=UTC)
CLASSES = ("car", "truck")
RULES = shipped_rules(min_accuracy=0.6, min_labels=10)


def milliseconds(at: datetime) -> int:
    """Since 1970."""
    return round(at.timestamp() * 1000)


def policy(**changes: object) -> Policy:
    """Days in UTC, little lateness, no waiting for labels, unless told otherwise."""
    values: dict[str, object] = {
        "calendar": Calendar("UTC"),
        "lateness": timedelta(minutes=10),
        "label_patience": timedelta(0),
        "passage_timeout": timedelta(seconds=15),
        "max_skew": timedelta(minutes=5),
    }
    return Policy(**(values | changes))  # type: ignore[arg-type]


def prediction(camera: str, sequence: int, at: datetime, **changes: object) -> Prediction:
    """A frame's prediction: a car by 0.9, unless told otherwise."""
    label = changes.pop("label", "car")
    confidence = changes.pop("confidence", 0.9)
    values: dict[str, object] = {
        "frame_id": frame_id(camera, "e", sequence),
        "camera_id": camera,
        "epoch": "e",
        "sequence": sequence,
        "kind": "vehicle",
        "captured_at": at,
        "zone_id": "lane",
        "passage_id": None,
        "crossed_at": None,
        "label": label,
        "confidence": confidence if label else None,
        "probabilities": _probabilities(label, confidence) if label else {},
        "model_version": "v1",
        "statistics": Statistics(changes.pop("brightness", 120.0), 30.0, 50.0, 64, 64),  # type: ignore[arg-type]
        "timings": Timings(1.0, 1.0, 1.0, 10.0),
        "origin": Origin("frames", 0, sequence),
    }
    return Prediction(**(values | changes))  # type: ignore[arg-type]


def _probabilities(label: object, confidence: object) -> dict[str, float]:
    assert isinstance(confidence, float)
    return {name: confidence if name == label else 1 - confidence for name in CLASSES}


def heartbeat(camera: str, sequence: int, at: datetime, brightness: float = 120.0) -> Prediction:
    """A sign of life."""
    return prediction(camera, sequence, at, kind="heartbeat", zone_id=None, label=None, brightness=brightness)


def end(camera: str, sequence: int, at: datetime) -> Prediction:
    """The end of a camera's source."""
    return prediction(camera, sequence, at, kind="end", zone_id=None, label=None)


def passage(camera: str, first: int, at: datetime, labels: Iterable[str], confidence: float = 0.9) -> list[Prediction]:
    """A vehicle's frames, one each second; it crosses at the second."""
    crossed_at = at + timedelta(seconds=1)
    return [
        prediction(
            camera,
            first + i,
            at + timedelta(seconds=i),
            label=label,
            confidence=confidence,
            passage_id=passage_id(camera, "e", first),
            crossed_at=crossed_at if i else None,
        )
        for i, label in enumerate(labels)
    ]


def label_of(camera: str, first: int, truth: str, at: datetime) -> Label:
    """The label of a passage."""
    thing = passage_id(camera, "e", first)
    return Label(f"l:{thing}", camera, None, thing, truth, "test", 1.0, at, None)


def frame_label_of(camera: str, sequence: int, truth: str, at: datetime) -> Label:
    """The label of a frame."""
    thing = frame_id(camera, "e", sequence)
    return Label(f"l:{thing}", camera, thing, None, truth, "test", 1.0, at, None)


def promise(camera: str, until: datetime) -> Label:
    """A promise that labels are complete."""
    return Label(f"promise:{until}", camera, None, None, None, "test", 1.0, until, until)


@dataclass(slots=True)
class Bus:
    """The monitor's partition of a cluster, without the cluster."""

    rules: Policy = field(default_factory=policy)
    values: dict[str, bytes] = field(default_factory=dict)
    merger: dict[str, bytes] = field(default_factory=dict)
    sent: list[Record] = field(default_factory=list)
    counts: dict[str, int] = field(default_factory=dict)
    camera_days: int = 0
    codec: Codec = field(default_factory=Codec)

    def observe(
        self, predictions: Iterable[Prediction], offset: int, logged_at: datetime = NOW, labels_read: bool = True
    ) -> Outcome:
        """Take a batch in."""
        outcomes = [self.batch(batch, offset, logged_at, labels_read) for batch in pack(predictions, CLASSES)]
        return outcomes[-1]

    def batch(self, batch: Observations, offset: int, logged_at: datetime = NOW, labels_read: bool = True) -> Outcome:
        """Take one record of observations in."""
        at = Position(OBSERVATIONS.name, offset, milliseconds(logged_at), labels_read)
        return self._apply(take_observations(self.rules, self.values, batch, at))

    def label(self, label: Label, offset: int, logged_at: datetime = NOW - timedelta(seconds=1)) -> Outcome:
        """Take a label in."""
        at = Position(LABELS.name, offset, milliseconds(logged_at))
        return self._apply(take_label(self.rules, self.values, label, at))

    def _apply(self, outcome: Outcome) -> Outcome:
        for place, record in enumerate(outcome.outputs):
            self.sent.append(record)
            if isinstance(record, CameraDay):
                self.hand_in(record, outcome.logged_ms[place])
        write(self.values, outcome)
        for name, count in outcome.counts.items():
            self.counts[name] = self.counts.get(name, 0) + count
        return outcome

    def hand_in(self, camera_day: CameraDay, logged_ms: int = 0) -> Outcome:
        """Give a camera-day to the merger, and let it report what is due."""
        position = Position(CAMERA_DAYS.name, self.camera_days, logged_ms)
        self.camera_days += 1
        write(self.merger, take_camera_day(self.merger, self.codec, camera_day, position))
        return self.settle()

    def settle(self) -> Outcome:
        """Let the merger report what is due."""
        outcome = take_settled(RULES, self.codec, self.merger, waiting_until(self.merger) or 0)
        self.sent.extend(outcome.outputs)
        write(self.merger, outcome)
        return outcome

    def of(self, kind: type[Record]) -> list[Record]:
        """What was sent of a kind."""
        return [record for record in self.sent if isinstance(record, kind)]

    def closed(self) -> list[CameraDay]:
        """Camera-days handed in."""
        return [record for record in self.sent if isinstance(record, CameraDay) and record.revision]


def write(values: dict[str, bytes], outcome: Outcome) -> None:
    """Apply an outcome's writes to a table."""
    for key, value in outcome.writes.items():
        if value is None:
            values.pop(key, None)
        else:
            values[key] = value


@dataclass(frozen=True, slots=True)
class Traffic:
    """One camera's stream over some days, and its labels."""

    predictions: list[Prediction]
    labels: list[Label]


def traffic(camera: str, days: int, seed: int, wrong: float = 0.1, every: timedelta = timedelta(minutes=20)) -> Traffic:
    """Vehicles and heartbeats over whole days, each vehicle labelled; `wrong` is the share misjudged."""
    rng = random.Random(f"{camera}{seed}")
    predictions: list[Prediction] = []
    labels: list[Label] = []
    at = START + timedelta(seconds=rng.randrange(60))
    while at < START + timedelta(days=days):
        _vehicle(rng, camera, at, wrong, predictions, labels)
        predictions.append(heartbeat(camera, len(predictions), at + timedelta(minutes=5)))
        at += every
    ending = START + timedelta(days=days)
    predictions.append(end(camera, len(predictions), ending))
    return Traffic(predictions, [*labels, promise(camera, ending)])


def _vehicle(
    rng: random.Random, camera: str, at: datetime, wrong: float, predictions: list[Prediction], labels: list[Label]
) -> None:
    truth, first = rng.choice(CLASSES), len(predictions)
    seen = truth if rng.random() >= wrong else CLASSES[1 - CLASSES.index(truth)]
    votes = [seen, seen, rng.choice(CLASSES), seen]
    predictions += passage(camera, first, at, votes, round(rng.uniform(0.8, 1.0), 4))
    labels.append(label_of(camera, first, truth, at + timedelta(seconds=1)))
    if rng.random() < 0.2:
        labels.append(promise(camera, at))


def batches(rng: random.Random, predictions: list[Prediction]) -> Iterator[list[Prediction]]:
    """A stream cut into batches of 1 to 40."""
    at = 0
    while at < len(predictions):
        size = rng.randint(1, 40)
        yield predictions[at : at + size]
        at += size
