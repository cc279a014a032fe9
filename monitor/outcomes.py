"""What goes into a fold and what comes out of it: where a record was read, and what follows from it."""

from collections import Counter
from dataclasses import dataclass, field

from schemas.records import CameraDay, Record


@dataclass(frozen=True, slots=True)
class Position:
    """Where a record was read, and when it was written."""

    topic: str
    "The topic's name in the topic table."
    offset: int
    "Offset in the camera's partition."
    logged_ms: int
    "When it was first logged, milliseconds since 1970."
    labels_read: bool = False
    "Whether the camera's labels that were logged before it were all taken in."


@dataclass(slots=True)
class Outcome:
    """What follows from a record."""

    outputs: list[Record] = field(default_factory=list)
    "To be sent, and acknowledged, before anything is written."
    writes: dict[str, bytes | None] = field(default_factory=dict)
    "To be written in this order; None deletes."
    counts: Counter[str] = field(default_factory=Counter)
    "What happened, for the counters."
    faults: list[str] = field(default_factory=list)
    "Why parts of the record were not believed."
    logged_ms: dict[int, int] = field(default_factory=dict)
    "Of the camera-days among the outputs, by their place: when the record was logged that made them."
    waits: bool = False
    "Whether a day is closed as soon as all labels that were logged before are known to have been taken in."

    def hand_in(self, camera_day: CameraDay, logged_ms: int) -> None:
        """A camera-day is to be sent; `logged_ms` is when the record was logged that made it."""
        self.logged_ms[len(self.outputs)] = logged_ms
        self.outputs.append(camera_day)
