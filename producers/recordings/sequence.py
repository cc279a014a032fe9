"""The sequence of a replay: what a plan chooses of a recording, and the endings after it; always the same."""

from collections.abc import Iterator
from datetime import datetime, timedelta

from producers.recordings.closing import Closer
from producers.recordings.planning import Plan
from producers.recordings.recording import Located, Recording
from schemas.errors import ConfigurationError
from schemas.times import from_us


class Sequence:
    """Reads the sequence, any number of times."""

    def __init__(self, recording: Recording, plan: Plan) -> None:
        self._recording = recording
        self._plan = plan

    def __iter__(self) -> Iterator[Located]:
        """From its beginning; raises RecordingError where the recording is torn."""
        closer = Closer(self._plan.readers)
        for located in self._recording.entries(self._plan.selection):
            if self._plan.close:
                closer.see(located)
            yield located
        yield from closer.endings()

    @property
    def most(self) -> int:
        """How many recorded records it holds at most; all of them where neither cameras nor a span are chosen."""
        topics = self._plan.selection.topics or ()
        return sum(segment.records for segment in self._recording.index.segments if segment.topic in topics)

    def shift(self, to: datetime) -> timedelta:
        """By how much times are moved so that the first event time becomes `to`.

        Raises:
            ConfigurationError: nothing that is chosen has an event time.

        """
        first_us = self._first_us()
        if first_us is None:
            raise self.nothing()
        return to - from_us(first_us)

    def nothing(self) -> ConfigurationError:
        """The error that says that nothing of the recording is chosen, and what there is."""
        first_us = min((us for us in self._firsts() if us is not None), default=None)
        lasts = [segment.last_us for segment in self._recording.index.segments if segment.last_us is not None]
        there = (
            f"its event times are {from_us(first_us)} to {from_us(max(lasts))}"
            if first_us is not None
            else "it has no event times"
        )
        return ConfigurationError(
            "what to replay",
            [f"nothing of {self._recording.where} is chosen: {there}; look at --camera, --from and --to"],
        )

    def _first_us(self) -> int | None:
        firsts = self._firsts() if self._plan.selection.is_whole else (located.entry.first_us for located in self)
        return min((us for us in firsts if us is not None), default=None)

    def _firsts(self) -> Iterator[int | None]:
        topics = self._plan.selection.topics or ()
        return (segment.first_us for segment in self._recording.index.segments if segment.topic in topics)
