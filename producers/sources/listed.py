"""A source of given pictures and given faults: for dry runs and tests."""

from collections.abc import Iterable

from producers.source import Picture
from schemas.errors import SourceError


class ListSource:
    """Gives pictures in order; where an error stands among them, that reading fails."""

    def __init__(self, items: Iterable[Picture | SourceError]) -> None:
        self._items = iter(items)
        self.closed = False
        "Whether it was let go of."

    def read(self) -> Picture | None:
        """The next picture, or None after the last one."""
        item = None if self.closed else next(self._items, None)
        if isinstance(item, SourceError):
            raise item
        return item

    def close(self) -> None:
        """End the pictures; a second call does nothing."""
        self.closed = True
