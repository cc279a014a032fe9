"""Every figure of every day's report is what an independent batch program makes of the same records."""

import math
import random
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any, Final

import pytest

from monitor.cameras import Policy
from monitor.offline import OfflineMonitor
from monitor.windows import Calendar
from schemas import records
from schemas.ids import frame_id, parse_id, passage_id
from schemas.observations import pack
from schemas.records import (
    DayReport,
    FrameKind,
    Label,
    Observations,
    Prediction,
    Record,
    SignalScores,
    Statistics,
    Telemetry,
    Timings,
)
from tests.monitor.world import RULES, prediction
from tests.support.batch import Figures, Terms, recomputed

CLASSES = ("bus", "car", "truck")
SECOND, MINUTE, HOUR, DAY = timedelta(seconds=1), timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
MIDNIGHTS = tuple(datetime(2026, 3, 27 + i, 23 - (i > 1), tzinfo=UTC) for i in range(5))
"In Berlin, from 28 March on; on the day after that, clocks go from two to three."
SEEDS = (0, 2, 6)
"Their slices and estimates are found out now at once, now by labels of several days, now never."
EVERY = 20 * MINUTE
"Between two whole pictures."
WEIGHTS: Final = {"south": (1.0, 4.0, 12.5), "west": (3.0,)}
"How many vehicles labels stand for, in turn, where they do not stand for themselves alone."
KNOWN, STRANGE = 0.8, 0.05
"The share of vehicles that the model knows: where it was trained, and where it was not."
MISTAKEN: Final = {"bus": (0, 1, 0), "car": (1, 1, 4), "truck": (0, 1, 0)}
"What the model takes strange vehicles for: weights of classes, by what is true. They leave the mix of classes as it is."
BLIND: Final = {
    "north/left": (MIDNIGHTS[0], 1.0),
    "north/right": (MIDNIGHTS[2], 1.0),
    **dict.fromkeys(("south/left", "south/right"), (MIDNIGHTS[2], 1.0)),
    **dict.fromkeys(("east/left", "east/right"), (MIDNIGHTS[2], 0.8)),
}
"From when on a zone's vehicles are strange, and how sure the model is of them at most."
HAZY: Final = {"south": 0.5, "north": 0.7}
"What is left of contrast from the third day on."
TERMS = Terms("Europe/Berlin", 10 * MINUTE, 6 * HOUR, 15 * SECOND, 5 * MINUTE, 20 * HOUR, 15 * MINUTE, {"loop": 0.5})

LEFT_OUT: Final = {
    "DayReport.changes": "prose",
    "DayReport.alerts": "rules decide; tests/monitor/rules has them",
    "CameraScores.findings": "detectors decide; test_signals, test_integrity and test_devices have them",
}
"Fields that the batch program does not compute, and why."

BUCKET, FIFTIETH = {"rel": 0.02, "abs": 0.01}, {"rel": 0.0, "abs": 0.02}
"Latencies are counted in buckets of 2 %, from .01 ms on; confidences in fiftieths."
SETTLED: Final = {"rel": 0.0, "abs": 1e-6}
"The day's mix is iterated until a step changes less than 1e-8 of it; the batch program looks for where it leads."
IN_PROSE: Final = {"rel": 0.0, "abs": 0.06}
"Told with one digit after the point, of chances that are rounded down to a ten-thousandth."
ROUGH: Final = {
    **{f"Scores.latency_p{part}_ms": BUCKET for part in (50, 95, 99)},
    **{f"StageScores.p{part}_ms": BUCKET for part in (50, 95, 99)},
    **dict.fromkeys(("Reliability.confidence", "DayReport.calibration_error"), FIFTIETH),
    **{f"EstimatedAccuracy.{name}": SETTLED for name in ("accuracy", "low", "high", "class_mix")},
    "EstimatedAccuracy.breaks": IN_PROSE,
}
"Fields that are exact to their bucket, to their last step or to their last digit."
EXACT: Final = {"rel": 1e-9, "abs": 1e-9}
"Sums of floats differ in their last digits with their order."


