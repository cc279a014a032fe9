"""The registry where it lies: a folder or an object store, written by many at once, torn by none."""

import random
import re
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from functools import cached_property, reduce
from threading import RLock
from typing import Any, Final

from models.bundle import MANIFEST, About, Bundle, Read, bundle_files, read_about, read_bundle, sha256_of
from models.files import Files, Owner, open_files
from models.registry.entries import LIMIT, Link, decode, encode, file_name, number_of
from models.registry.history import NOTHING, Alias, Entry, State, Step, check, fold, follow, rollback_step, until
from schemas.errors import ModelRegistryError

OWNER: Final = Owner("registry", "models.registry", "models.options", ModelRegistryError)
HISTORY: Final = "history"
BUNDLES: Final = "bundles"
AT_ONCE: Final = 500
"Entries read together at first."
ATTEMPTS: Final = 100
"So often an entry is tried where others are always first."
LONGEST_PAUSE_S: Final = 0.5
ATTACHMENT_LIMIT: Final = 32 * 1024 * 1024
"The largest file kept with a version, bytes."
ATTACHMENT: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")


class Registry:
    """A registry under an fsspec address. Threads may share one.

    <address>/history/00000001.json              one entry each, created once, never changed
    <address>/bundles/<version>/<checksum>/…     a bundle's files, in place before its registration is in the history
    <address>/reports/<version>/<name>           what belongs to a version beside its bundle: qualification reports

    The checksum is the beginning of the manifest's: two who register different bundles under one version at once do
    not write over each other, and only one gets into the history.
    """

    def __init__(self, address: str, options: Mapping[str, Any] | None = None) -> None:
        """Take an address; nothing is opened or created yet."""
        self.address = address
        self._options = dict(options or {})
        self._lock = RLock()
        self._links: list[Link] = []
        self._state = NOTHING

    def history(self) -> tuple[Entry, ...]:
        """All entries, in order; entries once read are kept. Empty where there is no registry yet.

        Raises ModelRegistryError for a gap, a torn or changed entry, and when the address cannot be reached.
        """
        with self._lock:
            self._catch_up(listing=not self._links)
            return tuple(link.entry for link in self._links)

    def state(self, at: datetime | None = None) -> State:
        """The state now, or at a past time."""
        with self._lock:
            entries = self.history()
            return self._state if at is None else fold(until(entries, at))

    def register(self, bundle: Bundle, *, at: datetime, by: str, reason: str = "") -> Entry:
        """Put a bundle's files in place, then its registration into the history; the same bundle twice is refused."""
        files = bundle_files(bundle)
        sha256 = sha256_of(files[MANIFEST])
        read_bundle(lambda name, _limit: files[name], bundle.version)
        step = Step("registered", bundle.version, at, by, reason, figures=_figures(bundle), manifest_sha256=sha256)
        check(self.state(), step)
        encode(None, step, "")
        for name, content in files.items():
            self._files.write(f"{_folder(bundle.version, sha256)}/{name}", content)
        return self._commit_registration(step)

    def record(self, step: Step) -> Entry:
        """Append a step that the state allows.

        Raises ModelRegistryError when the version is not registered; when a promotion's version is not approved and no
        reason is given; when nothing is there to roll back to or to withdraw.
        """
        if step.action == "registered":
            raise ModelRegistryError(f"{step.version}: a registration comes with its bundle: Registry.register")
        return self._append(lambda _state: step)

    def rollback(self, alias: Alias, *, at: datetime, by: str, reason: str = "") -> Entry:
        """Give the alias back to the version that had it before; raises ModelRegistryError where there is none."""
        return self._append(lambda state: rollback_step(state, alias, at=at, by=by, reason=reason))

    def load(self, version: str) -> Bundle:
        """Read a registered bundle, every file compared with its checksum and the manifest with the history's."""
        return read_bundle(*self._bundle(version))

    def about(self, version: str) -> About:
        """Read a registered bundle's manifest and card alone, compared as `load` does."""
        return read_about(*self._bundle(version))

    def attach(self, version: str, name: str, content: bytes) -> None:
        """Keep a file with a version, such as `qualification-00000007.html`."""
        self._manifest_sha256(version)
        if len(content) > ATTACHMENT_LIMIT:
            raise ModelRegistryError(f"{name}: {len(content)} bytes, and at most {ATTACHMENT_LIMIT} are kept")
        self._files.write(_attachment(version, name), content)

    def attached(self, version: str, name: str) -> bytes:
        """Return a file kept with a version; raises ModelRegistryError where it is not there."""
        self._manifest_sha256(version)
        content = self._required(_attachment(version, name), ATTACHMENT_LIMIT)
        if len(content) > ATTACHMENT_LIMIT:
            raise ModelRegistryError(f"{self._where(name)}: more than the {ATTACHMENT_LIMIT} bytes that are kept")
        return content

    def _bundle(self, version: str) -> tuple[Read, str]:
        """Return what reads a version's files, and where they lie; its manifest is what the history says, or none."""
        sha256 = self._manifest_sha256(version)
        folder = _folder(version, sha256)

        def read(name: str, limit: int) -> bytes:
            content = self._required(f"{folder}/{name}", limit)
            if name == MANIFEST and len(content) <= limit and sha256_of(content) != sha256:
                raise ModelRegistryError(
                    f"{self._where(folder)}/{name}: SHA-256 is {sha256_of(content)}, the history says {sha256}: the file"
                    " was changed or is torn; put it back from where the bundle came from"
                )
            return content

        return read, self._where(folder)

    @cached_property
    def _files(self) -> Files:
        return open_files(self.address, self._options, OWNER)

    def _where(self, name: str) -> str:
        return f"{self.address.rstrip('/')}/{name}"

    def _required(self, name: str, limit: int) -> bytes:
        content = self._files.read(name, limit)
        if content is None:
            raise ModelRegistryError(f"{self._where(name)} is not there; put it back from where it came, or a backup")
        return content

    def _manifest_sha256(self, version: str) -> str:
        known = self._state.versions.get(version) or self.state().versions.get(version)
        if known is None:
            raise ModelRegistryError(f"{version} is not registered in {self.address}; see 'roadwatch models list'")
        return str(known.registered.step.manifest_sha256)

    def _catch_up(self, *, listing: bool) -> None:
        """Read what is new. A listing finds gaps; without one, the next entry is asked for by its name."""
        last = self._links[-1] if self._links else None
        if last is not None:
            self._check_kept(last)
        fresh: list[Link] = []
        for number, raw in self._contents(listing=listing):
            last = decode(raw, last, self._where(_entry_name(number)))
            fresh.append(last)
        self._keep(fresh)

    def _check_kept(self, last: Link) -> None:
        """Entries never change: the newest that was read is there still, or somebody had his hands in the registry."""
        name = _entry_name(last.entry.number)
        raw = self._files.read(name, LIMIT)
        if raw is None or sha256_of(raw) != last.sha256:
            found = "is gone" if raw is None else "was changed"
            raise ModelRegistryError(
                f"{self._where(name)} {found} since it was read: the registry was removed, moved or put back to an"
                " earlier time; put it back, and restart what read it"
            )

    def _contents(self, *, listing: bool) -> Iterator[tuple[int, bytes]]:
        """Entries after those that are known, by number."""
        newest = max(self._newest(), len(self._links)) if listing else len(self._links)
        for start in range(len(self._links) + 1, newest + 1, AT_ONCE):
            yield from self._several(range(start, min(start + AT_ONCE, newest + 1)))
        while (raw := self._files.read(_entry_name(newest + 1), LIMIT)) is not None:
            newest += 1
            yield newest, raw

    def _newest(self) -> int:
        numbers = map(number_of, self._files.names(HISTORY))
        return max((number for number in numbers if number is not None), default=0)

    def _several(self, numbers: Sequence[int]) -> Iterator[tuple[int, bytes]]:
        contents = self._files.read_all([_entry_name(number) for number in numbers], LIMIT)
        for number, raw in zip(numbers, contents, strict=True):
            if raw is None:
                raise ModelRegistryError(
                    f"{self._where(_entry_name(number))} is missing, and later entries are there: put it back from a"
                    " backup; nothing is recorded until then"
                )
            yield number, raw

    def _keep(self, fresh: Sequence[Link]) -> None:
        self._links += fresh
        self._state = reduce(follow, (link.entry for link in fresh), self._state)

    def _append(self, make: Callable[[State], Step]) -> Entry:
        """Put a step behind the newest entry; where somebody else was first, look again at what is allowed."""
        token = secrets.token_hex(8)
        for attempt in range(ATTEMPTS):
            with self._lock:
                entry = self._try_append(make, token)
            if entry is not None:
                return entry
            time.sleep(random.uniform(0, min(LONGEST_PAUSE_S, 0.002 * 2**attempt)))  # noqa: S311  # no secret
        raise ModelRegistryError(
            f"{self.address}: others wrote first {ATTEMPTS} times; nothing was recorded; try again"
        )

    def _try_append(self, make: Callable[[State], Step], token: str) -> Entry | None:
        self._catch_up(listing=True)
        step = make(self._state)
        check(self._state, step)
        link, raw = encode(self._links[-1] if self._links else None, step, token)
        if not self._files.create(_entry_name(link.entry.number), raw):
            return None
        self._keep([link])
        return link.entry

    def _commit_registration(self, step: Step) -> Entry:
        try:
            return self._append(lambda _state: step)
        finally:
            self._clear(step.version)

    def _clear(self, version: str) -> None:
        """Remove what others, or killed ones, left of a version that is registered: nothing will ever refer to it."""
        known = self._state.versions.get(version)
        if known is None:
            return
        kept = _folder(version, str(known.registered.step.manifest_sha256))
        with suppress(ModelRegistryError):  # what is left takes room and harms nobody
            for name in self._files.names(f"{BUNDLES}/{version}"):
                if f"{BUNDLES}/{version}/{name}" != kept:
                    self._files.remove(f"{BUNDLES}/{version}/{name}")


def _figures(bundle: Bundle) -> dict[str, float] | None:
    """Return what the card says, so that a list of versions needs no cards; None where nothing was measured."""
    overall = bundle.card.evaluation.overall
    if overall.n == 0:
        return None
    return {"accuracy": overall.accuracy, "calibration_error": overall.calibration_error, "pictures": float(overall.n)}


def _entry_name(number: int) -> str:
    return f"{HISTORY}/{file_name(number)}"


def _folder(version: str, manifest_sha256: str) -> str:
    return f"{BUNDLES}/{version}/{manifest_sha256[:16]}"


def _attachment(version: str, name: str) -> str:
    if not ATTACHMENT.fullmatch(name):
        raise ModelRegistryError(f"{name!r} is no name for a file kept with a version: letters, digits, '.', '_', '-'")
    return f"reports/{version}/{name}"
