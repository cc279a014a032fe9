"""A bundle: a folder with everything that one version of the model needs to serve.

    road-2026.11-1a2b3c4d/
    ├── bundle.json      version, labels, preprocessing, self-test, and size and SHA-256 of the others
    ├── model.onnx       the graph
    ├── reference.onnx   where model.onnx is quantised: the graph that it was made from
    ├── card.json        data, figures, lineage, credits
    └── card.md          the same, to read

A version is a name, a month and eight digits of a checksum over graph, labels and preprocessing: nobody has to
hand out numbers, two models never share a version, and the same training gives the same one again.
"""

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import date
from functools import cache, partial
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from models.card import Card, parse_card
from models.preprocessing import Preprocessing
from schemas.errors import ModelError
from schemas.labels import CLASS_NAME

MANIFEST: Final = "bundle.json"
REFERENCE: Final = "reference.onnx"
LIMITS: Final[Mapping[str, int]] = {
    MANIFEST: 64 * 1024,
    "model.onnx": 128 * 1024 * 1024,
    REFERENCE: 128 * 1024 * 1024,
    "card.json": 1024 * 1024,
    "card.md": 1024 * 1024,
}
"The largest size of each file, bytes: looked at before a file is read."
REQUIRED: Final = frozenset({"model.onnx", "card.json", "card.md"})

BUNDLED: Final = Path(__file__).with_name("bundled") / "road"
"The bundle that comes with the distribution, and serves while nobody is champion."
SHIPPED: Final[Mapping[str, Path]] = {"bundled": BUNDLED, "fast": BUNDLED.with_name("fast")}
"Bundles that come with the distribution, by the names that people give them: `fast` costs a fourth."

Version = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
Label = Annotated[str, Field(pattern=f"^{CLASS_NAME}$")]


@dataclass(frozen=True, slots=True)
class Bundle:
    """One version of the model, read and found whole."""

    version: str
    "Such as `road-2026.11-1a2b3c4d`."
    labels: tuple[str, ...]
    "What the columns of its probabilities mean."
    preprocessing: Preprocessing
    "What it wants to be given."
    model: bytes
    "The ONNX graph."
    card: Card
    "What to know before using it."
    abstain_below: float | None = None
    "A picture whose familiarity is lower is given no label; None: each is given one."
    expected: tuple[tuple[float, ...], ...] | None = None
    "What the graph said of `models.selftest`'s pictures when it was made: probabilities, a row each; None: not known."
    reference: bytes | None = None
    "The graph in full precision, where `model` is quantised; None: `model` is not."


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file of the bundle."""

    size: int
    "Bytes."
    sha256: str
    "In hex."


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `bundle.json` says."""

    format: Literal[1]
    "Of this file."
    version: Version
    "The bundle's version."
    labels: Annotated[tuple[Label, ...], Field(min_length=2, max_length=1000)]
    "Classes, in the model's order."
    preprocessing: Preprocessing
    "What the model wants to be given."
    files: dict[str, FileEntry]
    "The other files."
    abstain_below: float | None = None
    "As in the bundle."
    expected: tuple[tuple[float, ...], ...] | None = None
    "As in the bundle."


@dataclass(frozen=True, slots=True)
class About:
    """What is to be known of a bundle without its graph."""

    manifest: Manifest
    "Labels, preprocessing, sizes and checksums."
    card: Card
    "Data, figures, limits, lineage."


Read = Callable[[str, int], bytes]
"Gives a file's content by its name, at most so many bytes and one more; raises ModelError."


def load_bundle(folder: Path) -> Bundle:
    """Read a bundle and compare every file with its checksum; raises ModelError naming what is wrong."""
    return read_bundle(partial(_read_file, folder), str(folder))


def load_about(folder: Path) -> About:
    """Read a bundle's manifest and card alone; raises ModelError."""
    return read_about(partial(_read_file, folder), str(folder))


def read_manifest(folder: Path) -> Manifest:
    """Read `bundle.json` alone, without opening the model; raises ModelError."""
    return _manifest(partial(_read_file, folder), str(folder))


def read_bundle(read: Read, where: str) -> Bundle:
    """Read a bundle from wherever its files lie, asking for fixed names alone; raises ModelError naming the file."""
    about = read_about(read, where)
    manifest, names = about.manifest, {"model.onnx", REFERENCE} & {"model.onnx", *about.manifest.files}
    graphs = {name: _verified(read, name, manifest, where) for name in names}
    return Bundle(
        version=manifest.version,
        labels=manifest.labels,
        preprocessing=manifest.preprocessing,
        model=graphs["model.onnx"],
        card=about.card,
        abstain_below=manifest.abstain_below,
        expected=manifest.expected,
        reference=graphs.get(REFERENCE),
    )