# The stream


@dataclass(slots=True)
class Road:
    """One camera's frames and labels in the making."""

    camera: str
    "Its name."
    rng: random.Random
    "All chance."
    behind: timedelta
    "Between event time and the log."
    sent: list[tuple[datetime, Prediction]] = field(default_factory=list)
    "Frames, each with when it came."
    labels: list[tuple[datetime, Label]] = field(default_factory=list)
    "Likewise."
    epoch: str = "a"
    "The run of frames."
    sequence: int = 0
    "Of the next frame."
    sure: set[tuple[str, int]] = field(default_factory=set)
    "Epoch and sequence of the frames that come soon."

    def chance(self, share: float) -> bool:
        """Whether something happens that happens so often."""
        return self.rng.random() < share

    def frame(self, at: datetime, kind: FrameKind, **changes: Any) -> Prediction:
        """Push a frame; some come late, some twice, some never."""
        name = frame_id(self.camera, self.epoch, self.sequence)
        made = prediction(self.camera, self.sequence, at, epoch=self.epoch, frame_id=name, kind=kind, label=None)
        made = replace(made, zone_id=None, model_version="v1" if at < MIDNIGHTS[0] + 12 * HOUR else "v2")
        made = replace(made, **changes)
        self.sequence += 1
        times = self.rng.choices((1, 2, 0), (0.94, 0.03, 0.03))[0] if kind in ("vehicle", "sample") else 1
        sent = [(at + self._underway(), made) for _ in range(times)]
        self.sent += sent
        self.sure |= {(made.epoch, made.sequence) for when, _ in sent if when - at < 5 * MINUTE}
        return made

    def _underway(self) -> timedelta:
        longest = self.rng.choices((2 * SECOND, 3 * MINUTE, 20 * HOUR), (0.93, 0.05, 0.02))[0]
        return self.rng.random() * longest

    def picture(self, at: datetime) -> None:
        """A whole picture: of some, the model says what it shows."""
        night = at.hour < 5 or at.hour > 19
        brightness = round(self.rng.gauss(45 if night else 110, 15), 1)
        haze = HAZY.get(self.camera, 1.0) if at >= MIDNIGHTS[2] else 1.0
        contrast, sharpness = round(haze * self.rng.uniform(10, 60), 1), round(self.rng.uniform(20, 400), 1)
        values = Statistics(brightness, contrast, sharpness, 640, 360, round(self.rng.uniform(1, 5), 2))
        kind: FrameKind = "sample" if self.chance(0.2) else "heartbeat"
        made = self.frame(at, kind, statistics=values, **(self.said("car") if kind == "sample" else {}))
        if kind == "sample":
            self.say(at, "frame", made.sequence)

    def said(self, truth: str, knows: float = KNOWN, sure_at_most: float = 1.0) -> dict[str, Any]:
        """What the model says of a frame: mostly the truth, sometimes nothing."""
        weights = MISTAKEN[truth] if knows == STRANGE else (1, 1, 1)
        first = truth if self.chance(knows) else self.rng.choices(CLASSES, weights)[0]
        sure = round(self.rng.uniform(0.4, sure_at_most), 4)
        second = round((1 - sure) * self.rng.random(), 4)
        others = [name for name in CLASSES if name != first]
        probabilities = dict(zip((first, *others), (sure, second, round(1 - sure - second, 4)), strict=True))
        label = max(probabilities, key=lambda name: probabilities[name])
        known = probabilities[label] > 0.5
        return {
            "label": label if known else None,
            "confidence": probabilities[label] if known else None,
            "probabilities": probabilities,
            "timings": self.timings(),
        }

    def timings(self) -> Timings:
        """Of a frame."""
        parts = [round(self.rng.lognormvariate(mean, 0.7), 3) for mean in (1.5, 0.2, 1, 2)]
        return Timings(*parts[:3], total_ms=sum(parts))

    def vehicle(self, at: datetime) -> None:
        """A passage of up to seven frames, most of which cross."""
        truth, first, size = self.rng.choices(CLASSES, [1, 6, 4])[0], self.sequence, self.rng.uniform(20, 130)
        count, zone = self.rng.randint(1, 7), self.rng.choice(("left", "right"))
        crossing = self.rng.randrange(count) if self.chance(0.93) else count
        crossed_at = at + crossing * SECOND - timedelta(milliseconds=self.rng.randint(1, 900))
        for i in range(count):
            side = round(size * self.rng.uniform(0.8, 1.3))
            self.frame(
                at + i * SECOND,
                "vehicle",
                zone_id=zone,
                passage_id=passage_id(self.camera, self.epoch, first),
                crossed_at=crossed_at if i >= crossing else None,
                statistics=Statistics(round(self.rng.uniform(40, 200), 1), 30.0, 50.0, side, side),
                **self.said(truth, *self.knowledge(at, zone)),
            )
            if self.chance(0.04):
                self.say(at, "frame", first + i)
        self.say(at, "passage", first, truth)

    def knowledge(self, at: datetime, zone: str) -> tuple[float, float]:
        """How much the model knows of vehicles, and how sure it is at most."""
        since, sure_at_most = BLIND.get(f"{self.camera}/{zone}", (at, 1.0))
        return (STRANGE, sure_at_most) if at > since else (KNOWN, 1.0)

    def say(self, at: datetime, what: str, number: int, truth: str = "car") -> None:
        """Label something: once, anew, by others, or not at all; a few labels are of what never was, or a day too early."""
        number += 50_000 if self.chance(0.02) else 0
        at -= DAY if self.chance(0.02) and at > MIDNIGHTS[1] + DAY else timedelta(0)
        for source, share in (("csv", 0.6), ("loop", 0.25), ("ann", 0.1)):
            if self.chance(share):
                self.words(at, what, number, source, truth)

    def words(self, at: datetime, what: str, number: int, source: str, truth: str) -> None:
        """A source's words on a thing: the first, some corrections, some withdrawals; some are sent twice.

        What may never be seen is labelled on its day.
        """
        last = min(midnight for midnight in MIDNIGHTS if midnight > at) - SECOND
        labels: list[str | None] = [truth if self.chance(0.9) else self.rng.choice(CLASSES)]
        labels += [self.rng.choice((*CLASSES, None))] if self.chance(0.15) else []
        for label in labels:
            at += self.rng.random() * self.rng.choices((HOUR, DAY), (0.9, 0.1))[0]
            at = at if (self.epoch, number) in self.sure else min(at, last)
            word = self.word(at, what, number, label, source)
            self.labels += [(at + self._late(), word) for _ in range(2 if self.chance(0.1) else 1)]

    def _late(self) -> timedelta:
        return self.rng.random() * self.rng.choices([MINUTE, 12 * HOUR, 4 * DAY], [0.85, 0.1, 0.05])[0]

    def word(self, at: datetime, what: str, number: int, label: str | None, source: str) -> Label:
        """A label."""
        frame = frame_id(self.camera, self.epoch, number) if what == "frame" else None
        passage = passage_id(self.camera, self.epoch, number) if what == "passage" else None
        name = f"{source} {frame or passage} {at}"
        return Label(name, self.camera, frame, passage, label, source, 1.0, at, None)

    def promise(self, until: datetime) -> None:
        """Labels are complete."""
        word = Label(f"until {until}", self.camera, None, None, None, "csv", 1.0, until, until)
        self.labels.append((until + 3 * HOUR, word))

    def travel(self, at: datetime, until: datetime) -> None:
        """Everything between two times; one vehicle passes at each midnight."""
        crossings = [midnight - 2 * SECOND for midnight in MIDNIGHTS[1:]]
        while at < until:
            self.picture(at)
            times = [at + self.rng.uniform(20, 1100) * SECOND for _ in range(self.rng.choice((0, 1, 2)))]
            times += [each for each in crossings if at < each <= at + EVERY]
            for each in sorted(times):
                self.vehicle(each)
            at += EVERY

    def batches(self) -> Iterator[tuple[datetime, Record]]:
        """Frames in the order in which they came, by up to 40."""
        left = sorted(self.sent, key=lambda sent: sent[0])
        while left:
            part, left = left[: (size := self.rng.randint(1, 40))], left[size:]
            for batch in pack([made for _, made in part], CLASSES):
                yield part[-1][0] + self.behind, batch

    def logged(self) -> Iterator[tuple[datetime, Record]]:
        """All of it."""
        yield from self.batches()
        yield from ((at + self.behind, label) for at, label in self.labels)


