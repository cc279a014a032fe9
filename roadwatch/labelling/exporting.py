"""Examples written to files, with their pictures beside them or in one zip file.

    FILE.csv    FILE-pictures  /…       a line each
    FILE.json   FILE-pictures/…         COCO; Label Studio's tasks hold their pictures, and FILE.xml beside is the interface
    FILE.zip    all of it

Pictures come first and the file last, under another name until it is whole: what is there can be used.
"""

import json
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from models.archive.archive import Archive
from roadwatch.labelling.files import Item, coco, csv_lines, largest, picture_names, studio, studio_config
from roadwatch.labelling.queue import Question, Queue
from roadwatch.labelling.reading import Format
from roadwatch.whole import whole
from schemas.errors import ConfigurationError

MOST: Final = 5_000
"Examples in a file: they are held in memory with their pictures."


@dataclass(frozen=True, slots=True)
class Exported:
    """What was written."""

    examples: int
    "Examples in the file."
    pictures: int
    "Pictures of them."
    missing: tuple[str, ...]
    "Examples that were left out: the archive has no picture of them, or a damaged one."
    damaged: tuple[str, ...]
    "What is wrong with the damaged ones."


class _Place(Protocol):
    """Where files are written to."""

    def write(self, name: str, content: bytes) -> None:
        """Write a file."""


@dataclass(slots=True)
class _Folder:
    """A folder."""

    root: Path

    def write(self, name: str, content: bytes) -> None:
        """Write a file, and the folder that it is in."""
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(content)


@dataclass(slots=True)
class _Zip:
    """A zip file; pictures are compressed already."""

    file: zipfile.ZipFile

    def write(self, name: str, content: bytes) -> None:
        """Add a file."""
        self.file.writestr(name, content, zipfile.ZIP_STORED if name.endswith(".jpg") else zipfile.ZIP_DEFLATED)


def written_to(file: Path, kind: Format) -> list[Path]:
    """Return the files that an export writes where people write too: what they fill in, and the interface beside it."""
    return [file, file.with_suffix(".xml")] if kind == "label-studio" and file.suffix != ".zip" else [file]


def export(
    archive: Archive, queue: Queue, questions: Sequence[Question], file: Path, kind: Format, classes: Sequence[str]
) -> Exported:
    """Write examples that were asked for.

    Raises:
        ConfigurationError: they are too many, or cannot be written.
        ArchiveError: the archive cannot be read.

    """
    if len(questions) > MOST:
        raise ConfigurationError("FILE", [f"{len(questions)} examples are more than {MOST}; name a day with --day"])
    damaged: list[str] = []
    items = list(_items(archive, queue, questions, damaged.append))
    with _writable(file):
        if file.suffix == ".zip":
            _write_zip(file, kind, items, classes)
        else:
            _write_folder(file, kind, items, classes)
    there = {item.example.example_id for item in items}
    missing = [question.example_id for question in questions if question.example_id not in there]
    pictures = sum(len(_pictures(item, kind)) for item in items)
    return Exported(len(items), pictures, tuple(missing), tuple(damaged))


def _items(
    archive: Archive, queue: Queue, questions: Sequence[Question], damaged: Callable[[str], None]
) -> Iterator[Item]:
    asked = {question.example_id: question for question in questions}
    for example in archive.read(asked, damaged):
        question = asked[example.example_id]
        yield Item(example, question.why, queue.label_of(question))


@contextmanager
def _writable(file: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise ConfigurationError("FILE", [f"{error.filename or file}: {error.strerror or error}"]) from error


def _write_folder(file: Path, kind: Format, items: Sequence[Item], classes: Sequence[str]) -> None:
    folder = _Folder(file.parent)
    _write_pictures(folder, f"{file.stem}-pictures", kind, items)
    if kind == "label-studio":
        folder.write(file.with_suffix(".xml").name, studio_config(classes).encode())
    with whole(file) as draft:
        for part in _document(kind, items, classes, f"{file.stem}-pictures"):
            draft.write(part.encode())


def _write_zip(file: Path, kind: Format, items: Sequence[Item], classes: Sequence[str]) -> None:
    with whole(file) as draft, zipfile.ZipFile(draft, "w") as packed:
        place = _Zip(packed)
        _write_pictures(place, "pictures", kind, items)
        if kind == "label-studio":
            place.write("interface.xml", studio_config(classes).encode())
        name = "labels.csv" if kind == "csv" else "tasks.json" if kind == "label-studio" else "annotations.json"
        place.write(name, "".join(_document(kind, items, classes, "pictures")).encode())


def _write_pictures(place: _Place, folder: str, kind: Format, items: Iterable[Item]) -> None:
    for item in items:
        for name, picture in _pictures(item, kind):
            place.write(f"{folder}/{name}", picture)


def _pictures(item: Item, kind: Format) -> list[tuple[str, bytes]]:
    """The pictures that lie beside a file: all of an example for a person, what an annotation is drawn on for COCO."""
    if kind == "label-studio":
        return []
    named = [
        (name, frame.picture) for name, frame in zip(picture_names(item.example), item.example.frames, strict=True)
    ]
    return named if kind == "csv" else [named[largest(item.example)]]


def _document(kind: Format, items: Sequence[Item], classes: Sequence[str], folder: str) -> Iterator[str]:
    if kind == "csv":
        yield from csv_lines(items, folder)
    elif kind == "coco":
        yield json.dumps(coco(items, classes, folder), indent=1, ensure_ascii=False) + "\n"
    else:
        yield "[\n"
        for number, item in enumerate(items):
            yield ("" if number == 0 else ",\n") + json.dumps(studio(item), ensure_ascii=False)
        yield "\n]\n"