def read_about(read: Read, where: str) -> About:
    """Read manifest and card, likewise."""
    manifest = _manifest(read, where)
    _verified(read, "card.md", manifest, where)
    card = parse_card(_verified(read, "card.json", manifest, where))
    if card.version != manifest.version or card.labels != manifest.labels:
        raise ModelError(f"{where}: the card is of {card.version}, the bundle of {manifest.version}")
    return About(manifest, card)


def save_bundle(bundle: Bundle, folder: Path) -> None:
    """Write the bundle into a new folder, which appears whole or not at all; raises ModelError where one exists."""
    write_folder(bundle_files(bundle), folder)


def write_folder(files: Mapping[str, bytes], folder: Path) -> None:
    """Write files into a new folder, likewise."""
    if folder.exists():
        raise ModelError(f"{folder} exists, and is never overwritten: choose another folder, or remove it")
    draft = _draft(folder)
    try:
        for name, content in files.items():
            _write(draft / name, content)
        draft.chmod(0o755)  # mkdtemp keeps others out; a model is to be read
        draft.rename(folder)
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written: {error.strerror}") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def version_of(name: str, created: date, model: bytes, labels: tuple[str, ...], wanted: Preprocessing) -> str:
    """Return the version of what these make together."""
    identity = json.dumps({"labels": labels, "preprocessing": asdict(wanted)}, sort_keys=True).encode()
    return f"{name}-{created:%Y.%m}-{hashlib.sha256(identity + model).hexdigest()[:8]}"


def bundle_files(bundle: Bundle) -> dict[str, bytes]:
    """Return a bundle's files by name, the manifest last: whoever finds it finds the others."""
    files = {
        "model.onnx": bundle.model,
        "card.json": bundle.card.to_json(),
        "card.md": bundle.card.to_markdown().encode(),
    }
    if bundle.reference is not None:
        files[REFERENCE] = bundle.reference
    entries = {name: FileEntry(len(content), sha256_of(content)) for name, content in files.items()}
    manifest = {
        "format": 1,
        "version": bundle.version,
        "labels": bundle.labels,
        "preprocessing": asdict(bundle.preprocessing),
        "abstain_below": bundle.abstain_below,
        "expected": bundle.expected,
        "files": {name: asdict(entry) for name, entry in entries.items()},
    }
    return {**files, MANIFEST: json.dumps(manifest, indent=2).encode() + b"\n"}


def _draft(folder: Path) -> Path:
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    except OSError as error:
        raise ModelError(f"{folder}: cannot be written: {error.strerror}") from error


def _write(path: Path, content: bytes) -> None:
    with path.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _manifest(read: Read, where: str) -> Manifest:
    try:
        return _manifests().validate_json(_limited(read, MANIFEST, where))
    except ValidationError as error:
        faults = "; ".join(f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors())
        raise ModelError(f"{where}/{MANIFEST}: {faults}") from error


def _verified(read: Read, name: str, manifest: Manifest, where: str) -> bytes:
    entry = manifest.files.get(name)
    if entry is None:
        raise ModelError(f"{where}/{MANIFEST}: says nothing of {name}")
    content = _limited(read, name, where)
    if (len(content), sha256_of(content)) != (entry.size, entry.sha256):
        raise ModelError(
            f"{where}/{name}: {len(content)} bytes with SHA-256 {sha256_of(content)}, {MANIFEST} says {entry.size} bytes"
            f" with {entry.sha256}: the file was changed or is torn; put it back from where the bundle came from"
        )
    return content


def _limited(read: Read, name: str, where: str) -> bytes:
    content = read(name, LIMITS[name])
    if len(content) > LIMITS[name]:
        raise ModelError(f"{where}/{name}: more than the {LIMITS[name]} bytes that are allowed")
    return content


def _read_file(folder: Path, name: str, limit: int) -> bytes:
    try:
        with (folder / name).open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        wanted = ", ".join((MANIFEST, *sorted(REQUIRED)))
        raise ModelError(f"{folder / name}: {error.strerror}: a bundle needs {wanted}") from error


def sha256_of(content: bytes) -> str:
    """Return a checksum, in hex."""
    return hashlib.sha256(content).hexdigest()


@cache
def _manifests() -> TypeAdapter[Manifest]:
    return TypeAdapter(Manifest)