def north(rng: random.Random) -> Iterator[tuple[datetime, Record]]:
    """Promises labels each day; a frame from the future is not believed."""
    road = Road("north", rng, timedelta(0))
    road.travel(MIDNIGHTS[0], MIDNIGHTS[3] + MINUTE)
    for midnight in MIDNIGHTS[1:]:
        road.promise(midnight)
    road.frame(MIDNIGHTS[3] + 2 * MINUTE, "end")
    yield from road.logged()
    future = replace(road.sent[0][1], captured_at=MIDNIGHTS[3] + DAY)
    yield from ((MIDNIGHTS[1], batch) for batch in pack([future], CLASSES))


def south(rng: random.Random) -> Iterator[tuple[datetime, Record]]:
    """Hours behind, without promises; starts anew on the second day, and breaks off without an end."""
    road = Road("south", rng, 5 * HOUR)
    road.travel(MIDNIGHTS[0], MIDNIGHTS[1] + 9 * HOUR)
    road.epoch, road.sequence = "b", 0
    road.travel(MIDNIGHTS[1] + 10 * HOUR, MIDNIGHTS[3])
    yield from road.logged()


def west(rng: random.Random) -> Iterator[tuple[datetime, Record]]:
    """Ends on the second day."""
    road = Road("west", rng, MINUTE)
    road.travel(MIDNIGHTS[0], MIDNIGHTS[1] + 20 * HOUR)
    road.promise(MIDNIGHTS[1])
    road.promise(MIDNIGHTS[2])
    road.frame(MIDNIGHTS[1] + 21 * HOUR, "end")
    yield from road.logged()


