"""Pictures of frames from where they lie on the cluster, and examples with them."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from models.archive.examples import Example
from runtime.offsets import Offsets
from runtime.picking import read_picked
from runtime.registry import open_codec
from runtime.settings import KafkaSettings
from schemas.errors import RecordError
from schemas.records import Frame, Origin


def pictures_of(kafka: KafkaSettings, origins: Mapping[str, Origin]) -> Iterator[tuple[str, bytes]]:
    """Give frames' pictures by their ids, as they are read; those that are no longer there are left out.

    Raises:
        BrokerError: the cluster does not give them.

    """
    codec, wanted = open_codec(kafka), set(origins)
    places = {((origin.topic, origin.partition), origin.offset) for origin in origins.values()}
    for record in read_picked(kafka, places):
        try:
            frame = codec.decode(record.value, Frame)
        except RecordError:  # its topic was made anew, and another record lies there
            continue
        if frame.frame_id in wanted:
            yield frame.frame_id, frame.picture


def kept_frames(kafka: KafkaSettings, origins: Mapping[str, Origin]) -> frozenset[str]:
    """Return the frames whose records lie on the cluster still, as far as that is known without reading them."""
    places = {(origin.topic, origin.partition) for origin in origins.values()}
    first = Offsets(kafka).first(places)
    return frozenset(name for name, at in origins.items() if at.offset >= first[at.topic, at.partition])


def without_pictures(example: Example) -> Example:
    """Return the example as light as it can be."""
    return replace(example, frames=tuple(replace(frame, picture=b"") for frame in example.frames))


def with_pictures(examples: Iterable[Example], pictures: Mapping[str, bytes]) -> Iterator[Example]:
    """Give the examples, those of their frames alone of which there is a picture; those without any are left out."""
    for example in examples:
        frames = tuple(replace(f, picture=pictures[f.frame_id]) for f in example.frames if pictures.get(f.frame_id))
        if frames:
            yield replace(example, frames=frames)
