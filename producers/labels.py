"""Label records: what somebody says a frame or a passage shows, or takes back, and promises to say nothing more.

A label's id follows from what it says, of what, and who says so: sent twice it counts once, and a person's
correction is a label of its own.
"""

from datetime import datetime

from schemas.ids import parse_id
from schemas.records import Label

WITHDRAWN = "withdrawn"
"Stands for a label that is taken back."


def label_of(
    target: str,
    label: str | None,
    *,
    source: str,
    labelled_at: datetime,
    weight: float = 1.0,
    complete_until: datetime | None = None,
) -> Label:
    """Say what a frame or passage shows; None takes back what the source said. `target` is its id, with the camera.

    Raises:
        DecodingError: `target` is no frame's or passage's id.

    """
    ref = parse_id(target)
    return Label(
        label_id=f"{source}:{target}={WITHDRAWN if label is None else label}",
        camera_id=ref.camera_id,
        frame_id=None if ref.passage else target,
        passage_id=target if ref.passage else None,
        label=label,
        source=source,
        weight=weight,
        labelled_at=labelled_at,
        complete_until=complete_until,
    )


def promise_of(camera_id: str, source: str, said_at: datetime, complete_until: datetime) -> Label:
    """Promise that every label of pictures before `complete_until` has been sent."""
    return _of_nothing(f"{source}:{camera_id}<{complete_until.isoformat()}", camera_id, source, said_at, complete_until)


def done_of(camera_id: str, source: str, said_at: datetime) -> Label:
    """Say that every label was sent that there is for now: late ones need not wait to be counted."""
    return _of_nothing(f"{source}:{camera_id}:done@{said_at.isoformat()}", camera_id, source, said_at, None)


def _of_nothing(
    label_id: str, camera_id: str, source: str, said_at: datetime, complete_until: datetime | None
) -> Label:
    """A record that names neither a thing nor a class."""
    return Label(
        label_id=label_id,
        camera_id=camera_id,
        frame_id=None,
        passage_id=None,
        label=None,
        source=source,
        weight=1.0,
        labelled_at=said_at,
        complete_until=complete_until,
    )