def east(rng: random.Random) -> Iterator[tuple[datetime, Record]]:
    """An older processor, which measures less; labels of the first day alone are promised."""
    road = Road("east", rng, 2 * SECOND)
    road.travel(MIDNIGHTS[0], MIDNIGHTS[3] + MINUTE)
    road.promise(MIDNIGHTS[1])
    road.frame(MIDNIGHTS[3] + 2 * MINUTE, "end")
    for at, record in road.logged():
        less = {"noise": (), "sketch": (), "queue_ms": (), "decode_ms": (), "inference_ms": ()}
        yield at, replace(record, **less) if isinstance(record, Observations) else record  # type: ignore[arg-type]


def device(camera: str, rng: random.Random) -> Iterator[tuple[datetime, Record]]:
    """Speaks each twenty minutes, now and then late or nonsense; its process begins anew on the second day."""
    counts = {"pictures": 0, "frames": 0, "reconnects": 0}
    dropped: dict[str, int] = {}
    for i in range(3 * 71):
        at = MIDNIGHTS[0] + i * EVERY + rng.random() * MINUTE
        if i == 100:
            counts, dropped = dict.fromkeys(counts, 0), {}
        counts = {name: n + rng.randint(0, 50) for name, n in counts.items()}
        dropped = {"queue": dropped.get("queue", 0) + rng.randint(0, 2)} if i % 100 > 9 else {}
        told = Telemetry(
            camera_id=camera,
            measured_at=at,
            state="ended" if i == 3 * 71 - 1 else rng.choice(("running", "running", "stalled")),
            temperature_c=rng.choice((round(rng.gauss(30, 4), 1), None, math.nan if i % 50 == 1 else 20.0)),
            pressure_hpa=round(rng.gauss(1000, 9), 1) if camera == "north" else None,
            magnetometer_ut=(rng.gauss(20, 1), rng.gauss(5, 1), rng.gauss(40, 1)) if i % 3 else (),
            **counts,
            dropped=dict(dropped),
        )
        late = rng.choices((SECOND, rng.random() * HOUR, rng.random() * DAY), (0.9, 0.07, 0.03))[0]
        yield at + (late if told.state != "ended" else SECOND), told
    yield MIDNIGHTS[1], replace(told, measured_at=MIDNIGHTS[2])


