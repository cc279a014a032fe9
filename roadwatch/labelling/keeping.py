"""Labels that came on the topic from elsewhere: their words into the ledger, their pictures into the archive.

    labels, from where it left off ─► words ─► ledger
                └─► things without pictures ─► predictions of them ─► frames, by place ─► archive
                                                                            └─► where it has come to

Where it has come to is remembered last: killed before that, the same labels are read again, and count once.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from hashlib import blake2b
from threading import Event
from typing import Final

import structlog

from models.archive.examples import Example, GivenLabel
from models.archive.opening import ArchiveAndLedger
from monitor.windows import Calendar
from roadwatch.labelling.days import Take, takers
from roadwatch.labelling.fetching import pictures_of, with_pictures
from roadwatch.labelling.gathering import FIRST, Gathered, Gathering
from runtime.clients import Received
from runtime.offsets import Offsets, Place
from runtime.registry import open_codec
from runtime.settings import KafkaSettings, Settings
from runtime.spans import SpanReader, cluster_of, logged_since, partitions_of, read_at
from schemas.errors import BrokerUnavailableError, RecordError
from schemas.ids import parse_id
from schemas.labels import faults_of, require_sound
from schemas.records import Label
from schemas.times import from_ms
from schemas.topics import FRAMES, LABELS

log = structlog.get_logger(__name__)

AT_ONCE: Final = 20_000
"Labels that are read before their pictures are looked for."
CHUNK: Final = 100
"Examples whose pictures are held at once."
SETTLE_S: Final = 60.0
"Following, labels of the last minute wait: their vehicles' last frames may not be classified yet."
REST: Final = 10
"Following, so many times as long as the last round took is rested before the next."


@dataclass(slots=True)
class Kept:
    """What came of it."""

    labels: int = 0
    "Words that were read."
    new: int = 0
    "Words that the ledger had not."
    kept: int = 0
    "Examples whose pictures were kept."
    there: int = 0
    "Labelled things whose pictures were kept before."
    thinned: int = 0
    "Labelled things that are outside the share that is kept; their words are recorded."
    gone: int = 0
    "Labelled things of which there is no picture on the cluster any more, or never was."
    unreadable: int = 0
    "Records that were none, or whose label cannot be counted."

    def add(self, other: "Kept") -> None:
        """Count those of another round."""
        for name in self.__slots__:
            setattr(self, name, getattr(self, name) + getattr(other, name))


class Keeper:
    """Keeps what labels are about, from where it left off."""

    def __init__(self, settings: Settings, kept: ArchiveAndLedger, share: float = 1.0) -> None:
        """`share` of the labelled things have their pictures kept, always the same ones."""
        self._settings = settings
        self._share = share
        self._codec = open_codec(settings.kafka)
        self._archive, self._ledger = kept
        self._topic = settings.kafka.names.of(LABELS)
        self._reader = f"{cluster_of(settings.kafka)}-{self._topic}"

    def keep(self, stop: Event | None = None, settle_s: float = 0.0) -> Kept:
        """Keep what there is now; `stop` ends it after the round at hand, `settle_s` leaves the newest labels.

        Raises:
            ArchiveError: there is no room, or a file of the ledger is damaged; what was done stays.
            BrokerError: the cluster does not give them.

        """
        total = Kept()
        while not (stop and stop.is_set()):
            records, ends = self._read(time.time() - settle_s)
            if not records:
                break
            total.add(self._round(records))
            self._ledger.remember(self._reader, ends)
        return total

    def follow(self, stop: Event, every_s: float, alive: Callable[[], None]) -> None:
        """Keep what comes until `stop` is set."""
        while not stop.is_set():
            begun = time.monotonic()
            self._try(stop)
            alive()
            self._rest(stop, max(every_s, REST * (time.monotonic() - begun)), alive)

    def _try(self, stop: Event) -> None:
        try:
            found = self.keep(stop, SETTLE_S)
        except BrokerUnavailableError as error:
            log.warning("labels wait", error=str(error))
            return
        if found.labels:
            log.info("labels kept", labels=found.labels, new=found.new, pictures=found.kept, gone=found.gone)

    def _rest(self, stop: Event, seconds: float, alive: Callable[[], None]) -> None:
        until = time.monotonic() + seconds
        while not stop.is_set() and (left := until - time.monotonic()) > 0:
            alive()
            stop.wait(min(left, 1.0))

    def _read(self, before_s: float) -> tuple[list[Received], dict[str, int]]:
        """The labels that come next, and where they end."""
        with SpanReader(self._settings.kafka, self._starts()) as reader:
            reader.stop_at(reader.ends())
            records = list(_taken(reader, int(before_s * 1000)))
        first = dict(self._ledger.positions(self._reader))
        after = {str(record.partition): record.offset + 1 for record in records}
        return records, {**first, **after}

    def _starts(self) -> dict[Place, int | None]:
        known = self._ledger.positions(self._reader)
        count = partitions_of(self._settings.kafka, [self._topic])[self._topic]
        places = [(self._topic, partition) for partition in range(count)]
        ends = Offsets(self._settings.kafka).committed_ends(places)
        starts = {place: known.get(str(place[1])) for place in places}
        # A topic that was made anew ends before where the old one was left.
        return {place: start if start is None or start <= ends[place] else None for place, start in starts.items()}

    def _round(self, records: Sequence[Received]) -> Kept:
        labels = list(self._labels(records))
        words = [word for label in labels if (word := word_of(label))]
        found = Kept(labels=len(words), unreadable=len(records) - len(labels))
        found.new = self._ledger.add(words)
        self._keep_pictures({word.example_id for word in words if word.label is not None}, found)
        return found

    def _labels(self, records: Iterable[Received]) -> Iterator[Label]:
        for record in records:
            try:
                yield require_sound(self._codec.decode(record.value, Label))
            except RecordError:  # the monitor sends it to dead letters
                continue

    def _keep_pictures(self, things: set[str], found: Kept) -> None:
        there = things & self._archive.ids()
        chosen = {thing for thing in things - there if is_chosen(thing, self._share)}
        found.there, found.thinned = len(there), len(things) - len(there) - len(chosen)
        gathered = self._gathered(frozenset(chosen)) if chosen else []
        for start in range(0, len(gathered), CHUNK):
            found.kept += self._archive.keep(self._with_pictures(gathered[start : start + CHUNK]))
        found.gone = len(chosen) - found.kept

    def _gathered(self, wanted: frozenset[str]) -> list[Gathered]:
        """What the topics say of these things, as far as their frames can be on the cluster."""
        gathering, kafka = Gathering(Calendar(self._settings.monitor.timezone), wanted=wanted), self._settings.kafka
        cameras = {parse_id(name).camera_id.encode() for name in wanted}
        if since := oldest(kafka, kafka.names.of(FRAMES)):
            for topic, take in takers(gathering, self._codec).items():
                self._take_in(logged_since(kafka, kafka.names.of(topic), since), cameras, take)
        return list(gathering.examples())

    def _take_in(self, records: Iterable[Received], cameras: Set[bytes], take: Take) -> None:
        for record in (record for record in records if record.key in cameras):
            with suppress(RecordError):  # the monitor sends it to dead letters
                take(record.value)

    def _with_pictures(self, gathered: Sequence[Gathered]) -> Iterator[Example]:
        origins = {shown.frame.frame_id: shown.origin for each in gathered for shown in each.shown}
        pictures = dict(pictures_of(self._settings.kafka, origins))
        return with_pictures((each.example for each in gathered), pictures)


def is_chosen(thing: str, share: float) -> bool:
    """Whether a thing is in the share of those that are kept."""
    return int.from_bytes(blake2b(thing.encode(), digest_size=8).digest(), "big") < share * 2**64


def oldest(kafka: KafkaSettings, topic: str) -> datetime | None:
    """When the oldest record was logged that a topic holds; None where it holds none."""
    places = [(topic, partition) for partition in range(partitions_of(kafka, [topic])[topic])]
    offsets = Offsets(kafka)
    first, end = offsets.first(places), offsets.committed_ends(places)
    found = [read_at(kafka, *place, first[place]) for place in places if first[place] < end[place]]
    return min((from_ms(record.timestamp_ms) if record else FIRST for record in found), default=None)


def _taken(reader: SpanReader, before_ms: int) -> Iterator[Received]:
    """Up to so many records, of each partition those before the first that is too young."""
    young, count = set[int](), 0
    for record in reader.rest("labels"):
        if record.timestamp_ms >= before_ms:
            young.add(record.partition)
        if record.partition not in young:
            count += 1
            yield record
        if count == AT_ONCE:
            return


def word_of(label: Label) -> GivenLabel | None:
    """Return what a label says; None of one that only promises, or is no word that can be counted."""
    target = label.passage_id or label.frame_id
    if target is None or any(faults_of(label)):
        return None
    return GivenLabel(target, label.label, label.source, label.labelled_at, label.weight)
