"""Rows of observations, as the monitor checks and remembers them."""

from collections.abc import Mapping

from monitor.chunks import Row
from monitor.integrity import Seen
from monitor.quantiles import bucket_of
from schemas.observations import Observation
from schemas.records import Observations
from schemas.times import to_us


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
