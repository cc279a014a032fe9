"""A day's examples as they are on the cluster.

    passages ────────────► ┐
    shadow-predictions ──► ├─► gathering ─► examples, where their pictures lie ─► frames, by place ─► pictures
    predictions ─────────► ┘

What was logged before the day began cannot be of it, so each topic is read from then on: to its end, for a replayed day
is logged later than its pictures were taken.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from models.archive.examples import Example, ExampleFrame
from monitor.windows import Calendar
from roadwatch.labelling.fetching import kept_frames, pictures_of
from roadwatch.labelling.gathering import Gathered, Gathering
from runtime.registry import open_codec
from runtime.settings import KafkaSettings, Settings
from runtime.spans import logged_since
from schemas.codec import Codec
from schemas.errors import ConfigurationError, RecordError
from schemas.records import Origin, Passage, Prediction
from schemas.topics import PASSAGES, PREDICTIONS, SHADOW_PREDICTIONS, Topic

SAID_EVERY: Final = 1000
"Records between two words of progress."
LARGEST: Final = 512 * 1024 * 1024
"Bytes of pictures that are held at once."

Progress = Callable[[str, int], None]
"Told the topic that is read, and how many of its records were."
Take = Callable[[bytes], None]
"Takes a record in; raises RecordError for none."


@dataclass(frozen=True, slots=True)
class DayExamples:
    """What there is of a day."""

    day: str
    "The day."
    examples: tuple[Example, ...]
    "By time; those of whose pictures none is on the cluster any more are there too, without frames' pictures."
    gone: tuple[str, ...]
    "The ids of those, in the same order."
    origins: Mapping[str, Origin]
    "Where the pictures lie that are still on the cluster, by frame id."
    unreadable: int
    "Records that were none."

    def reachable(self) -> tuple[Example, ...]:
        """Return the examples of which a picture is there, their other frames left out."""
        frames = {each.example_id: self._there(each) for each in self.examples}
        return tuple(replace(each, frames=frames[each.example_id]) for each in self.examples if frames[each.example_id])

    def origins_of(self, examples: Sequence[Example]) -> dict[str, Origin]:
        """Return where the pictures of these examples lie."""
        names = [frame.frame_id for example in examples for frame in example.frames]
        return {name: self.origins[name] for name in names if name in self.origins}

    def _there(self, example: Example) -> tuple[ExampleFrame, ...]:
        return tuple(frame for frame in example.frames if frame.frame_id in self.origins)


def examples_of_day(
    settings: Settings, day: str, cameras: Sequence[str] | None = None, *, pictures: bool, progress: Progress
) -> DayExamples:
    """Return the examples of a day, of all cameras or of these, with their pictures where they are wanted.

    Held at once are at most 100,000 examples of some seven kilobytes, and with `pictures` 512 MiB of them; whoever needs
    the pictures of a few asks without, and fetches them by `origins_of`.

    Raises:
        ConfigurationError: the day has more than that.
        BrokerError: the cluster does not give it.

    """
    reading = _Reading(settings, day, cameras)
    for topic, take in takers(reading.gathering, open_codec(settings.kafka)).items():
        reading.read(topic, take, progress)
    found = _day_examples(settings.kafka, day, list(reading.gathering.examples()), reading.unreadable)
    return _with_pictures(settings.kafka, found) if pictures else found


class _Reading:
    """Reads topics of a day into its examples."""

    def __init__(self, settings: Settings, day: str, cameras: Sequence[str] | None) -> None:
        self._kafka = settings.kafka
        self._keys = None if cameras is None else {camera.encode() for camera in cameras}
        calendar = Calendar(settings.monitor.timezone)
        self._since = calendar.bounds(day)[0] - settings.monitor.max_skew
        self.gathering = Gathering(calendar, day)
        self.unreadable = 0

    def read(self, topic: Topic, take: Take, progress: Progress) -> None:
        """Read what was logged on it since the day began."""
        name = self._kafka.names.of(topic)
        progress(name, 0)
        for number, record in enumerate(logged_since(self._kafka, name, self._since), 1):
            if self._keys is None or record.key in self._keys:
                self._take(take, record.value)
            if number % SAID_EVERY == 0:
                progress(name, number)

    def _take(self, take: Take, value: bytes) -> None:
        try:
            take(value)
        except RecordError:
            self.unreadable += 1


def takers(gathering: Gathering, codec: Codec) -> Mapping[Topic, Take]:
    """What takes each topic's records in, in the order in which topics are read."""
    return {
        PASSAGES: lambda value: gathering.passed(codec.decode(value, Passage)),
        SHADOW_PREDICTIONS: lambda value: gathering.challenged(codec.decode(value, Prediction)),
        PREDICTIONS: lambda value: gathering.predicted(codec.decode(value, Prediction)),
    }


def _day_examples(kafka: KafkaSettings, day: str, gathered: Sequence[Gathered], unreadable: int) -> DayExamples:
    origins = {shown.frame.frame_id: shown.origin for each in gathered for shown in each.shown}
    kept = kept_frames(kafka, origins)
    gone = [each.example.example_id for each in gathered if not any(s.frame.frame_id in kept for s in each.shown)]
    there = {name: origin for name, origin in origins.items() if name in kept}
    return DayExamples(day, tuple(each.example for each in gathered), tuple(gone), there, unreadable)


def _with_pictures(kafka: KafkaSettings, found: DayExamples) -> DayExamples:
    """The same with pictures; a frame of which there is none after all is gone."""
    pictures = _bounded(found.day, pictures_of(kafka, found.origins))
    examples = tuple(_filled(example, pictures) for example in found.examples)
    gone = tuple(each.example_id for each in examples if not any(frame.picture for frame in each.frames))
    origins = {name: origin for name, origin in found.origins.items() if name in pictures}
    return replace(found, examples=examples, gone=gone, origins=origins)


def _bounded(day: str, found: Iterator[tuple[str, bytes]]) -> dict[str, bytes]:
    pictures, held = {}, 0
    for name, picture in found:
        pictures[name], held = picture, held + len(picture)
        if held > LARGEST:
            fault = f"the pictures of {day} are more than {LARGEST >> 20} MiB; name fewer cameras at once"
            raise ConfigurationError("--camera", [fault])
    return pictures


def _filled(example: Example, pictures: Mapping[str, bytes]) -> Example:
    frames = tuple(replace(frame, picture=pictures.get(frame.frame_id, b"")) for frame in example.frames)
    return replace(example, frames=frames)
