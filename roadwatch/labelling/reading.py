"""Label files of three formats, told apart by their content: every label read, every wrong one named.

    CSV                 a line each, at once or while it is read; producers.label_import
    COCO                {"images": […], "annotations": […], "categories": […]}     an annotation each
    Label Studio        [{"data": {…}, "annotations": […]}, …], or its JSON-MIN    an annotation each

What a model has said, and nobody has confirmed, is no label: Label Studio's predictions, COCO's annotations with a score.
"""

import json
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

from producers.label_import import Defaults, Line, check_size, consistent, read_lines, time_of, when_faults
from producers.labels import label_of
from roadwatch.labelling.files import stem_of, stems_in
from schemas.errors import ConfigurationError
from schemas.labels import LONGEST_SOURCE

Format = Literal["csv", "coco", "label-studio"]


@dataclass(frozen=True, slots=True)
class Known:
    """The examples that a file can be about."""

    by_stem: Mapping[str, str]
    "Example ids by what their pictures are called."
    ids: AbstractSet[str]
    "The ids."

    @classmethod
    def of(cls, example_ids: Iterable[str]) -> "Known":
        """Know these."""
        by_stem = {stem_of(example_id): example_id for example_id in example_ids}
        return cls(by_stem, frozenset(by_stem.values()))

    def find(self, example_id: object, *names: object) -> str | None:
        """Return the example of that id, else of the picture with one of these names; None where none is known."""
        if isinstance(example_id, str) and example_id in self.ids:
            return example_id
        stems = [stem for name in names if isinstance(name, str) and len(name) < 10_000 for stem in stems_in(name)]
        return next((self.by_stem[stem] for stem in stems if stem in self.by_stem), None)


def format_of(path: Path) -> Format:
    """Return what a file is, by its content; raises ConfigurationError for none."""
    check_size(path)
    with path.open("rb") as file:
        begin = file.read(4096).removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if begin == b"P" and zipfile.is_zipfile(path):
        raise ConfigurationError(str(path), ["a zip file; unpack it, and import the file with the labels"])
    if begin not in (b"{", b"["):
        return "csv"
    return "label-studio" if begin == b"[" else "coco"


def read_file(path: Path, kind: Format, defaults: Defaults, known: Known) -> Iterator[Line]:
    """Give what a file says, a label or a fault each, in its order.

    Raises:
        ConfigurationError: the file itself is wrong.

    """
    if kind == "csv":
        yield from read_lines(path, defaults)
        return
    read = _coco if kind == "coco" else _studio
    yield from consistent(read(path, _document(path), _Maker(defaults, known)))


def _document(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8-sig"))
    except (ValueError, RecursionError) as error:  # bytes that are no UTF-8 are a ValueError too
        raise ConfigurationError(str(path), [f"not JSON: {error}; export it again"]) from error


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes lines of what was found."""

    defaults: Defaults
    known: Known

    def line(self, what: str, number: int, example_id: str | None, label: object, **said: Any) -> Line:
        """A label, or what is wrong with it; `said` may name the source, the time, and the label that was exported."""
        told = said.get("at")
        at = time_of(told) if isinstance(told, str) else None
        late = when_faults(str(told), at, self.defaults) if at else ()
        faults = (*self._faults(what, example_id, label), *late)
        if faults or example_id is None:
            return Line(number, None, faults, what)
        made = label_of(
            example_id,
            str(label),
            source=said.get("source") or self.defaults.source,
            labelled_at=at or self.defaults.labelled_at,
        )
        return Line(number, made, (), what, is_timed=at is not None, is_weighted=False, known=said.get("known"))

    def _faults(self, what: str, example_id: str | None, label: object) -> Iterator[str]:
        if example_id is None:
            yield (
                f"this {what} is not of an example that is known; label what 'roadwatch label export' wrote, and keep"
                " the pictures' names"
            )
        if label not in self.defaults.classes:
            yield f"label {_short(label)} is not known; use one of {', '.join(self.defaults.classes)}"


def _coco(path: Path, document: Any, maker: _Maker) -> Iterator[Line]:
    parts: dict[str, Any] = {name: document.get(name) if isinstance(document, dict) else None for name in COCO}
    if missing := [name for name, part in parts.items() if not _is_list_of_objects(part)]:
        raise ConfigurationError(
            str(path),
            [f"neither COCO nor Label Studio's JSON: {', '.join(missing)} is missing, or is no list of objects"],
        )
    names = {_key(each.get("id")): each.get("name") for each in parts["categories"]}
    examples = {
        _key(each.get("id")): maker.known.find(each.get("example_id"), each.get("file_name"))
        for each in parts["images"]
    }
    exported = {_key(each.get("id")): each.get("known") for each in parts["images"]}
    answered = set()
    for number, each in enumerate(parts["annotations"], 1):
        if "score" in each:
            continue
        image = _key(each.get("image_id"))
        answered.add(image)
        label = names.get(_key(each.get("category_id")))
        yield maker.line("annotation", number, examples.get(image), label, known=exported.get(image))
    for number, each in enumerate(parts["images"], 1):
        if _key(each.get("id")) not in answered:
            yield Line(number, None, (), "image")


COCO: Final = ("images", "annotations", "categories")


def _studio(path: Path, document: Any, maker: _Maker) -> Iterator[Line]:
    if not _is_list_of_objects(document):
        raise ConfigurationError(str(path), ["neither COCO nor Label Studio's JSON: not a list of tasks"])
    for number, task in enumerate(document, 1):
        yield from _task(number, task, maker)


def _task(number: int, task: Mapping[str, Any], maker: _Maker) -> Iterator[Line]:
    data = task.get("data", task)
    data = data if isinstance(data, dict) else {}
    example_id = maker.known.find(
        data.get("example_id"), data.get("picture"), task.get("file_upload"), data.get("image")
    )
    answers = [answer for answer in _answers(task) if not answer.get("was_cancelled")]
    if not answers:
        yield Line(number, None, (), "task")
    for answer in answers:
        source = _source(maker.defaults.source, answer.get("completed_by", answer.get("annotator")))
        at = answer.get("updated_at") or answer.get("created_at")
        yield maker.line("task", number, example_id, _chosen(answer), source=source, at=at, known=data.get("known"))


def _answers(task: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Annotations of a task; of JSON-MIN the task itself, where it was answered."""
    if "data" not in task:
        return [dict(task)] if task.get("label") else []
    found = task.get("annotations") or task.get("completions") or []
    return found if _is_list_of_objects(found) else []


def _chosen(answer: Mapping[str, Any]) -> object:
    """The class that was chosen; None where none was, and several where there were several."""
    if "result" not in answer:
        return answer.get("label")
    results = answer["result"] if _is_list_of_objects(answer["result"]) else []
    values = [each["value"] for each in results if isinstance(each.get("value"), dict)]
    chosen = [choice for value in values for choice in _listed(value.get("choices"))]
    return chosen[0] if len(chosen) == 1 else chosen or None


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _source(name: str, annotator: object) -> str:
    """The source's name, with who annotated."""
    who = annotator.get("email") or annotator.get("id") if isinstance(annotator, dict) else annotator
    said = f"{name}:{who}" if isinstance(who, str | int) and who != "" else name
    return said.encode(errors="replace").decode()[:LONGEST_SOURCE]


def _key(value: object) -> object:
    """An id by which something is looked up."""
    return value if isinstance(value, str | int) else None


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:60]}…"
