"""A rich day's report and quiet days before it, made in code: four cameras, fog over one of them, a clock that goes wrong."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Literal
from zoneinfo import ZoneInfo

from models.evaluation import wilson_interval
from schemas.ids import frame_id
from schemas.records import (
    AlertLine,
    CameraScores,
    Cell,
    ClassScores,
    DayReport,
    DeviceDay,
    EstimatedAccuracy,
    Finding,
    Interval,
    Reliability,
    Scores,
    SensorDay,
    SignalScores,
    SliceScores,
    StageScores,
    WorstFrame,
)
from schemas.times import to_us

BERLIN = ZoneInfo("Europe/Berlin")
MONDAY = date(2026, 11, 23)
VERSION = "road-2026.11-0780ebb9"
CAMERAS = {
    "bridge": (96, 2, 1, 61),
    "gate-north": (88, 31, 14, 47),
    "gate-south": (104, 1, 3, 58),
    "tunnel": (0, 0, 0, 0),
}
"Cars right, cars called trucks, trucks called cars, trucks right."

Counts = tuple[int, int, int, int]


def a_report(day: date = MONDAY, cameras: dict[str, Counts] | None = None, **changes: Any) -> DayReport:
    """A day in Berlin; `changes` take the place of its fields."""
    counts = CAMERAS if cameras is None else cameras
    total = _summed(counts.values())
    starts = datetime.combine(day, time(), BERLIN).astimezone(UTC)
    made = DayReport(
        day=f"{day}",
        timezone="Europe/Berlin",
        revision=1,
        starts_at=starts,
        ends_at=datetime.combine(day + timedelta(days=1), time(), BERLIN).astimezone(UTC),
        scores=_scores(total),
        cameras=tuple(CameraScores(name, _scores(each), ()) for name, each in counts.items()),
        absent=(),
        model_versions=(VERSION,),
        intervals=tuple(_intervals(total)),
        estimate=_estimate(total),
        slices=tuple(_camera_slices(counts, total)),
        stages=_stages(),
        labels={"simulator": sum(total)},
    )
    return replace(made, **changes)


def a_bad_day(**changes: Any) -> DayReport:
    """Monday's second revision, with everything that a report may hold."""
    plain = a_report()
    found = _findings(plain.starts_at)
    return replace(
        plain,
        revision=2,
        cameras=tuple(_with_everything(camera, found, plain.starts_at) for camera in plain.cameras),
        absent=("ramp-east",),
        changes=("31 labels came late, all of gate-north: accuracy 93.5 % → 89.7 %.",),
        reliability=_reliability(),
        calibration_error=0.061,
        slices=tuple(sorted([*plain.slices, *_slices()], key=lambda each: (each.dimension, each.value))),
        alerts=_alerts(),
        labels={"simulator": 480, "anna": 26, "late": 31, "contradicted": 2, "withdrawn": 1, "unmatched": 4},
        **changes,
    )


def days_before(count: int = 13, last: date = MONDAY - timedelta(days=1)) -> list[DayReport]:
    """Ordinary days, in order; every fifth has no labels."""
    days = [last - timedelta(days=back) for back in reversed(range(count))]
    return [_ordinary(number, day) for number, day in enumerate(days)]


def _ordinary(number: int, day: date) -> DayReport:
    wrong = (number * 7) % 5
    cameras: dict[str, Counts] = {
        name: (90 + number + place, wrong + place, 2, 50 + place) for place, name in enumerate(CAMERAS)
    }
    made = a_report(day, cameras)
    if number % 5:
        return made
    return replace(made, scores=_without_labels(made.scores), intervals=(), slices=(), labels={})


def _summed(counts: Iterable[Counts]) -> Counts:
    a, b, c, d = (sum(column) for column in zip(*counts, strict=True))
    return a, b, c, d


def _share(part: float, whole: float) -> float | None:
    return part / whole if whole else None


