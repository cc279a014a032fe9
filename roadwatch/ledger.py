"""What became of every frame: each ends in exactly one place, and this proves it from the topics themselves."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from runtime.clients import Received
from runtime.registry import open_codec
from runtime.settings import KafkaSettings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.dead_letters import read_dead_letter
from schemas.records import Prediction
from schemas.topics import FRAMES, PREDICTIONS

Place = tuple[int, int]
"Partition and offset on the frames topic."


@dataclass(frozen=True, slots=True)
class Ledger:
    """Frames by what became of them."""

    frames: int
    "Records on the frames topic now."
    predicted: int
    "Of them, those with exactly one prediction."
    dead_lettered: int
    "Of them, those with exactly one dead letter, and no prediction."
    waiting: int
    "Of them, those with neither: not processed yet."
    doubled: tuple[Place, ...]
    "Those that ended more than once; empty when all is well."
    expired: int
    "Predictions and dead letters whose frame's retention has passed."

    @property
    def balanced(self) -> bool:
        """Whether no frame ended twice, and none is unaccounted for."""
        return not self.doubled and self.frames == self.predicted + self.dead_lettered + self.waiting


def read_ledger(kafka: KafkaSettings) -> Ledger:
    """Count the frames of a cluster; reads three topics from their beginnings.

    Raises:
        BrokerError: the cluster does not give them.

    """
    codec = open_codec(kafka)
    frames = kafka.names.of(FRAMES)
    return balance(
        frames=((record.partition, record.offset) for record in read_all(kafka, frames)),
        predicted=(_origin(record, codec) for record in read_all(kafka, kafka.names.of(PREDICTIONS))),
        buried=(_buried(record) for record in read_all(kafka, kafka.names.dead_letters_of(FRAMES))),
    )


def balance(frames: Iterable[Place], predicted: Iterable[Place], buried: Iterable[Place]) -> Ledger:
    """The ledger of frames, given where they lie and where the frames of predictions and dead letters lay."""
    there = set(frames)
    predictions, letters = Counter(predicted), Counter(buried)
    ends = predictions + letters
    newest = _newest(there)
    return Ledger(
        frames=len(there),
        predicted=sum(ends[place] == 1 and place in predictions for place in there),
        dead_lettered=sum(ends[place] == 1 and place in letters for place in there),
        waiting=sum(place not in ends for place in there),
        doubled=tuple(sorted(place for place, count in ends.items() if count > 1)),
        expired=sum(_is_past(place, newest) for place in ends.keys() - there),
    )


def _newest(there: Iterable[Place]) -> dict[int, int]:
    """The newest offset of each partition."""
    newest: dict[int, int] = {}
    for partition, offset in there:
        newest[partition] = max(offset, newest.get(partition, offset))
    return newest


def _is_past(place: Place, newest: Mapping[int, int]) -> bool:
    """Whether a frame is gone, rather than newer than those that were read."""
    partition, offset = place
    return offset <= newest.get(partition, offset)


def _origin(record: Received, codec: Codec) -> Place:
    origin = codec.decode(record.value, Prediction).origin
    return origin.partition, origin.offset


def _buried(record: Received) -> Place:
    letter = read_dead_letter(record.headers)
    return letter.partition, letter.offset
