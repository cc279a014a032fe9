"""Records with sensible values, so that a test says only what matters to it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from schemas.ids import frame_id, passage_id
from schemas.records import Alert, Box, Frame, Label, Origin, Prediction, Statistics, Timings

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
EPOCH = "2026-03-02"


def a_frame(sequence: int = 0, camera_id: str = "gate", **changes: Any) -> Frame:
    """A vehicle's frame, one a second from noon."""
    frame = Frame(
        frame_id=frame_id(camera_id, EPOCH, sequence),
        camera_id=camera_id,
        epoch=EPOCH,
        sequence=sequence,
        kind="vehicle",
        captured_at=NOON + timedelta(seconds=sequence),
        zone_id="lane-1",
        passage_id=passage_id(camera_id, EPOCH, 0),
        crossed_at=None,
        box=Box(100, 80, 60, 40),
        source_width=640,
        source_height=360,
        encoding="jpeg",
        picture=b"",
    )
    return replace(frame, **changes)


def a_prediction(sequence: int = 0, label: str | None = "car", camera_id: str = "gate", **changes: Any) -> Prediction:
    """The prediction of `a_frame`; sure of its label."""
    frame = a_frame(sequence, camera_id)
    prediction = Prediction(
        frame_id=frame.frame_id,
        camera_id=camera_id,
        epoch=EPOCH,
        sequence=sequence,
        kind=frame.kind,
        captured_at=frame.captured_at,
        zone_id=frame.zone_id,
        passage_id=frame.passage_id,
        crossed_at=None,
        label=label,
        confidence=None if label is None else 0.75,
        probabilities={} if label is None else {"car": 0.25, "truck": 0.25, label: 0.75},
        model_version="road-test",
        statistics=Statistics(brightness=120.0, contrast=40.0, sharpness=200.0, width=60, height=40),
        timings=Timings(queue_ms=1.0, decode_ms=0.5, inference_ms=2.0, total_ms=4.0),
        origin=Origin("roadwatch.frames", 0, sequence),
    )
    return replace(prediction, **changes)


def a_label(label: str | None = "truck", **changes: Any) -> Label:
    """A label of the passage that `a_frame` belongs to."""
    made = Label(
        label_id="label-1",
        camera_id="gate",
        frame_id=None,
        passage_id=passage_id("gate", EPOCH, 0),
        label=label,
        source="test",
        weight=1.0,
        labelled_at=NOON,
        complete_until=None,
    )
    return replace(made, **changes)


def an_alert(**changes: Any) -> Alert:
    """An open, critical alert of the whole road."""
    made = Alert(
        alert_id="day-accuracy|2026-03-02",
        rule="day-accuracy",
        state="open",
        severity="critical",
        camera_id=None,
        day="2026-03-02",
        since=NOON,
        raised_at=NOON + timedelta(hours=12),
        title="Accuracy 42.0 % on 2026-03-02",
        summary="Of 100 labelled vehicles, 42 were told right.",
        metric="accuracy",
        value=0.42,
        threshold=0.6,
        samples=100,
        actions=("Look at the failed frames.",),
        report=None,
    )
    return replace(made, **changes)