def weighed(record: Record) -> Record:
    """A label with the weight of its thing; the loop knows of none."""
    if not isinstance(record, Label) or record.source == "loop" or record.camera_id not in WEIGHTS:
        return record
    name, weights = record.passage_id or record.frame_id, WEIGHTS[record.camera_id]
    return replace(record, weight=weights[parse_id(name).sequence % len(weights)]) if name else record


@cache
def stream(seed: int, has_weights: bool = False) -> tuple[tuple[datetime, Record], ...]:
    """All records in the order of the log."""
    if has_weights:
        return tuple((at, weighed(record)) for at, record in stream(seed))
    parts = [list(road(random.Random(f"{road.__name__}{seed}"))) for road in (north, south, east, west)]
    parts += [list(device(camera, random.Random(f"{camera}{seed}"))) for camera in ("north", "south", "west")]
    return tuple(sorted((logged for part in parts for logged in part), key=lambda logged: logged[0]))


# What the monitor makes of it


def policy() -> Policy:
    """The monitor's terms."""
    return Policy(
        calendar=Calendar(TERMS.timezone),
        lateness=TERMS.lateness,
        label_patience=TERMS.patience,
        passage_timeout=TERMS.timeout,
        max_skew=TERMS.max_skew,
        label_horizon=TERMS.horizon,
        revise_every=TERMS.every,
        trust=tuple(TERMS.trust.items()),
    )


@cache
def monitored(seed: int, has_weights: bool = False) -> tuple[dict[str, DayReport], Mapping[str, int]]:
    """Each day's newest report, and what was counted on the way."""
    monitor, sent = OfflineMonitor(policy(), RULES), []
    for at, record in stream(seed, has_weights):
        if isinstance(record, Label):
            sent += monitor.label(record, at)
        elif isinstance(record, Telemetry):
            sent += monitor.telemetry(record, at)
        elif isinstance(record, Observations):
            sent += monitor.observations(record, at)
    sent += monitor.finish()
    return {record.day: record for record in sent if isinstance(record, DayReport)}, monitor.counts


# Field by field


FIGURE: Final = re.compile(r"\d+(?:\.\d+)?")
"In prose."


def broken(prose: str) -> list[float]:
    """Labelled, right, expected, and labels that were enough: what the prose of `breaks` says; empty without any."""
    figures = [float(each) for each in FIGURE.findall(prose)]
    return [figures[place] for place in (0, 1, 3, 5)] if figures else []


READ: Final = {"EstimatedAccuracy.breaks": broken}
"Fields of prose whose figures are compared."


def differences(told: Any, computed: Any, path: str, close: Mapping[str, float] = EXACT) -> Iterator[str]:
    """Where the two are not the same, walking down dataclasses, tuples and mappings."""
    if is_dataclass(told) and computed is not None:
        yield from _of_fields(told, computed, path)
    elif isinstance(told, tuple | list) and len(told) == len(computed):
        for i, (one, other) in enumerate(zip(told, computed, strict=True)):
            yield from differences(one, other, f"{path}[{i}]", close)
    elif isinstance(told, dict) and told.keys() == computed.keys():
        for name in told:
            yield from differences(told[name], computed[name], f"{path}[{name}]", close)
    elif not _is_same(told, computed, close):
        yield f"{path}: {told!r} is told, {computed!r} is computed"


def _of_fields(told: Any, computed: Figures, path: str) -> Iterator[str]:
    for name, place in ((each.name, f"{type(told).__name__}.{each.name}") for each in fields(told)):
        if place in LEFT_OUT:
            continue
        if name not in computed:
            yield f"{path}.{name}: {place} is not computed"
        else:
            value = READ.get(place, _as_it_is)(getattr(told, name))
            yield from differences(value, computed[name], f"{path}.{name}", ROUGH.get(place, EXACT))


