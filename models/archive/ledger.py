"""What was asked for, and every word that was ever given: appended, never changed, by many at once."""

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Final

from models.archive.entries import (
    POSITIONS_LIMIT,
    REQUEST_LIMIT,
    WORDS_LIMIT,
    after,
    decode_positions,
    decode_request,
    decode_words,
    encode_positions,
    encode_request,
    encode_words,
    in_utc,
)
from models.archive.examples import GivenLabel, Request
from models.archive.names import index_name, sha256_of
from models.files import Files
from schemas.errors import ArchiveError

REQUESTS: Final = "requests"
WORDS: Final = "words"
POSITIONS: Final = "positions"
AT_ONCE: Final = 100
"Files read together."


class Ledger:
    """Requests and words under an address.

    <address>/requests/<request>.json      one each, created once
    <address>/words/<checksum>.json        up to a thousand words, created once
    <address>/positions/<reader>.json      how far a reader of a topic has come; replaced each time

    A file of words is named by its content: two who say the same write the same file, and two who say different things
    write two. What files say twice counts once.
    """

    def __init__(self, files: Files, address: str) -> None:
        """Take files, and what errors call their place; nothing is opened or created yet."""
        self.address = address.rstrip("/")
        self._files = files
        self._requests: dict[str, Request] = {}
        self._words: dict[GivenLabel, None] = {}
        self._read: set[str] = set()

    def ask(self, request: Request) -> bool:
        """Record a request; False where it was asked before, and nothing was written."""
        name, raw = f"{REQUESTS}/{index_name(request.request_id)}", encode_request(request)
        return self._files.read(name, 0) is None and self._files.create(name, raw)

    def requests(self) -> tuple[Request, ...]:
        """Return every request, in the order asked.

        Raises ArchiveError naming a file that is torn or was changed.
        """
        for name, raw in self._fresh(REQUESTS, self._requests.keys(), REQUEST_LIMIT):
            self._requests[name] = self._request(name, raw)
        return tuple(sorted(self._requests.values(), key=lambda request: (request.asked_at, request.request_id)))

    def add(self, labels: Sequence[GivenLabel]) -> int:
        """Record words; return how many were new.

        Raises:
            ArchiveError: there is no room, or a word would not be read again. Of more than a thousand words some may be
                recorded then; the others are when it is done again.

        """
        self._catch_up()
        new = [label for label in dict.fromkeys(map(in_utc, labels)) if label not in self._words]
        for written, raw in enumerate(encode_words(new)):
            with after(written, "files of words were recorded"):
                self._files.create(f"{WORDS}/{sha256_of(raw)}.json", raw)
        return len(new)

    def labels(self) -> tuple[GivenLabel, ...]:
        """Return every word ever given, the oldest first.

        Raises ArchiveError naming a file that is torn or was changed.
        """
        self._catch_up()
        return tuple(sorted(self._words, key=_age))

    def positions(self, name: str) -> dict[str, int]:
        """Return how far a reader has come, as it was remembered last; empty before."""
        raw = self._files.read(f"{POSITIONS}/{index_name(name)}", POSITIONS_LIMIT)
        return {} if raw is None else decode_positions(raw, self._where(POSITIONS, index_name(name)))

    def remember(self, name: str, positions: Mapping[str, int]) -> None:
        """Remember how far a reader has come."""
        self._files.write(f"{POSITIONS}/{index_name(name)}", encode_positions(positions))

    def _catch_up(self) -> None:
        for name, raw in self._fresh(WORDS, self._read, WORDS_LIMIT):
            self._words.update(dict.fromkeys(decode_words(raw, name, self._where(WORDS, name))))
            self._read.add(name)

    def _fresh(self, folder: str, known: Set[str], limit: int) -> Iterator[tuple[str, bytes]]:
        """Files that were not read before: those that were are not looked at again, for they never change."""
        names = sorted({name for name in self._files.names(folder) if name.endswith(".json")} - known)
        for start in range(0, len(names), AT_ONCE):
            together = names[start : start + AT_ONCE]
            contents = self._files.read_all([f"{folder}/{name}" for name in together], limit)
            yield from ((name, raw or b"") for name, raw in zip(together, contents, strict=True))

    def _request(self, name: str, raw: bytes) -> Request:
        request = decode_request(raw, self._where(REQUESTS, name))
        if index_name(request.request_id) != name:
            raise ArchiveError(
                f"{self._where(REQUESTS, name)}: is request {request.request_id}: it was changed; put it back from a backup"
            )
        return request

    def _where(self, folder: str, name: str) -> str:
        return f"{self.address}/{folder}/{name}"


def _age(label: GivenLabel) -> tuple[object, ...]:
    return label.labelled_at, label.example_id, label.source, label.label or "", label.weight
