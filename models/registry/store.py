"""The registry where it lies: a folder or an object store, written by many at once, torn by none."""

from collections.abc import Mapping
from datetime import datetime

from models.bundle import Bundle
from models.registry.history import Alias, Entry, State, Step


class Registry:
    """A registry under an fsspec address.

    <address>/history/00000001.json          one entry each, created once, never changed
    <address>/bundles/<version>/…            a bundle's files, in place before its registration is in the history
    <address>/reports/<version>/<name>       what belongs to a version beside its bundle: qualification reports
    """

    def __init__(self, address: str, options: Mapping[str, str] | None = None) -> None:
        """Take an address; nothing is opened or created yet."""
        raise NotImplementedError

    def history(self) -> tuple[Entry, ...]:
        """All entries, in order; entries once read are kept. Empty where there is no registry yet.

        Raises ModelRegistryError for a gap, a torn or changed entry, and when the address cannot be reached.
        """
        raise NotImplementedError

    def state(self, at: datetime | None = None) -> State:
        """The state now, or at a past time."""
        raise NotImplementedError

    def register(self, bundle: Bundle, *, at: datetime, by: str, reason: str = "") -> Entry:
        """Put a bundle's files in place, then its registration into the history; the same bundle twice is refused."""
        raise NotImplementedError

    def record(self, step: Step) -> Entry:
        """Append a step that the state allows.

        Raises ModelRegistryError when the version is not registered; when a promotion's version is not approved and no
        reason is given; when nothing is there to roll back to or to withdraw.
        """
        raise NotImplementedError

    def rollback(self, alias: Alias, *, at: datetime, by: str, reason: str = "") -> Entry:
        """Give the alias back to the version that had it before; raises ModelRegistryError where there is none."""
        raise NotImplementedError

    def load(self, version: str) -> Bundle:
        """Read a registered bundle, every file compared with its checksum and the manifest with the history's."""
        raise NotImplementedError

    def attach(self, version: str, name: str, content: bytes) -> None:
        """Keep a file with a version, such as `qualification-00000007.html`."""
        raise NotImplementedError

    def attached(self, version: str, name: str) -> bytes:
        """Return a file kept with a version; raises ModelRegistryError where it is not there."""
        raise NotImplementedError
