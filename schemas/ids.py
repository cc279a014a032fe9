"""Names of frames and passages: deterministic, and saying in which run of frames they lie.

    gate-north:2026-11-23T05:06:00Z:123      a frame: camera, epoch, sequence
    gate-north:2026-11-23T05:06:00Z:p120     a passage: camera, epoch, its first frame's sequence

Camera ids hold no colon; epochs may.
"""

from dataclasses import dataclass
from typing import Final

from schemas.errors import DecodingError

MOST_DIGITS: Final = 18
"Of a frame's number: it is kept in 64 bits."


@dataclass(frozen=True, slots=True)
class FrameRef:
    """Where a frame, or a passage's first frame, stands."""

    camera_id: str
    "The camera."
    epoch: str
    "The run of frames."
    sequence: int
    "The frame's number in it, from 0."
    passage: bool
    "Whether the id names a passage."


def frame_id(camera_id: str, epoch: str, sequence: int) -> str:
    """A frame's id."""
    return f"{camera_id}:{epoch}:{sequence}"


def passage_id(camera_id: str, epoch: str, first_sequence: int) -> str:
    """A passage's id."""
    return f"{camera_id}:{epoch}:p{first_sequence}"


def parse_id(text: str) -> FrameRef:
    """Take a frame's or passage's id apart.

    Raises:
        DecodingError: the text is neither.

    """
    camera_id, _, rest = text.partition(":")
    epoch, _, last = rest.rpartition(":")
    number = last.removeprefix("p")
    if not (camera_id and epoch and number.isascii() and number.isdigit() and len(number) <= MOST_DIGITS):
        raise DecodingError(
            f"{text!r} is no frame or passage id, such as 'gate:2026-11-23:42' or 'gate:2026-11-23:p42'"
        )
    return FrameRef(camera_id, epoch, int(number), passage=last.startswith("p"))
