"""Labelled pictures from a zip with `labels.csv`, or from a folder with one subfolder a class."""

import csv
import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import cv2
import numpy as np

from models.preprocessing import Image
from schemas.errors import ConfigurationError, PictureError

MAX_PICTURE_BYTES: Final = 8 * 1024 * 1024
MAX_LABELS_BYTES: Final = 64 * 1024 * 1024
SUFFIXES: Final = frozenset({".jpg", ".jpeg", ".png"})


@dataclass(frozen=True, slots=True)
class LabelledPicture:
    """A crop of one vehicle, and what it shows."""

    name: str
    "Where it comes from, such as its file."
    image: Image
    "uint8, H×W×3, BGR."
    label: str
    "The true class."
    source: str
    "The camera or collection that it belongs to: accuracy is given for each."
    scene: str
    "Pictures of one scene are never on both sides of a split."


def read_pictures(path: Path) -> Iterator[LabelledPicture]:
    """Yield the pictures of a zip (with `labels.csv`) or folder (`car/*.jpg`, `truck/*.jpg`), in a fixed order.

    Raises ConfigurationError when `path` is neither, PictureError for a picture that cannot be decoded.
    """
    if path.is_dir():
        return _read_folder(path)
    if zipfile.is_zipfile(path):
        return _read_zip(path)
    raise ConfigurationError(str(path), ["neither a zip with labels.csv nor a folder with a subfolder for each class"])


def file_sha256(path: Path) -> str:
    """Return the file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def pictures_sha256(pictures: Iterable[LabelledPicture]) -> str:
    """Return one SHA-256 over labels, sources and pixels, in the order given."""
    digest = hashlib.sha256()
    for picture in pictures:
        height, width = picture.image.shape[:2]
        digest.update(f"{picture.label},{picture.source},{picture.scene},{height},{width}\n".encode())
        digest.update(np.ascontiguousarray(picture.image).tobytes())
    return digest.hexdigest()


def _read_zip(path: Path) -> Iterator[LabelledPicture]:
    with zipfile.ZipFile(path) as archive:
        for row in _rows(path, archive):
            raw = _member(path, archive, row["file"], MAX_PICTURE_BYTES)
            image = _decode(raw, f"{path}: {row['file']}")
            source = row.get("source") or path.stem
            yield LabelledPicture(row["file"], image, row["label"], source, row.get("scene") or source)


def _rows(path: Path, archive: zipfile.ZipFile) -> list[dict[str, str]]:
    text = _member(path, archive, "labels.csv", MAX_LABELS_BYTES).decode("utf-8-sig")
    reader = csv.DictReader(io.StringIO(text))
    missing = {"file", "label"} - set(reader.fieldnames or ())
    if missing:
        raise ConfigurationError(f"{path}: labels.csv", [f"no column {name!r}" for name in sorted(missing)])
    return list(reader)


def _member(path: Path, archive: zipfile.ZipFile, name: str, limit: int) -> bytes:
    try:
        size = archive.getinfo(name).file_size
    except KeyError:
        raise ConfigurationError(str(path), [f"has no {name}"]) from None
    if size > limit:
        raise ConfigurationError(str(path), [f"{name} has {size} bytes, {limit} are allowed"])
    return archive.read(name)


def _read_folder(path: Path) -> Iterator[LabelledPicture]:
    files = sorted(file for file in path.glob("*/*") if file.suffix.lower() in SUFFIXES)
    if not files:
        raise ConfigurationError(str(path), ["no pictures: put them into a subfolder for each class, car/*.jpg"])
    for file in files:
        name = file.relative_to(path).as_posix()
        yield LabelledPicture(name, _decode(_limited(file), str(file)), file.parent.name, path.name, path.name)


def _limited(file: Path) -> bytes:
    size = file.stat().st_size
    if size > MAX_PICTURE_BYTES:
        raise PictureError("too_large", f"{file}: {size} bytes, {MAX_PICTURE_BYTES} are allowed")
    return file.read_bytes()


def _decode(raw: bytes, where: str) -> Image:
    image = cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR) if raw else None
    if image is None:
        raise PictureError("undecodable", f"{where}: not a picture that OpenCV can decode")
    return np.asarray(image, np.uint8)


def class_faults(labels: Sequence[str], pictures: Iterable[LabelledPicture]) -> list[str]:
    """Return a fault for each class of the pictures that a model of these labels does not have."""
    strangers = sorted({picture.label for picture in pictures} - set(labels))
    return [f"class {label!r}: this model knows {', '.join(labels)}" for label in strangers]


def counts(pictures: Iterable[LabelledPicture]) -> Mapping[str, dict[str, int]]:
    """Return how many pictures each source has of each class."""
    table: dict[str, dict[str, int]] = {}
    for picture in pictures:
        row = table.setdefault(picture.source, {})
        row[picture.label] = row.get(picture.label, 0) + 1
    return {source: dict(sorted(row.items())) for source, row in sorted(table.items())}
