"""Fetches what the local stack runs on a JVM: pinned files from Maven Central, checked, kept in the user's cache."""

import fcntl
import hashlib
import http.client
import re
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import resources
from pathlib import Path

import structlog

from schemas.errors import LocalStackError

log = structlog.get_logger(__name__)

MAVEN_CENTRAL = "https://repo1.maven.org/maven2"

Progress = Callable[[int, int], None]
"""Told the bytes that are here and the bytes in all; called from download threads, one call at a time."""

_COORDINATES = re.compile(
    r"(?P<group>[\w.-]+):(?P<name>[\w.-]+):(?P<version>[\w.-]+)(:(?P<classifier>[\w.-]+))?(@(?P<extension>[\w.]+))?"
)
_THREADS = 6
_BLOCK = 1 << 16
_TIMEOUT_S = 30
_PAUSES_S = (0.5, 2.0)


@dataclass(frozen=True, slots=True)
class Artifact:
    """One file of a Maven repository, pinned to its content."""

    group: str
    """Who publishes it, dotted."""
    name: str
    """Its artifact id."""
    version: str
    """Its version."""
    classifier: str
    """Which of a version's files it is; empty for the ordinary one."""
    extension: str
    """`jar` or `tar.gz`."""
    size_bytes: int
    """Its exact length."""
    sha256: str
    """SHA-256 of its content, in hexadecimal."""

    @property
    def file_name(self) -> str:
        """The file's name in a repository and in the cache."""
        classifier = f"-{self.classifier}" if self.classifier else ""
        return f"{self.name}-{self.version}{classifier}.{self.extension}"

    @property
    def path(self) -> str:
        """Where it lies under a Maven repository's root."""
        return "/".join([*self.group.split("."), self.name, self.version, self.file_name])


def read_list(text: str) -> list[Artifact]:
    """Parse lines of `sha256  bytes  group:artifact:version[:classifier][@extension]`; `#` opens a comment line.

    Raises ValueError with the line's number when a line is none of these.
    """
    lines = ((number, line.strip()) for number, line in enumerate(text.splitlines(), start=1))
    return [_read_line(number, line) for number, line in lines if line and not line.startswith("#")]


def pinned(name: str) -> list[Artifact]:
    """Give the list of that name which ships in this package: `kafka` or `apicurio`."""
    return read_list((resources.files("runtime") / "pinned" / f"{name}.sha256").read_text("utf-8"))


def cache_folder(environment: Mapping[str, str]) -> Path:
    """Say where fetched files are kept: ROADWATCH_CACHE, else roadwatch/jars in XDG_CACHE_HOME or ~/.cache."""
    if chosen := environment.get("ROADWATCH_CACHE"):
        return Path(chosen).expanduser().absolute()
    base = environment.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "roadwatch" / "jars"


def fetch(
    artifacts: Sequence[Artifact],
    environment: Mapping[str, str],
    progress: Progress | None = None,
    pauses_s: Sequence[float] = _PAUSES_S,
) -> list[Path]:
    """Give the files of these artifacts, downloading those that the cache lacks or holds damaged.

    ROADWATCH_MAVEN names a mirror's base address. Each file appears in the cache only once its SHA-256 is right, so an
    interrupted fetch goes on where it stopped; two processes take turns. A failed download is tried again after each of
    `pauses_s` seconds.

    Raises LocalStackError when a file cannot be had, or is not the one that is pinned.
    """
    folder = cache_folder(environment)
    if missing := _missing(artifacts, folder):
        with _turn(folder):
            missing = _missing(missing, folder)
            base_url = environment.get("ROADWATCH_MAVEN", MAVEN_CENTRAL).rstrip("/")
            _Download(missing, base_url, folder, progress, pauses_s).run()
    return [folder / artifact.file_name for artifact in artifacts]


