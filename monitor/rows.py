"""Rows of observations, as the monitor checks and remembers them."""

import math
from collections.abc import Iterator, Mapping
from datetime import timedelta
from operator import attrgetter
from typing import Final

from monitor.chunks import Row
from monitor.integrity import Seen
from monitor.quantiles import bucket_of
from schemas.errors import DecodingError
from schemas.labels import short
from schemas.observations import Observation
from schemas.records import Observations
from schemas.times import to_us

FIGURES: Final = ("brightness", "contrast", "sharpness", "noise", "latency_ms", "queue_ms", "decode_ms", "inference_ms")
"Of a frame, beside its probabilities."
_figures = attrgetter(*FIGURES)
LONGEST_STAY: Final = timedelta(hours=1)
"Between a frame of a vehicle and when it crossed."
LONGEST_PASSAGE: Final = 1_000_000
"Frames from a vehicle's first one on, others' among them: all are looked at. An hour of 270 frames a second."


def require_name(camera_id: str) -> str:
    """Return what a camera can be called.

    Raises:
        DecodingError: it holds a colon, and its key would be another's.

    """
    if ":" in camera_id:
        raise DecodingError(f"a camera is called {short(camera_id)}: its name must hold no colon; call it otherwise")
    return camera_id


def fault_of_row(seen: Observation, probabilities: Mapping[str, float]) -> str:
    """Why a frame cannot be counted, whatever wrote it; empty where it can."""
    return "; ".join((*_no_numbers(seen, probabilities), *_out_of_place(seen)))


def _no_numbers(seen: Observation, probabilities: Mapping[str, float]) -> Iterator[str]:
    figures = _figures(seen)
    if math.isfinite(sum(filter(None, (*probabilities.values(), *figures)))):
        return
    for name, value in (*probabilities.items(), *zip(FIGURES, figures, strict=True)):
        if value is not None and not math.isfinite(value):
            yield f"its {name} is {value}, which is no number"


def _out_of_place(seen: Observation) -> Iterator[str]:
    if seen.crossed_at and abs(seen.crossed_at - seen.captured_at) > LONGEST_STAY:
        yield f"it was captured at {seen.captured_at.isoformat()} of a vehicle that crossed at {seen.crossed_at.isoformat()}"
    if seen.passage is not None and not 0 <= seen.passage <= seen.sequence < seen.passage + LONGEST_PASSAGE:
        yield f"it is of the vehicle that began with frame {seen.passage}"


def probabilities_of(batch: Observations, i: int) -> dict[str, float]:
    """Of a row's classes; empty for what is not classified, and where the model abstains."""
    width = len(batch.classes)
    if batch.label[i] < 0:
        return {}
    values = batch.probabilities[i * width : (i + 1) * width]
    return {name: round(p, 5) for name, p in zip(batch.classes, values, strict=True)}


def seen_of(seen: Observation, probabilities: Mapping[str, float]) -> Seen:
    """A frame as its soundness is checked."""
    return Seen(
        frame_id=seen.frame_id,
        kind=seen.kind,
        epoch=seen.epoch,
        sequence=seen.sequence,
        at_us=to_us(seen.captured_at),
        brightness=seen.brightness,
        contrast=seen.contrast,
        sharpness=seen.sharpness,
        noise=seen.noise,
        sketch=seen.sketch,
        width=seen.width,
        height=seen.height,
        label=seen.label,
        probabilities=probabilities,
        model_version=seen.model_version,
    )


def row_of(seen: Observation, probabilities: dict[str, float]) -> Row:
    """A frame as it is remembered."""
    return Row(
        kind=seen.kind,
        captured_us=to_us(seen.captured_at),
        passage=seen.passage,
        crossed_us=None if seen.crossed_at is None else to_us(seen.crossed_at),
        zone_id=seen.zone_id,
        label=seen.label,
        probabilities=probabilities,
        pixels=seen.width * seen.height,
        brightness=round(seen.brightness, 3),
        bucket=bucket_of(seen.latency_ms),
        model_version=seen.model_version,
        contrast=round(seen.contrast, 3),
        sharpness=round(seen.sharpness, 2),
        noise=round(seen.noise, 3),
        stages=_stages(seen),
    )


def _stages(seen: Observation) -> tuple[int, ...]:
    if seen.queue_ms is None or seen.decode_ms is None or seen.inference_ms is None or seen.label is None:
        return ()
    known = (seen.queue_ms, seen.decode_ms, seen.inference_ms)
    return tuple(bucket_of(ms) for ms in (*known, seen.latency_ms - sum(known)))
