"""Alerts and reports to test with: a bad day of two cameras, and the day on which it was over."""

from dataclasses import replace
from datetime import UTC, datetime

from schemas.records import Alert, CameraScores, Cell, ClassScores, DayReport, Drift, Scores

NOON = datetime(2026, 11, 24, 12, tzinfo=UTC)


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


def report() -> DayReport:
    """A day on which gate-north failed and gate-south had no labels."""
    drift = Drift("confidence", "adwin", datetime(2026, 11, 23, 8, 12, tzinfo=UTC), 0.93, 0.61, worse=True)
    return DayReport(
        day="2026-11-23",
        timezone="Europe/Berlin",
        revision=1,
        starts_at=datetime(2026, 11, 22, 23, tzinfo=UTC),
        ends_at=datetime(2026, 11, 23, 23, tzinfo=UTC),
        scores=scores(44, 62),
        cameras=(
            CameraScores("gate-north", scores(44, 62), (drift,)),
            CameraScores("gate-south", scores(0, 0), ()),
        ),
        absent=("ramp-east",),
        model_versions=("lite0-2026.11",),
    )


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