def _as_it_is(told: Any) -> Any:
    return told


def _is_same(told: Any, computed: Any, close: Mapping[str, float]) -> bool:
    is_float = isinstance(told, float) and computed is not None
    return bool(told == (pytest.approx(computed, **close) if is_float else computed))


@pytest.mark.parametrize("has_weights", [False, True])
@pytest.mark.parametrize("seed", SEEDS)
def test_every_figure_of_every_report_is_exact(seed: int, has_weights: bool) -> None:
    """Whatever comes late, twice, in disorder or never: the last revision says what all records together say."""
    reports, computed = monitored(seed, has_weights)[0], recomputed(TERMS, stream(seed, has_weights))
    assert [*differences(reports, computed, "report")] == []


def test_labels_of_some_cameras_and_days_stand_for_different_numbers_of_vehicles() -> None:
    """Of others for the same: their reports are those of labels without weights."""
    scores = [camera.scores for report in monitored(0, has_weights=True)[0].values() for camera in report.cameras]
    assert {len(each.weighted) for each in scores} == {0, 2, 3}
    assert {each.effective is None for each in scores} == {True, False}


def test_the_stream_has_what_could_go_wrong() -> None:
    """Whatever the batch program has a rule for; hour two is missing where clocks go on, and west on the last day."""
    reports, counts = monitored(0)
    assert sorted(reports) == ["2026-03-28", "2026-03-29", "2026-03-30", "2026-03-31"]
    assert all(counts[name] for name in ("late_frames", "late_passage_frames", "future_frames", "forgotten_labels"))
    assert all(counts[name] for name in ("refused_telemetry", "future_telemetry", "late_telemetry"))
    changed = reports["2026-03-29"]
    assert changed.labels.keys() >= {"from ann", "from csv", "late", "contradicted", "withdrawn", "unmatched"}
    hours = [each.value for each in changed.slices if each.dimension == "hour"]
    assert hours == [f"{hour:02}" for hour in range(24) if hour != 2]
    values = {each.value for each in changed.slices}
    assert values >= {"dark", "dim", "bright", "veiled", "clear", "night", "small", "medium", "large", "north/left"}
    assert reports["2026-03-30"].absent == ("west",)
    assert reports["2026-03-28"].model_versions == ("v1", "v2")


def test_the_stream_has_what_tests_and_bets_find() -> None:
    """Signals that differ, slices that fall behind, estimates that labels break: not on all days, nor on one day alone."""
    reports = monitored(2)[0]
    assert {score.differs for score in _signals(reports.values())} == {True, False}
    assert {score.p is None for score in _signals(reports.values())} == {True, False}
    found = {day: [each.value for each in report.slices if each.discovered] for day, report in reports.items()}
    assert found["2026-03-28"] == ["north/left"]
    assert found["2026-03-29"] == ["north", "north/left"]
    broken = [bool(report.estimate.breaks) for report in reports.values() if report.estimate]
    assert broken == [False, False, True, True]


def _signals(reports: Iterable[DayReport]) -> list[SignalScores]:
    return [score for report in reports for camera in report.cameras for score in camera.signals]


def test_a_figure_that_is_off_is_found() -> None:
    """And one that nobody computes."""
    told = monitored(0)[0]["2026-03-28"].scores
    computed = {each.name: getattr(told, each.name) for each in fields(told)} | {"classes": [], "confusion": []}
    less = {name: value for name, value in computed.items() if name != "frames"}
    found = [*differences(replace(told, passages=7, classes=(), confusion=()), less, "scores")]
    assert [each.partition(":")[0] for each in found] == ["scores.frames", "scores.passages"]


def test_only_fields_are_left_out() -> None:
    """What is gone, or has another name, is no longer excused."""
    kinds = [kind for kind in vars(records).values() if is_dataclass(kind)]
    known = {f"{kind.__name__}.{each.name}" for kind in kinds for each in fields(kind)}
    assert known >= {*LEFT_OUT, *ROUGH}