class _Download:
    """The download of some artifacts: how much of each has come, and whether to go on."""

    def __init__(
        self,
        artifacts: Sequence[Artifact],
        base_url: str,
        folder: Path,
        progress: Progress | None,
        pauses_s: Sequence[float],
    ) -> None:
        self._artifacts = artifacts
        self._base_url = base_url
        self._folder = folder
        self._progress = progress
        self._pauses_s = pauses_s
        self._came = dict.fromkeys(artifacts, 0)
        self._counting = threading.Lock()
        self._cancelled = threading.Event()

    def run(self) -> None:
        """Fetch all, a few at a time; the first failure, or Ctrl-C, ends the others."""
        log.info("fetching files", files=len(self._artifacts), origin=self._base_url)
        with ThreadPoolExecutor(_THREADS, thread_name_prefix="fetch") as threads:
            try:
                for future in as_completed([threads.submit(self._fetch, artifact) for artifact in self._artifacts]):
                    future.result()
            finally:
                self._cancelled.set()

    def _fetch(self, artifact: Artifact) -> None:
        for pause_s in self._pauses_s:
            try:
                return self._fetch_once(artifact)
            except (OSError, http.client.HTTPException) as exc:
                log.warning("download failed, trying again", file=artifact.file_name, reason=str(exc))
                self._cancelled.wait(pause_s)
        try:
            return self._fetch_once(artifact)
        except (OSError, http.client.HTTPException) as exc:
            raise LocalStackError(self._advice(artifact, exc)) from exc

    def _fetch_once(self, artifact: Artifact) -> None:
        if self._cancelled.is_set():
            return
        part = self._folder / f"{artifact.file_name}.part"
        try:
            for came in self._copy(artifact, part):
                self._count(artifact, came)
            if not self._cancelled.is_set():
                self._keep(artifact, part)
        finally:
            part.unlink(missing_ok=True)

    def _copy(self, artifact: Artifact, part: Path) -> Iterator[int]:
        """Copy what the repository sends, at most one block more than is pinned; yields the bytes so far."""
        came = 0
        reply = urllib.request.urlopen(f"{self._base_url}/{artifact.path}", timeout=_TIMEOUT_S)  # noqa: S310 - the content is pinned
        with reply, part.open("wb") as file:
            while came <= artifact.size_bytes and not self._cancelled.is_set() and (block := reply.read(_BLOCK)):
                came += file.write(block)
                yield came

    def _keep(self, artifact: Artifact, part: Path) -> None:
        if (found := _sha256(part)) != artifact.sha256:
            raise LocalStackError(
                f"{self._base_url}/{artifact.path} is not the file that is pinned: its SHA-256 is {found}, "
                f"{artifact.sha256} is wanted. It was deleted; check what stands between this machine and the "
                "repository, or set ROADWATCH_MAVEN to a mirror of Maven Central"
            )
        part.replace(self._folder / artifact.file_name)

    def _count(self, artifact: Artifact, came: int) -> None:
        if self._progress is None:
            return
        with self._counting:
            self._came[artifact] = min(came, artifact.size_bytes)
            self._progress(sum(self._came.values()), sum(each.size_bytes for each in self._artifacts))

    def _advice(self, artifact: Artifact, exc: Exception) -> str:
        return (
            f"cannot download {artifact.file_name} from {self._base_url} ({exc}): check the network or the proxy, "
            f"set ROADWATCH_MAVEN to a mirror of Maven Central, or copy the {len(self._artifacts)} missing files "
            f"into {self._folder} by hand"
        )


def _read_line(number: int, line: str) -> Artifact:
    sha256, size, coordinates = (*line.split(), "", "", "")[:3]
    found = _COORDINATES.fullmatch(coordinates)
    if found is None or not size.isdecimal() or not re.fullmatch("[0-9a-f]{64}", sha256):
        raise ValueError(f"line {number} is no `sha256  bytes  group:artifact:version`: {line!r}")
    parts = found.groupdict(default="")
    return Artifact(
        group=parts["group"],
        name=parts["name"],
        version=parts["version"],
        classifier=parts["classifier"],
        extension=parts["extension"] or "jar",
        size_bytes=int(size),
        sha256=sha256,
    )


def _missing(artifacts: Sequence[Artifact], folder: Path) -> list[Artifact]:
    return [artifact for artifact in artifacts if not _is_intact(folder / artifact.file_name, artifact)]


def _is_intact(path: Path, artifact: Artifact) -> bool:
    return path.is_file() and path.stat().st_size == artifact.size_bytes and _sha256(path) == artifact.sha256


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def _turn(folder: Path) -> Iterator[None]:
    """Let one process at a time write into the cache; the lock ends with the process that holds it."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
