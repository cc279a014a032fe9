"""What ends the cameras of a recording that broke off: so their open passages and days close.

… last frame ─► promise that its labels are complete ─► `end` frame, or a batch of observations with an `end` row
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Final

from producers.labels import promise_of
from producers.recordings.container import Entry
from producers.recordings.entries import Reader
from producers.recordings.recording import PLACES, Located
from schemas.codec import Codec
from schemas.ids import frame_id
from schemas.records import Frame, Label, Observations, Record
from schemas.times import to_us
from schemas.topics import FRAMES, LABELS, OBSERVATIONS

SOURCE: Final = "replay"
"Who gives the promises."
BEYOND_THE_END: Final = timedelta(days=2)
"How far a promise reaches past the last picture: over the end of its day in every time zone."
ENDED_ON: Final = (FRAMES.name, OBSERVATIONS.name)


@dataclass(frozen=True, slots=True)
class _Ending:
    """How a camera ends."""

    record: Frame | Observations
    "What is sent."
    at: datetime
    "Its last picture's time."


class Closer:
    """Watches what is sent, and then ends every camera that did not end by itself."""

    def __init__(self, readers: Mapping[str, Reader]) -> None:
        """`readers` has our own schema as each one's last."""
        self._readers = readers
        self._last: dict[tuple[str, bytes | None], Located] = {}
        self._latest_ms = 0

    def see(self, located: Located) -> None:
        """Note an entry that is sent; of each camera, the last one counts."""
        self._latest_ms = max(self._latest_ms, located.logged_ms)
        if located.topic in ENDED_ON and located.entry.schema >= 0 and located.entry.body:
            self._last[located.topic, located.entry.key] = located

    def endings(self) -> Iterator[Located]:
        """What ends the cameras, in a settled order; logged after all that was sent."""
        for _, last in sorted(self._last.items(), key=lambda item: (item[0][0], item[0][1] or b"")):
            record = self._readers[last.topic].record(last.entry)
            ending = _end_of_frames(record) if isinstance(record, Frame) else _end_of_batches(record)
            if ending:
                yield self._located(last, LABELS.name, _promise(ending), ending.at)
                yield self._located(last, last.topic, ending.record, ending.at)

    def _located(self, last: Located, topic: str, record: Record, at: datetime) -> Located:
        """A record as if it had been logged after all others, beside the camera's last."""
        logged_ms = self._latest_ms + 1
        body = Codec().split(Codec().encode(record), type(record))[1]
        ours = len(self._readers[topic].schemas) - 1
        entry = Entry(last.offset + 1, logged_ms, to_us(at), to_us(at), last.entry.key, (), ours, body)
        return Located(logged_ms, PLACES[topic], last.partition, entry.offset, topic, entry)


def _end_of_frames(last: Frame) -> _Ending | None:
    if last.kind == "end":
        return None
    after = last.sequence + 1
    end = replace(
        last,
        frame_id=frame_id(last.camera_id, last.epoch, after),
        sequence=after,
        kind="end",
        zone_id=None,
        passage_id=None,
        crossed_at=None,
        box=None,
    )
    return _Ending(end, last.captured_at)


def _end_of_batches(last: Record) -> _Ending | None:
    if not isinstance(last, Observations) or not last.sequences or last.kinds[-1] == "end":
        return None
    at = last.captured_at[-1]
    end = replace(
        last,
        zones=(),
        offsets=(last.offsets[-1] + 1,),
        sequences=(last.sequences[-1] + 1,),
        kinds=("end",),
        captured_at=(at,),
        crossed_at=(None,),
        zone=(-1,),
        passage=(-1,),
        label=(-1,),
        probabilities=(0.0,) * len(last.classes),
        brightness=last.brightness[-1:],
        contrast=last.contrast[-1:],
        sharpness=last.sharpness[-1:],
        width=last.width[-1:],
        height=last.height[-1:],
        latency_ms=last.latency_ms[-1:],
    )
    return _Ending(end, at)


def _promise(ending: _Ending) -> Label:
    return promise_of(ending.record.camera_id, SOURCE, ending.at, ending.at + BEYOND_THE_END)
