"""Alerts, findings and reports to test with: a bad day of two cameras, and the fog that made it so."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from monitor.breaches import Breach
from monitor.causes import DEVICE, MODEL, PICTURES
from monitor.windows import Calendar
from schemas.records import (
    Alert,
    CameraDay,
    CameraScores,
    Cell,
    ClassScores,
    DayReport,
    Finding,
    FindingKind,
    Scores,
    SliceScores,
    Tally,
    WorstFrame,
)
from schemas.times import to_us

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)
DAWN = datetime(2026, 11, 23, 5, tzinfo=UTC)
"When findings begin."


def minutes(count: float) -> timedelta:
    """A span of so many minutes."""
    return timedelta(minutes=count)


def scores(right: int, wrong: int) -> Scores:
    """Figures of a day on which `right` of each class were recognised and `wrong` taken for the other."""
    labelled = 2 * (right + wrong)
    share = right / (right + wrong) if labelled else None
    cells = tuple(Cell(t, p, right if t == p else wrong) for t in ("car", "truck") for p in ("car", "truck"))
    classes = tuple(ClassScores(c, right + wrong, right + wrong, share, share, share) for c in ("car", "truck"))
    return Scores(
        frames=labelled * 8,
        passages=labelled + 3,
        passages_by_label={"car": right + wrong, "truck": right + wrong},
        labelled=labelled,
        accuracy=share,
        precision=share,
        recall=share,
        f1=share,
        classes=classes if labelled else (),
        confusion=cells if labelled else (),
        labelled_frames=labelled * 8,
        frame_accuracy=share,
        flip_rate=0.1,
        mean_confidence=0.7,
        mean_brightness=120.0,
        latency_p50_ms=7.0,
        latency_p95_ms=20.0,
        latency_p99_ms=40.0,
        unmatched_labels=0,
    )


def kind_of(signal: str) -> FindingKind:
    """Who finds it."""
    return "drift" if signal in PICTURES + MODEL else "device" if signal in DEVICE else "integrity"


def finding(
    signal: str, before: float, after: float, at: float = 0, camera_id: str = "gate", **changes: Any
) -> Finding:
    """A harmful finding that began `at` minutes after dawn and was found ten minutes later; any field may be changed."""
    since = DAWN + minutes(at)
    made = Finding(
        finding_id=f"{camera_id}:{signal}:{to_us(since)}",
        kind=kind_of(signal),
        camera_id=camera_id,
        signal=signal,
        detector="adwin",
        since=since,
        found_at=since + minutes(10),
        until=None,
        before=before,
        after=after,
        samples=60,
        worse=True,
        example=f"{camera_id}:2026-11-23:{signal}",
        note="",
    )
    return replace(made, **changes)


def fog(at: float = 0, camera_id: str = "gate", until: float | None = None) -> tuple[Finding, ...]:
    """What fog does to a camera's signals; over `until` minutes after dawn."""
    end = None if until is None else DAWN + minutes(until)
    return (
        finding("contrast", 41.2, 18.3, at, camera_id, until=end),
        finding("sharpness", 210.0, 60.4, at + 5, camera_id, until=end),
        finding("confidence", 0.93, 0.61, at + 20, camera_id, until=end),
    )


def news(*findings: Finding, at: float = 0, camera_id: str = "gate", **changes: Any) -> CameraDay:
    """What a camera tells `at` minutes after dawn."""
    seen_until = DAWN + minutes(at)
    day = Calendar("Europe/Berlin").day_of(seen_until)
    starts_at, ends_at = Calendar("Europe/Berlin").bounds(day)
    made = CameraDay(camera_id, day, "Europe/Berlin", 0, starts_at, ends_at, Tally(), findings, seen_until=seen_until)
    return replace(made, **changes)


def hour(value: int, labelled: int, accuracy: float | None) -> SliceScores:
    """How vehicles of one hour fared."""
    return SliceScores(
        dimension="hour",
        value=f"{value:02d}",
        passages={"car": labelled},
        labelled=labelled,
        accuracy=accuracy,
        low=0.0,
        high=1.0,
        gap=None,
        gap_low=0.0,
        gap_high=0.0,
        truths={"car": labelled},
        discovered=False,
    )


def report(day: str = "2026-11-23", **changes: Any) -> DayReport:
    """A day on which gate-north failed and gate-south had no labels."""
    starts_at, ends_at = Calendar("Europe/Berlin").bounds(day)
    worst = (
        WorstFrame("gate-north:2026-11-23:71", DAWN + minutes(30), "car", "truck", 0.91, "wrong"),
        WorstFrame("gate-north:2026-11-23:88", DAWN + minutes(35), "truck", "car", 0.88, "wrong"),
    )
    made = DayReport(
        day=day,
        timezone="Europe/Berlin",
        revision=1,
        starts_at=starts_at,
        ends_at=ends_at,
        scores=scores(44, 62),
        cameras=(
            CameraScores("gate-north", scores(44, 62), fog(180, "gate-north"), worst=worst),
            CameraScores("gate-south", scores(0, 0), ()),
        ),
        absent=("ramp-east",),
        model_versions=("lite0-2026.11",),
        slices=tuple(hour(n, 20, 0.2 if 8 <= n < 12 else 0.9) for n in range(6, 18)),
    )
    return replace(made, **changes)


def breach(day: str = "2026-11-23", camera_id: str | None = None, **changes: Any) -> Breach:
    """The day's accuracy below its floor."""
    made = Breach(
        rule="accuracy" if camera_id is None else "camera-accuracy",
        camera_id=camera_id,
        slice=None,
        day=day,
        since=Calendar("Europe/Berlin").bounds(day)[0],
        severity="critical" if camera_id is None else "warning",
        metric="accuracy",
        value=0.415,
        threshold=0.6,
        samples=212,
        title=f"Accuracy fell to 41.5% on {day}, below 60%",
        summary=f"On {day}, 88 of 212 labelled vehicles were classified rightly.",
        actions=("Look at the day's worst frames.", "Label a sample and retrain."),
    )
    return replace(made, **changes)


def alert(**changes: object) -> Alert:
    """A critical alert of gate-north, with its day's report; any field may be changed."""
    plain = Alert(
        alert_id="daily-accuracy:gate-north:2026-11-23",
        rule="daily-accuracy",
        state="open",
        severity="critical",
        camera_id="gate-north",
        day="2026-11-23",
        since=datetime(2026, 11, 22, 23, tzinfo=UTC),
        raised_at=datetime(2026, 11, 23, 23, 10, tzinfo=UTC),
        title="Accuracy fell to 42 % on gate-north",
        summary="On 23 November the model recognised 88 of 212 labelled vehicles at gate-north. At least 60 % is expected.",
        metric="accuracy",
        value=88 / 212,
        threshold=0.6,
        samples=212,
        actions=(
            "Look at the camera's newest pictures.",
            "Clean or realign the camera.",
            "Label a sample and retrain.",
        ),
        report=report(),
    )
    return replace(plain, **changes)  # type: ignore[arg-type]  # a test names the fields it changes
