"""Examples with their pictures, kept past the topic's retention: written by many at once, torn by none."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from itertools import islice
from typing import Final

from models.archive.entries import INDEX_LIMIT, Index, after, decode_index, encode_index, index_of
from models.archive.examples import Example, ExampleFrame
from models.archive.names import id_of, index_name, sha256_of
from models.files import Files
from schemas.errors import ArchiveError

EXAMPLES: Final = "examples"
PICTURE_LIMIT: Final = 2 * 1024 * 1024
"The largest picture, bytes: as large as a frame may be on its topic."
AT_ONCE: Final = 100
"Examples' files read together."

Told = Callable[[str], None]
"Takes what is wrong with an example that is left out."


class Archive:
    """Examples under an address.

    <address>/pictures/<day>/<camera>/<frame>-<checksum>.jpg    in place before the example that names it
    <address>/examples/<id>.json                                created once, the last of an example's files

    A picture that no example names was left by a writer that was killed, and harms nobody.
    """

    def __init__(self, files: Files, address: str) -> None:
        """Take files, and what errors call their place; nothing is opened or created yet."""
        self.address = address.rstrip("/")
        self._files = files

    def keep(self, examples: Iterable[Example]) -> int:
        """Keep examples with those of their frames that have a picture; return how many were not kept before.

        One without any picture is left out; one that is kept already stays as it is.

        Raises:
            ArchiveError: a picture is too large, something would not be read again, or there is no room. What was kept
                before stays; the rest is kept when it is done again.

        """
        kept = 0
        for example in examples:
            with after(kept, "examples were kept"):
                kept += self._keep(example)
        return kept

    def ids(self) -> frozenset[str]:
        """Return the ids of the examples that are kept."""
        names = [name for name in self._files.names(EXAMPLES) if name.endswith(".json")]
        told = {name: id_of(name) for name in names}
        unsaid = (self._index(name).example.example_id for name, example_id in told.items() if example_id is None)
        return frozenset(example_id for example_id in told.values() if example_id is not None).union(unsaid)

    def read(self, example_ids: Iterable[str], damaged: Told | None = None) -> Iterator[Example]:
        """Give examples in the order asked, each once its pictures have been compared with their checksums.

        Those that are not kept are left out. `damaged` is told of each that is torn or was changed, and it is left out
        too; without `damaged`, ArchiveError says so.
        """
        wanted = iter(example_ids)
        while together := list(islice(wanted, AT_ONCE)):
            names = [index_name(example_id) for example_id in together]
            contents = self._files.read_all([f"{EXAMPLES}/{name}" for name in names], INDEX_LIMIT)
            for example_id, name, raw in zip(together, names, contents, strict=True):
                if raw is not None:
                    yield from self._sound(example_id, name, raw, damaged)

    def _keep(self, example: Example) -> bool:
        name = f"{EXAMPLES}/{index_name(example.example_id)}"
        if not any(frame.picture for frame in example.frames) or self._files.read(name, 0) is not None:
            return False
        index = index_of(example)
        raw = encode_index(index)
        pictures = [frame.picture for frame in example.frames if frame.picture]
        for frame, picture in zip(index.example.frames, pictures, strict=True):
            self._put(frame.picture.decode(), picture)
        return self._files.create(name, raw)

    def _put(self, name: str, picture: bytes) -> None:
        """Put a picture in place; what has its name and is another was damaged."""
        if len(picture) > PICTURE_LIMIT:
            raise ArchiveError(f"{self._where(name)}: {len(picture)} bytes, and at most {PICTURE_LIMIT} are kept")
        if not self._files.create(name, picture) and self._files.read(name, len(picture)) != picture:
            self._files.write(name, picture)

    def _sound(self, example_id: str, name: str, raw: bytes, damaged: Told | None) -> Iterator[Example]:
        try:
            yield self._example(example_id, decode_index(raw, self._where(f"{EXAMPLES}/{name}")))
        except ArchiveError as error:
            if damaged is None:
                raise
            damaged(str(error))

    def _example(self, example_id: str, index: Index) -> Example:
        if index.example.example_id != example_id:
            where = self._where(f"{EXAMPLES}/{index_name(example_id)}")
            raise ArchiveError(f"{where}: is of {index.example.example_id}: it was changed; put it back from a backup")
        names = [frame.picture.decode() for frame in index.example.frames]
        pictures = self._files.read_all(names, PICTURE_LIMIT)
        frames = zip(index.example.frames, index.sha256, pictures, strict=True)
        return replace(index.example, frames=tuple(self._frame(*frame) for frame in frames))

    def _frame(self, frame: ExampleFrame, sha256: str, picture: bytes | None) -> ExampleFrame:
        if picture is None or sha256_of(picture) != sha256:
            found = "is gone" if picture is None else "is torn or was changed"
            raise ArchiveError(
                f"{self._where(frame.picture.decode())} {found}: put it back from a backup, or remove the example's"
                f" file in {EXAMPLES}/ so that it is kept anew while the cluster still has its pictures"
            )
        return replace(frame, picture=picture)

    def _index(self, name: str) -> Index:
        raw = self._files.read(f"{EXAMPLES}/{name}", INDEX_LIMIT)
        return decode_index(raw or b"", self._where(f"{EXAMPLES}/{name}"))

    def _where(self, name: str) -> str:
        return f"{self.address}/{name}"
