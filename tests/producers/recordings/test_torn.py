"""Torn anywhere, flipped anywhere: salvaged up to there or refused, said clearly, never a traceback."""

import random
import shutil
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TypeVar

import pytest

from producers.recordings.index import NAME
from producers.recordings.recording import open_recording
from producers.recordings.verifying import salvage, verify
from producers.recordings.writing import pack
from schemas.errors import RecordingError
from tests.support.entries import Kept, begun, kept, write

T = TypeVar("T")
Damage = Callable[[bytes, random.Random], bytes]
PLACES = 100


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A recording of four chains, a segment each."""
    folder = tmp_path_factory.mktemp("small") / "day"
    with begun(folder) as writer:
        write(writer, 12, flush_every=3)
        writer.seal(complete=True)
    return folder


@pytest.fixture(scope="module")
def whole(small: Path) -> Kept:
    return kept(small)


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder in memory where there is such a thing: a thousand recordings are made here, each safe on its disk."""
    memory = Path("/dev/shm")
    with TemporaryDirectory(dir=memory if memory.is_dir() else None) as folder:
        yield Path(folder)


def _cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))]


def _flipped(data: bytes, rng: random.Random) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << rng.randrange(8)]) + data[at + 1 :]


def _damaged(small: Path, place: Path, damage: Damage, part: str) -> Iterator[Path]:
    """The recording a hundred times, each time damaged elsewhere."""
    rng = random.Random(11)
    if part == "zip":
        pack(small, place / "whole.zip")
    for number in range(PLACES):
        copy = place / f"{number}"
        if part == "zip":
            shutil.copy(place / "whole.zip", copy)
        else:
            shutil.copytree(small, copy)
        file = copy if part == "zip" else copy / part
        file.write_bytes(damage(file.read_bytes(), rng))
        yield copy


def _unless_refused(path: Path, work: Callable[[], T]) -> T | None:
    """What some work gives; None where it is refused, which says of what and what to do."""
    try:
        return work()
    except RecordingError as error:
        said = str(error)
    assert path.name in said
    assert any(words in said for words in ("roadwatch record verify", "nothing of it is whole", "unpack it", "twice"))
    return None


def _is_prefix(found: Kept, whole: Kept) -> bool:
    return all(entries == whole[chain][: len(entries)] for chain, entries in found.items())


@pytest.mark.parametrize("damage", [_cut, _flipped])
@pytest.mark.parametrize("part", ["labels/1-0000.avro", NAME, "zip"])
def test_damage_anywhere_is_salvaged_up_to_there_or_refused(
    small: Path, whole: Kept, place: Path, part: str, damage: Damage
) -> None:
    salvages = 0
    for path in _damaged(small, place, damage, part):
        sound = verify(path).sound
        read = _unless_refused(path, partial(kept, path))
        assert read == whole if sound else read in (None, whole)
        done = _unless_refused(path, partial(salvage, path, path.with_name(f"{path.name}-kept"), made_by="test"))
        if done:
            found = kept(done.folder)
            salvages += 1
            assert _is_prefix(found, whole)
            assert sum(map(len, found.values())) == done.records
            assert found == whole or not sound
    assert salvages > PLACES // 2


def test_nothing_of_a_damaged_recording_is_given_before_its_segment_is_proven(small: Path, tmp_path: Path) -> None:
    """The checksum is looked at first: no consumer gets half a segment and then an error."""
    copy = Path(shutil.copytree(small, tmp_path / "day"))
    file = copy / "frames" / "0-0000.avro"
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(RecordingError, match="torn"):
        next(open_recording(copy).entries())
