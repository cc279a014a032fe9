"""A busy day of several cameras, synthetic but plausible, as its records are logged.

    vehicles, ~5 frames each ─┐                          one processor's batches
    a whole picture a minute ─┴─► frames, by time ─► cut by 256, packed by camera ─► observations
    some vehicles ─► labels: most soon, some after the day's report, some taken back
    each minute   ─► telemetry

What closes the day is apart: of each camera a whole picture and telemetry of the next day, past the lateness.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import partial
from heapq import merge
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.windows import span_us
from schemas.ids import passage_id
from schemas.records import Label, Observations, Record, Telemetry
from schemas.times import from_us, to_us
from schemas.topics import LABELS, OBSERVATIONS, TELEMETRY, Topic

START: Final = datetime(2026, 3, 2, tzinfo=UTC)
DAY_US: Final = span_us(timedelta(days=1))
MINUTE_US: Final = 60_000_000
FRAME_EVERY_US: Final = 350_000
"Between two frames of a vehicle."
CLOSES_US: Final = DAY_US + 11 * MINUTE_US
"When whole pictures are taken that close the day."
EPOCH: Final = START.isoformat()
CLASSES: Final = ("car", "truck")
ZONES: Final = ("lane-1", "lane-2")
TRUCKS, MISTAKEN = 0.15, 0.04
"Shares of the vehicles."
LATE, WITHDRAWN = 0.03, 0.02
"Shares of the labels."

Columns = dict[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Size:
    """How much happens on the day."""

    predictions: int = 1_000_000
    "Of all cameras together."
    labels: int = 10_000
    "Vehicles that are labelled."
    cameras: int = 8
    "How many."
    batch: int = 256
    "Frames that the processor takes at once."


class Logged(NamedTuple):
    """A record, and when it is logged."""

    at_us: int
    "When, microseconds since 1970."
    topic: Topic
    "Where."
    camera_id: str
    "Its key."
    record: Record
    "What."


class BusyDay:
    """One such day; the same size gives the same records."""

    def __init__(self, size: Size) -> None:
        self.size = size
        self._cameras = {f"camera-{n}": _Camera(n, size) for n in range(size.cameras)}

    def records(self) -> Iterator[Logged]:
        """All that is logged while the day lasts, in the order of time."""
        labels = (label for label in self._labels() if label.at_us < to_us(START) + CLOSES_US)
        yield from merge(self._observations(), labels, self._telemetry(), key=lambda logged: logged.at_us)

    def closing(self) -> Iterator[Logged]:
        """What closes it."""
        for name, camera in self._cameras.items():
            at_us = to_us(START) + CLOSES_US
            yield Logged(at_us + 1, OBSERVATIONS, name, camera.batch(name, camera.count, camera.count + 1))
            yield Logged(at_us + 1, TELEMETRY, name, _telemetry(name, at_us, DAY_US // MINUTE_US))

    def afterwards(self) -> Iterator[Logged]:
        """Labels that come too late for the day's report."""
        yield from (label for label in self._labels() if label.at_us >= to_us(START) + CLOSES_US)

    def _observations(self) -> Iterator[Logged]:
        """Batches in the order of time: of each camera, those of its frames that are among the next 256."""
        names = [*self._cameras]
        times = [camera.captured_us[: camera.count] for camera in self._cameras.values()]
        whose = np.repeat(np.arange(len(names)), [len(each) for each in times])
        order = whose[np.argsort(np.concatenate(times), kind="stable")]
        begun = np.zeros(len(names), int)
        for start in range(0, len(order), self.size.batch):
            ended = begun + np.bincount(order[start : start + self.size.batch], minlength=len(names))
            yield from self._packed(names, begun, ended)
            begun = ended

    def _packed(self, names: list[str], begun: NDArray[Any], ended: NDArray[Any]) -> Iterator[Logged]:
        spans = [span for span in zip(names, begun.tolist(), ended.tolist(), strict=True) if span[1] < span[2]]
        logged_us = max(int(self._cameras[name].captured_us[last - 1]) for name, _, last in spans) + 1_000_000
        for name, first, last in spans:
            yield Logged(logged_us, OBSERVATIONS, name, self._cameras[name].batch(name, first, last))

    def _labels(self) -> Iterator[Logged]:
        rng, found = np.random.default_rng(2), []
        for _ in range(self.size.labels):
            name = f"camera-{rng.integers(self.size.cameras)}"
            first, crossed_us, truth = self._cameras[name].vehicle(rng)
            label = partial(_label, name, passage_id(name, EPOCH, first))
            at_us = to_us(START) + CLOSES_US + MINUTE_US if rng.random() < LATE else crossed_us
            at_us += int(rng.integers(30, 1800)) * 1_000_000
            found.append(label(CLASSES[truth], at_us))
            if rng.random() < WITHDRAWN:
                found.append(label(None, at_us + MINUTE_US))
        yield from sorted(found, key=lambda logged: logged.at_us)

    def _telemetry(self) -> Iterator[Logged]:
        for minute in range(DAY_US // MINUTE_US):
            for n, name in enumerate(self._cameras):
                at_us = to_us(START) + minute * MINUTE_US + n * 100_000
                yield Logged(at_us + 1_000_000, TELEMETRY, name, _telemetry(name, at_us, minute))


class _Camera:
    """One camera's frames as columns, in the order of time; the last one closes the day."""

    def __init__(self, number: int, size: Size) -> None:
        self._rng = np.random.default_rng([1, number])
        beats = min(DAY_US // MINUTE_US, size.predictions // size.cameras // 10)
        frames = size.predictions // size.cameras - beats
        vehicle = np.sort(self._rng.integers(0, max(1, frames // 5), frames))
        self._frames(*self._times(vehicle, beats), vehicle)

    def _times(self, vehicle: NDArray[Any], beats: int) -> tuple[NDArray[Any], NDArray[Any]]:
        """When each frame is taken, microseconds of the day, and when its vehicle crosses; beats last, -1."""
        starts = self._rng.integers(0, DAY_US - 30_000_000, int(vehicle[-1]) + 1)
        place = np.arange(len(vehicle)) - np.searchsorted(vehicle, vehicle)
        crossed = starts[vehicle] + FRAME_EVERY_US + 1
        pictures = np.arange(beats) * (DAY_US // max(1, beats)) + self._rng.integers(0, 1_000_000)
        taken = np.concatenate([starts[vehicle] + place * FRAME_EVERY_US, pictures, [CLOSES_US]])
        return taken, np.concatenate([crossed, np.full(beats + 1, -1)])

    def _frames(self, taken: NDArray[Any], crossed: NDArray[Any], vehicle: NDArray[Any]) -> None:
        order = np.argsort(taken, kind="stable")
        number = np.concatenate([vehicle, np.full(len(taken) - len(vehicle), -1)])[order]
        self.count = len(taken) - 1
        self.captured_us = taken[order] + to_us(START)
        self._crossed_us = np.where(crossed[order] < 0, -1, crossed[order] + to_us(START))
        self._whole = number < 0
        self._crops = np.flatnonzero(~self._whole)
        self._first = self._first_frames(number)
        truths = self._rng.random(int(vehicle[-1]) + 1) < TRUCKS
        self._truth = np.where(self._whole, -1, truths[number])
        self._columns = self._said(number) | self._measured()

    def _first_frames(self, number: NDArray[Any]) -> NDArray[Any]:
        """Of each frame, the sequence of its vehicle's first one; -1 of whole pictures."""
        known, first = np.unique(number, return_index=True)
        return np.where(self._whole, -1, first[np.searchsorted(known, number)])

    def _said(self, number: NDArray[Any]) -> Columns:
        """What the model says: mostly sure and right, and of one vehicle much the same."""
        n, mistaken = len(number), self._rng.random(int(number.max()) + 1) < MISTAKEN
        doubt = self._rng.beta(0.6, 6, n) + np.where(mistaken[number], 0.55, 0.0)
        right = np.clip(1 - doubt, 0.02, 0.999).astype(np.float32)
        truck = np.where(self._truth == 1, right, 1 - right)
        probabilities = np.where(self._whole[:, None], 0.0, np.stack([1 - truck, truck], axis=1))
        label = np.where(self._whole, -1, (truck > 0.5).astype(int))
        return {"label": label, "probabilities": probabilities, "zone": np.where(self._whole, -1, number % len(ZONES))}

    def _measured(self) -> Columns:
        """Light by the hour and by the picture; whole pictures are large, crops small."""
        n, hours = self.count + 1, (self.captured_us - to_us(START)) / DAY_US * 24
        light = np.clip(70 - 60 * np.cos(hours / 24 * 2 * np.pi), 12, None)
        crop = np.where(self._whole, 0, 1)
        stages = {name: self._rng.lognormal(mean, 0.4, n) for name, mean in STAGES.items()}
        return stages | {
            "brightness": light + self._rng.normal(0, 2 + 18 * crop, n),
            "contrast": 8 + light / 4 + self._rng.normal(0, 0.7 + 4 * crop, n) ** 2,
            "sharpness": 60 + light * 6 + self._rng.normal(0, 8 + 60 * crop, n) ** 2,
            "noise": 5 - light / 40 + self._rng.random(n),
            "width": np.where(self._whole, 1280, self._rng.integers(60, 240, n)),
            "height": np.where(self._whole, 720, self._rng.integers(50, 180, n)),
            "latency_ms": sum(stages.values()) + self._rng.lognormal(1, 0.5, n),
        }

    def _sketches(self, first: int, last: int) -> tuple[bytes, ...]:
        return tuple(self._sketch(n) if self._whole[n] else b"" for n in range(first, last))

    def _sketch(self, n: int) -> bytes:
        """The same view, in the light of the hour, with grain."""
        view, grain = np.random.default_rng(7).normal(0, 12, 144), np.random.default_rng([8, n]).normal(0, 1, 144)
        return bytes(np.clip(self._columns["brightness"][n] + view + grain, 0, 255).astype(np.uint8))

    def batch(self, name: str, first: int, last: int) -> Observations:
        """Frames, by their sequence, as the processor packs them."""
        columns = {column: values[first:last].ravel().tolist() for column, values in self._columns.items()}
        at, crossed = self.captured_us[first:last].tolist(), self._crossed_us[first:last].tolist()
        return Observations(
            camera_id=name,
            epoch=EPOCH,
            model_version="benchmark",
            topic="frames",
            partition=0,
            classes=CLASSES,
            zones=ZONES,
            offsets=tuple(range(first, last)),
            sequences=tuple(range(first, last)),
            kinds=tuple("heartbeat" if whole else "vehicle" for whole in self._whole[first:last]),
            captured_at=tuple(map(from_us, at)),
            crossed_at=tuple(from_us(c) if 0 <= c <= t else None for c, t in zip(crossed, at, strict=True)),
            passage=tuple(self._first[first:last].tolist()),
            sketch=self._sketches(first, last),
            **{column: tuple(values) for column, values in columns.items()},
        )

    def vehicle(self, rng: np.random.Generator) -> tuple[int, int, int]:
        """Any vehicle: the sequence of its first frame, when it crosses, and what it is."""
        n = rng.choice(self._crops)
        return int(self._first[n]), int(self._crossed_us[n]), int(self._truth[n])


STAGES: Final = {"queue_ms": 1.5, "decode_ms": 0.3, "inference_ms": 1.2}
"Means of the logarithms."


def _label(name: str, thing: str, truth: str | None, at_us: int) -> Logged:
    said = truth or "withdrawn"
    label = Label(f"{said}:{thing}", name, None, thing, truth, "person", 1.0, from_us(at_us), None)
    return Logged(at_us + 1_000_000, LABELS, name, label)


def _telemetry(name: str, at_us: int, count: int) -> Telemetry:
    rng = np.random.default_rng(at_us)
    warmth, pressure, *field = rng.normal((25.0, 1013.0, 20.0, 5.0, 40.0), (0.4, 0.1, 0.3, 0.3, 0.3)).round(2).tolist()
    return Telemetry(name, from_us(at_us), "running", warmth, pressure, tuple(field), 1500 * count, 80 * count, {}, 0)