def _scores(counts: Counts) -> Scores:
    car, car_as_truck, truck_as_car, truck = counts
    n, right = sum(counts), car + truck
    classes = (_class("car", car, car_as_truck, truck_as_car), _class("truck", truck, truck_as_car, car_as_truck))
    cells = [Cell("car", "car", car), Cell("car", "truck", car_as_truck), Cell("truck", "car", truck_as_car)]
    return Scores(
        frames=n * 9,
        passages=n + n // 8,
        passages_by_label={"car": car + truck_as_car + n // 12, "truck": truck + car_as_truck + n // 8 - n // 12},
        labelled=n,
        accuracy=_share(right, n),
        precision=_mean(each.precision for each in classes),
        recall=_mean(each.recall for each in classes),
        f1=_mean(each.f1 for each in classes),
        classes=classes if n else (),
        confusion=tuple(cell for cell in [*cells, Cell("truck", "truck", truck)] if cell.count),
        labelled_frames=n * 9,
        frame_accuracy=_share(right, n),
        flip_rate=_share(car_as_truck + truck_as_car, 2 * n),
        mean_confidence=0.93 if n else None,
        mean_brightness=118.4 if n else None,
        latency_p50_ms=7.1 if n else None,
        latency_p95_ms=21.7 if n else None,
        latency_p99_ms=48.3 if n else None,
        unmatched_labels=0,
    )


def _without_labels(scores: Scores) -> Scores:
    nothing = {"accuracy": None, "precision": None, "recall": None, "f1": None, "frame_accuracy": None}
    return replace(scores, labelled=0, labelled_frames=0, classes=(), confusion=(), **nothing)


def _class(label: str, right: int, missed: int, taken: int) -> ClassScores:
    return ClassScores(
        label,
        support=right + missed,
        predicted=right + taken,
        precision=_share(right, right + taken),
        recall=_share(right, right + missed),
        f1=_share(2 * right, 2 * right + missed + taken),
    )


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _intervals(counts: Counts) -> list[Interval]:
    car, car_as_truck, truck_as_car, truck = counts
    shares = {
        "accuracy": (car + truck, sum(counts)),
        "precision:car": (car, car + truck_as_car),
        "precision:truck": (truck, truck + car_as_truck),
        "recall:car": (car, car + car_as_truck),
        "recall:truck": (truck, truck + truck_as_car),
    }
    return [Interval(name, right / n, *wilson_interval(right, n), n) for name, (right, n) in shares.items() if n]


def _estimate(counts: Counts) -> EstimatedAccuracy | None:
    n = sum(counts)
    if not n:
        return None
    near = (counts[0] + counts[3]) / n + 0.012
    trucks = (counts[2] + counts[3]) / n
    return EstimatedAccuracy(near, near - 0.021, min(near + 0.019, 1.0), n, {"car": 1 - trucks, "truck": trucks}, "")


def _camera_slices(counts: dict[str, Counts], total: Counts) -> list[SliceScores]:
    return [
        _slice("camera", name, each[0] + each[3], sum(each), total[0] + total[3], sum(total))
        for name, each in counts.items()
    ]


def _slice(dimension: str, value: str, right: int, n: int, all_right: int, all_n: int) -> SliceScores:
    low, high = wilson_interval(right, n) if n else (0.0, 1.0)
    gap = right / n - (all_right - right) / (all_n - n) if 0 < n < all_n else None
    reach = (high - low) / 2 + 0.015
    return SliceScores(
        dimension=dimension,
        value=value,
        passages={"car": n * 5 // 8, "truck": n - n * 5 // 8},
        labelled=n,
        accuracy=_share(right, n),
        low=low,
        high=high,
        gap=gap,
        gap_low=-1.0 if gap is None else gap - reach,
        gap_high=1.0 if gap is None else gap + reach,
        truths={"car": n * 5 // 8, "truck": n - n * 5 // 8} if n else {},
        discovered=gap is not None and gap + reach < 0,
    )


SHARES: dict[str, dict[str, tuple[int, int]]] = {
    "zone": {
        "bridge/in": (80, 82),
        "bridge/out": (77, 78),
        "gate-north/lane-1": (66, 95),
        "gate-north/lane-2": (69, 85),
    },
    "light": {"bright": (330, 351), "dark": (84, 88), "dim": (40, 67)},
    "size": {"large": (210, 216), "medium": (180, 204), "small": (64, 86)},
}


def _slices() -> list[SliceScores]:
    right, n = 454, 506
    named = [_slice(dim, value, *found, right, n) for dim, values in SHARES.items() for value, found in values.items()]
    hours = [(hour, 8 + (hour * 5) % 23) for hour in range(5, 22)]
    return named + [_slice("hour", f"{h:02}", m - (m // 3 if h in (7, 8) else h % 3), m, right, n) for h, m in hours]


def _reliability() -> tuple[Reliability, ...]:
    rows = [(0.55, 0.49, 14), (0.65, 0.58, 19), (0.75, 0.66, 32), (0.85, 0.77, 61), (0.96, 0.95, 380)]
    return tuple(Reliability(int(c * 10) / 10, int(c * 10) / 10 + 0.1, c, a, n) for c, a, n in rows)


def _stages() -> tuple[StageScores, ...]:
    rows = {
        "decode": (0.4, 0.9, 1.6),
        "inference": (2.9, 4.8, 7.7),
        "other": (0.7, 2.0, 4.1),
        "queue": (2.2, 14.0, 39.0),
    }
    return tuple(StageScores(name, *values) for name, values in rows.items())


def _alerts() -> tuple[AlertLine, ...]:
    return (
        AlertLine("fog:gate-north", "critical", "open", "Fog at gate-north: 31 % of its vehicles are taken for others"),
        AlertLine("clock:tunnel", "warning", "acknowledged", "The clock of tunnel is 4 minutes behind"),
        AlertLine("gaps:gate-south", "warning", "resolved", "gate-south sent nothing from 02:10 to 03:05"),
    )


Kind = Literal["drift", "integrity", "device"]


def a_finding(camera: str, signal: str, since: datetime, hours: float | None = None, **changes: Any) -> Finding:
    """Something found a quarter of an hour after it began; None: it lasts."""
    made = Finding(
        finding_id=f"{camera}:{signal}:{to_us(since)}",
        kind="drift",
        camera_id=camera,
        signal=signal,
        detector="adwin",
        since=since,
        found_at=since + timedelta(minutes=15),
        until=None if hours is None else since + timedelta(hours=hours),
        before=0.94,
        after=0.71,
        samples=64,
        worse=True,
        example=None,
        note="",
    )
    return replace(made, **changes)


def _findings(starts: datetime) -> list[Finding]:
    at = [starts + timedelta(hours=hour) for hour in range(24)]
    rule: dict[str, Any] = {"kind": "integrity", "detector": "rule"}
    return [
        a_finding("gate-north", "contrast", at[6], 3.5, before=51.0, after=18.0, detector="page-hinkley"),
        a_finding("gate-north", "confidence", at[7], 2.5),
        a_finding("gate-north", "flip", at[7] + timedelta(minutes=20), 2.0, before=0.02, after=0.19, detector="hddm-a"),
        a_finding("gate-south", "gap", at[2] + timedelta(minutes=10), 0.9, before=120.0, after=3300.0, **rule),
        a_finding("bridge", "brightness", at[15], 4, before=131.0, after=96.0, worse=False, note="dusk, as every day"),
        a_finding("tunnel", "clock", at[11], before=60.0, after=241.0, **rule, note="its clock is behind the broker's"),
        a_finding("bridge", "temperature", at[12], 1.2, before=60.0, after=66.5, kind="device", detector="rule"),
    ]


def _with_everything(camera: CameraScores, found: Sequence[Finding], starts: datetime) -> CameraScores:
    name = camera.camera_id
    fog = name == "gate-north"
    return replace(
        camera,
        findings=tuple(finding for finding in found if finding.camera_id == name),
        signals=_signals(fog) if camera.scores.labelled else (),
        device=None if name == "gate-south" else _device(9.0 if name == "bridge" else 0.0),
        worst=tuple(_worst(name, number, starts) for number in range(5)) if fog else (),
    )


def _signals(fog: bool) -> tuple[SignalScores, ...]:
    usual = {
        "brightness": (118.0, 22.0),
        "confidence": (0.94, 0.08),
        "contrast": (51.0, 9.0),
        "sharpness": (310.0, 80.0),
    }
    effects = {"brightness": 0.6, "confidence": -1.1, "contrast": -1.9, "sharpness": -1.4} if fog else {}
    return tuple(
        SignalScores(name, 140, mean + effects.get(name, 0.1) * sd, sd, mean, effects.get(name, 0.1), 0.001, fog)
        for name, (mean, sd) in usual.items()
    )


def _device(warmer: float) -> DeviceDay:
    return DeviceDay(
        records=8640,
        sensors=(
            SensorDay("magnetometer_ut", 8640, 8640 * 48.6, 47.9, 49.4),
            SensorDay("pressure_hpa", 8640, 8640 * 1012.4, 1009.8, 1015.1),
            SensorDay("temperature_c", 8640, 8640 * (41.3 + warmer), 33.0 + warmer, 57.5 + warmer),
        ),
        states={"running": 8580, "stalled": 60},
        pictures=518_400,
        frames=4_210,
        dropped={"queue": 12} if warmer else {},
        reconnects=2 if warmer else 0,
    )


def _worst(camera: str, number: int, starts: datetime) -> WorstFrame:
    wrong = number < 3
    return WorstFrame(
        frame_id=frame_id(camera, "2026-11-23", 100 + number),
        captured_at=starts + timedelta(hours=7, minutes=11 * number),
        truth="car" if wrong else None,
        predicted="truck",
        confidence=0.98 - 0.02 * number if wrong else 0.51 + 0.01 * number,
        why="wrong" if wrong else "unsure",
    )
