"""Examples as files for people and their tools, and the names by which they come back. Pure.

    Item ──► csv       a line each, pictures beside it          the label is filled in
         ──► coco      an image each, its annotations empty     an annotation is drawn on it
         ──► studio    a task each, its picture within          a choice is made

A picture is called by its example, so that whatever a tool keeps of a file, the picture's name says what was labelled.
"""

import base64
import csv
import io
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

from models.archive.examples import Example, ExampleFrame
from models.archive.names import sha256_of

LONGEST: Final = 160
"Of a picture's name, the number apart."
COLUMNS: Final = (
    "passage_id",
    "frame_id",
    "label",
    "pictures",
    "known",
    "why",
    "predicted",
    "confidence",
    "camera",
    "at",
)
"Of a CSV file; the first three are read back, and `known`, which says what nobody has changed."
UPLOADED: Final = re.compile(r"^[0-9a-f]{8}-")
"What Label Studio puts before the name of a file that was uploaded."
NUMBERED: Final = re.compile(r"(\.\d+)?\.jpe?g$", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Item:
    """An example for a file."""

    example: Example
    "With its pictures."
    why: str
    "Why it was asked for; empty where it was not."
    label: str | None
    "What is known of it; None for nothing."


def stem_of(example_id: str) -> str:
    """Return the name by which an example's pictures are called: its id, as far as file names and addresses take it."""
    name = quote(example_id, safe="").replace("~", "~7E").replace("%", "~")
    name = re.sub(r"^\.", "~2E", name)
    return name if len(name) <= LONGEST else f"{name[: LONGEST // 2]}~{sha256_of(example_id.encode())[:32]}"


def picture_names(example: Example) -> list[str]:
    """Return the names of an example's pictures, in order."""
    return [f"{stem_of(example.example_id)}.{number}.jpg" for number in range(1, len(example.frames) + 1)]


def stems_in(name: str) -> tuple[str, str]:
    """Return what a picture's name says, whatever folder, address or upload is before it.

    What looks as if an upload had put it there may be a camera's own: first as it is, then without.
    """
    stem = NUMBERED.sub("", re.split(r"[/\\=]", name)[-1])
    return stem, UPLOADED.sub("", stem)


def largest(example: Example) -> int:
    """Return which of its frames is the largest."""
    return max(range(len(example.frames)), key=lambda n: (_pixels(example.frames[n]), -n))


def _pixels(frame: ExampleFrame) -> int:
    return frame.width * frame.height


def csv_lines(items: Iterable[Item], folder: str) -> Iterator[str]:
    """Give a CSV file, line by line; the pictures are in `folder`, relative to the file."""
    yield _csv_line(COLUMNS)
    for item in items:
        yield _csv_line(_cells(item, folder))


def _cells(item: Item, folder: str) -> Sequence[str]:
    example = item.example
    is_frame = example.example_id == example.frames[0].frame_id
    return (
        "" if is_frame else example.example_id,
        example.example_id if is_frame else "",
        item.label or "",
        " ".join(f"{folder}/{name}" for name in picture_names(example)),
        item.label or "",
        item.why,
        example.predicted or "",
        f"{example.confidence:.3f}",
        example.camera_id,
        example.at.isoformat(),
    )


def _csv_line(cells: Sequence[str]) -> str:
    line = io.StringIO()
    csv.writer(line, lineterminator="\n").writerow(cells)
    return line.getvalue()


def coco(items: Sequence[Item], classes: Sequence[str], folder: str) -> dict[str, Any]:
    """Return a COCO document: each example's largest picture, an annotation over all of it where its label is known."""
    numbers = {name: number for number, name in enumerate(classes, 1)}
    labelled = [(number, item) for number, item in enumerate(items, 1) if item.label in numbers]
    return {
        "info": {"description": "Road-camera pictures, one vehicle each", "version": "1.0"},
        "licenses": [],
        "categories": [{"id": number, "name": name, "supercategory": "vehicle"} for name, number in numbers.items()],
        "images": [_coco_image(number, item, folder) for number, item in enumerate(items, 1)],
        "annotations": [
            _coco_annotation(place, number, numbers[str(item.label)], item)
            for place, (number, item) in enumerate(labelled, 1)
        ],
    }


def _coco_image(number: int, item: Item, folder: str) -> dict[str, Any]:
    example, shown = item.example, largest(item.example)
    frame = example.frames[shown]
    return {
        "id": number,
        "file_name": f"{folder}/{picture_names(example)[shown]}",
        "width": frame.width,
        "height": frame.height,
        "date_captured": f"{frame.captured_at:%Y-%m-%d %H:%M:%S}",
        "example_id": example.example_id,
        "camera": example.camera_id,
        "known": item.label,
        "why": item.why,
        "predicted": example.predicted,
        "confidence": round(example.confidence, 4),
    }


def _coco_annotation(number: int, image: int, category: int, item: Item) -> dict[str, Any]:
    frame = item.example.frames[largest(item.example)]
    return {
        "id": number,
        "image_id": image,
        "category_id": category,
        "bbox": [0, 0, frame.width, frame.height],
        "area": _pixels(frame),
        "segmentation": [],
        "iscrowd": 0,
    }


def studio(item: Item) -> dict[str, Any]:
    """Return a task for Label Studio, with the model's answer as its prediction and its largest picture within."""
    example, shown = item.example, largest(item.example)
    frame = example.frames[shown]
    known = [{"result": [_choice(item.label)]}] if item.label else []
    return {
        "data": {
            "image": f"data:image/jpeg;base64,{base64.b64encode(frame.picture).decode()}",
            "example_id": example.example_id,
            "picture": picture_names(example)[shown],
            "camera": example.camera_id,
            "at": example.at.isoformat(),
            "known": item.label,
            "why": item.why,
        },
        "predictions": _predictions(example),
        "annotations": known,
    }


def _predictions(example: Example) -> list[dict[str, Any]]:
    if example.predicted is None:
        return []
    score = round(example.confidence, 4)
    return [{"model_version": example.model_version, "score": score, "result": [_choice(example.predicted)]}]


def _choice(label: str) -> dict[str, Any]:
    return {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [label]}}


def studio_config(classes: Iterable[str]) -> str:
    """Return the labelling interface that the tasks are made for, to be pasted into the project's settings."""
    choices = "\n".join(f'    <Choice value="{name}"/>' for name in classes)
    return (
        '<View>\n  <Image name="image" value="$image"/>\n'
        f'  <Choices name="label" toName="image" choice="single" required="true">\n{choices}\n  </Choices>\n</View>\n'
    )
