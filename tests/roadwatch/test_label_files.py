"""Label files of three formats: written with pictures, filled in by people and tools, read back, every fault named."""

import base64
import csv
import io
import json
import zipfile
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from models.archive.archive import Archive
from models.archive.ledger import Ledger
from models.archive.opening import open_archive
from producers.label_import import Defaults, Line
from roadwatch.labelling.exporting import Exported, export
from roadwatch.labelling.files import stem_of, stems_in
from roadwatch.labelling.importing import Import, Wanted
from roadwatch.labelling.queue import Queue, queue_of
from roadwatch.labelling.reading import Format, Known, format_of, read_file
from runtime.settings import ArchiveSettings, Settings
from schemas.errors import ConfigurationError
from schemas.records import Label
from tests.support.examples import a_request, a_word, an_example, an_example_frame

NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)
CLASSES = ("car", "truck")
SINGLE = an_example(50, example_id="gate:2026-11-23:50", zone_id=None, frames=(an_example_frame(50),))
EXAMPLES = (an_example(0), an_example(10, "bridge"), SINGLE)
IDS = [example.example_id for example in EXAMPLES]
FORMATS: tuple[Format, ...] = ("csv", "coco", "label-studio")


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """An archive in which three examples are kept and asked for."""
    settings = Settings(archive=ArchiveSettings(address=str(tmp_path / "archive")))
    archive, ledger = open_archive(settings.archive)
    archive.keep(EXAMPLES)
    ledger.ask(a_request(*IDS))
    return settings


@pytest.fixture
def archive(settings: Settings) -> Archive:
    return open_archive(settings.archive)[0]


@pytest.fixture
def ledger(settings: Settings) -> Ledger:
    return open_archive(settings.archive)[1]


def asked(ledger: Ledger) -> Queue:
    return queue_of(ledger.requests(), ledger.labels(), {})


def written(archive: Archive, ledger: Ledger, file: Path, kind: Format) -> Exported:
    queue = asked(ledger)
    return export(archive, queue, queue.questions, file, kind, CLASSES)


def checked(settings: Settings, file: Path, **options: Any) -> dict[str, Any]:
    return Import(settings, open_archive(settings.archive), Wanted(file, CLASSES, NOW, **options)).check().plain()


def read(file: Path, known: Sequence[str] = IDS) -> list[Line]:
    kind = format_of(file)
    return list(read_file(file, kind, Defaults(CLASSES, kind, NOW), Known.of(known)))


def labels(file: Path) -> list[Label]:
    lines = read(file)
    assert [line.faults for line in lines if line.faults] == []
    return [line.label for line in lines if line.label]


def faults(file: Path) -> list[str]:
    return [fault for line in read(file) for fault in line.faults]


def as_json(folder: Path, document: object) -> Path:
    file = folder / "answers.json"
    file.write_text(json.dumps(document), encoding="utf-8")
    return file


# Written


def test_a_csv_file_has_a_line_for_each_example_and_its_pictures_beside_it(
    archive: Archive, ledger: Ledger, tmp_path: Path
) -> None:
    found = written(archive, ledger, tmp_path / "out" / "labels.csv", "csv")
    rows = list(csv.DictReader(io.StringIO((tmp_path / "out" / "labels.csv").read_text())))
    assert [row["passage_id"] or row["frame_id"] for row in rows] == IDS
    assert [(row["label"], row["why"], row["predicted"]) for row in rows] == [("", "random", "car")] * 3
    pictures = [tmp_path / "out" / name for row in rows for name in row["pictures"].split()]
    assert [path.read_bytes() for path in pictures] == [f.picture for each in EXAMPLES for f in each.frames]
    assert (found.examples, found.pictures, found.missing) == (3, 5, ())


def test_a_coco_file_has_the_largest_picture_of_each_and_no_answers(
    archive: Archive, ledger: Ledger, tmp_path: Path
) -> None:
    written(archive, ledger, tmp_path / "coco.json", "coco")
    document = json.loads((tmp_path / "coco.json").read_text())
    assert [each["name"] for each in document["categories"]] == ["car", "truck"]
    assert [each["example_id"] for each in document["images"]] == IDS
    assert document["annotations"] == []
    first = document["images"][0]
    assert (first["width"], first["predicted"]) == (61, "car")
    assert (tmp_path / first["file_name"]).read_bytes() == EXAMPLES[0].frames[1].picture


def test_label_studios_tasks_hold_their_picture_and_the_models_answer(
    archive: Archive, ledger: Ledger, tmp_path: Path
) -> None:
    written(archive, ledger, tmp_path / "tasks.json", "label-studio")
    task, *_ = json.loads((tmp_path / "tasks.json").read_text())
    head, picture = task["data"]["image"].split(",")
    assert (head, base64.b64decode(picture)) == ("data:image/jpeg;base64", EXAMPLES[0].frames[1].picture)
    (prediction,) = task["predictions"]
    assert (prediction["model_version"], prediction["score"]) == ("road-test", 0.75)
    assert prediction["result"][0]["value"] == {"choices": ["car"]}
    assert '<Choice value="truck"/>' in (tmp_path / "tasks.xml").read_text()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_zip_file_holds_all_of_it(archive: Archive, ledger: Ledger, tmp_path: Path, kind: Format) -> None:
    written(archive, ledger, tmp_path / "out.zip", kind)
    with zipfile.ZipFile(tmp_path / "out.zip") as packed:
        names = packed.namelist()
        assert packed.testzip() is None
    assert len([name for name in names if name.endswith(".jpg")]) == {"csv": 5, "coco": 3, "label-studio": 0}[kind]
    assert {path.name for path in tmp_path.iterdir()} == {"archive", "out.zip"}


@pytest.mark.parametrize("kind", FORMATS)
def test_what_is_answered_is_written_with_its_label(
    archive: Archive, ledger: Ledger, tmp_path: Path, kind: Format
) -> None:
    """And comes back as the same labels."""
    ledger.add([a_word(IDS[0], "truck"), a_word(IDS[1], "car")])
    file = tmp_path / f"all.{'csv' if kind == 'csv' else 'json'}"
    written(archive, ledger, file, kind)
    said = {label.passage_id or label.frame_id: label.label for label in labels(file)}
    assert said == {IDS[0]: "truck", IDS[1]: "car"}


def test_examples_without_a_picture_are_named(archive: Archive, ledger: Ledger, tmp_path: Path) -> None:
    ledger.ask(a_request("gate:2026-11-23:p99", request_id="other"))
    next((tmp_path / "archive" / "pictures").rglob("*_50-*.jpg")).unlink()
    found = written(archive, ledger, tmp_path / "labels.csv", "csv")
    assert (found.examples, found.missing) == (2, (SINGLE.example_id, "gate:2026-11-23:p99"))
    assert "is gone" in found.damaged[0]


@pytest.mark.parametrize("kind", FORMATS)
def test_an_exported_file_that_comes_back_unchanged_is_passed_over_and_counted(
    settings: Settings, archive: Archive, ledger: Ledger, tmp_path: Path, kind: Format
) -> None:
    ledger.add([a_word(IDS[0], "truck"), a_word(IDS[1], "car")])
    file = tmp_path / f"all.{'csv' if kind == 'csv' else 'json'}"
    written(archive, ledger, file, kind)
    found = Import(settings, open_archive(settings.archive), Wanted(file, CLASSES, NOW)).check()
    told = found.plain()
    assert (told["right"], told["passed"], told["asked"], told["unasked"]) == (2, 2, 0, {})
    assert "2 are as they were exported, the word of others: they were passed over." in found.sentences(dry_run=True)


def test_a_place_that_cannot_be_written_is_told(archive: Archive, ledger: Ledger, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="FILE: 1 to mend"):
        written(archive, ledger, tmp_path / "file" / "labels.csv", "csv")


@pytest.mark.parametrize("example_id", ["gate:e:p1", "ä/ö:e~1%:p1", ".x:e:1", "x" * 400 + ":e:1"])
def test_a_pictures_name_says_what_it_shows_whatever_a_tool_puts_before_it(example_id: str) -> None:
    name = f"{stem_of(example_id)}.2.jpg"
    known = Known.of([example_id, "gate:e:p2"])
    for seen in (
        name,
        f"images/{name}",
        f"/data/upload/1/0a1b2c3d-{name}",
        f"/data/local-files/?d=x/{name}",
        f"x\\{name}",
    ):
        assert known.find(None, seen) == example_id
    assert known.find("gate:e:p3", "cat.jpg") is None
    assert len(name) < 200
    assert stem_of(example_id) in stems_in(name)


def test_a_cameras_name_may_begin_like_an_uploads() -> None:
    """A UUID's first eight digits and the dash behind them."""
    example_id = "3f2a9c1e-aaaa-bbbb-cccc-0123456789ab:2026-11-23:p64"
    known, name = Known.of([example_id]), f"{stem_of(example_id)}.1.jpg"
    assert known.find(None, f"labels-pictures/{name}") == example_id
    assert known.find(None, f"upload/1/0a1b2c3d-{name}") == example_id


# Read back: CSV


def filled(file: Path, answers: dict[str, str]) -> None:
    """Fill the labels in, as a person does in a spreadsheet."""
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    for row in rows:
        row["label"] = answers.get(row["passage_id"] or row["frame_id"], "")
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    file.write_text(text.getvalue(), encoding="utf-8")


def test_an_exported_csv_comes_back_filled_in(
    settings: Settings, archive: Archive, ledger: Ledger, tmp_path: Path
) -> None:
    """What nobody filled in stays open."""
    file = tmp_path / "labels.csv"
    written(archive, ledger, file, "csv")
    filled(file, {IDS[0]: "truck", IDS[2]: "car"})
    assert [label.label for label in labels(file)] == ["truck", "car"]
    told = checked(settings, file)
    assert (told["format"], told["right"], told["open"], told["asked"], told["faults"]) == ("csv", 2, 1, 2, [])


def test_an_exported_csv_may_only_be_about_what_is_known(
    settings: Settings, archive: Archive, ledger: Ledger, tmp_path: Path
) -> None:
    file = tmp_path / "labels.csv"
    written(archive, ledger, file, "csv")
    filled(file, {IDS[0]: "truck"})
    file.write_text(file.read_text().replace(IDS[0], "gate:2026-11-23:p1"), encoding="utf-8")
    assert checked(settings, file)["faults"] == [
        "line 2: gate:2026-11-23:p1 was neither asked for nor is kept; correct the id, or leave the line out"
    ]


def test_a_correction_that_is_older_than_what_was_said_since_is_told(
    settings: Settings, ledger: Ledger, tmp_path: Path
) -> None:
    ledger.add([a_word("road:e:p1", "truck")])
    file = tmp_path / "late.csv"
    file.write_text("passage_id,label,source,labelled_at\nroad:e:p1,car,ann,2026-11-23T09:00:00Z\n", encoding="utf-8")
    found = Import(settings, open_archive(settings.archive), Wanted(file, CLASSES, NOW)).check()
    assert found.plain()["outweighed"] == 1
    assert any("1 were given before what the same source has said" in each for each in found.sentences(dry_run=True))


def test_a_source_with_too_long_a_name_is_refused(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "loops.csv"
    file.write_text("passage_id,label\nroad:e:p1,car\n", encoding="utf-8")
    with pytest.raises(ConfigurationError, match=r"--source: 1 to mend\n.*name it with at most 200"):
        checked(settings, file, source="s" * 201)


def test_a_csv_of_anything_else_is_read_as_ever(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "loops.csv"
    file.write_text(f"passage_id,label,weight\nroad:e:p1,car,2\n{IDS[0]},truck,3\n", encoding="utf-8")
    told = checked(settings, file)
    assert (told["right"], told["asked"], told["unasked"], told["reweighed"]) == (2, 1, {"road": 1}, 1)


def test_a_file_of_another_camera_is_refused_where_the_camera_is_named(settings: Settings, tmp_path: Path) -> None:
    file = tmp_path / "labels.csv"
    file.write_text(f"passage_id,label\n{IDS[0]},car\n{IDS[1]},car\n", encoding="utf-8")
    (fault,) = checked(settings, file, cameras=frozenset({"gate"}))["faults"]
    assert fault.startswith("line 3: is of camera 'bridge', and the file is to be of gate; leave it out, or name")


# Read back: COCO


def coco(annotations: Sequence[dict[str, Any]], **changes: Any) -> dict[str, Any]:
    """Three images as a tool leaves them: only their names say what they are."""
    images = [{"id": n, "file_name": f"{stem_of(name)}.1.jpg", "width": 9, "height": 9} for n, name in enumerate(IDS)]
    categories = [{"id": 7, "name": "truck"}, {"id": 8, "name": "car"}, {"id": 9, "name": "tram"}]
    return {"images": images, "categories": categories, "annotations": list(annotations), **changes}


def drawn(image: int, category: int, **changes: Any) -> dict[str, Any]:
    return {"id": 1, "image_id": image, "category_id": category, "bbox": [0, 0, 9, 9], "iscrowd": 0, **changes}


def test_annotations_of_a_coco_file_are_labels(tmp_path: Path) -> None:
    file = as_json(tmp_path, coco([drawn(0, 7), drawn(2, 8)]))
    first, second = labels(file)
    assert (first.passage_id, first.label, first.source, first.labelled_at) == (IDS[0], "truck", "coco", NOW)
    assert (second.frame_id, second.label) == (IDS[2], "car")
    assert [(line.what, line.number) for line in read(file) if line.is_open] == [("image", 2)]


def test_what_a_model_has_said_and_nobody_confirmed_is_no_label(tmp_path: Path) -> None:
    lines = read(as_json(tmp_path, coco([drawn(0, 7, score=0.9)])))
    assert [line.is_open for line in lines] == [True, True, True]


COCO_FAULTS: dict[str, tuple[list[dict[str, Any]], str]] = {
    "another class": ([drawn(0, 9)], "label 'tram' is not known; use one of car, truck"),
    "no such class": ([drawn(0, 1)], "label None is not known"),
    "no such image": ([drawn(5, 7)], "is not of an example that is known"),
    "contradiction": ([drawn(0, 7), drawn(0, 8)], "says 'car', and annotation 1 says 'truck' of the same"),
}


@pytest.mark.parametrize("fault", COCO_FAULTS)
def test_what_is_wrong_with_an_annotation_is_named(tmp_path: Path, settings: Settings, fault: str) -> None:
    annotations, said = COCO_FAULTS[fault]
    file = as_json(tmp_path, coco(annotations))
    assert said in faults(file)[-1]
    assert checked(settings, file)["faults"][-1].startswith(f"annotation {len(annotations)}: ")


# Read back: Label Studio


def task(example_id: str, *annotations: dict[str, Any], **changes: Any) -> dict[str, Any]:
    data = {"image": "data:image/jpeg;base64,AAAA", "example_id": example_id}
    return {"id": 1, "data": data, "annotations": list(annotations), **changes}


def chosen(*choices: str, **changes: Any) -> dict[str, Any]:
    result = [
        {"from_name": "label", "to_name": "image", "type": "choices", "value": {"choices": [choice]}}
        for choice in choices
    ]
    return {"id": 4, "result": result, "was_cancelled": False, "updated_at": "2026-11-24T10:00:00.5Z", **changes}


def test_annotations_of_label_studio_are_labels_with_who_and_when(tmp_path: Path) -> None:
    tasks = [
        task(IDS[0], chosen("truck", completed_by=3), chosen("car", completed_by={"id": 4, "email": "ann@x.org"})),
        task(IDS[1], chosen(was_cancelled=True)),
        task(IDS[2]),
    ]
    lines = read(as_json(tmp_path, tasks))
    said = [(line.label.label, line.label.source) for line in lines if line.label]
    assert said == [("truck", "label-studio:3"), ("car", "label-studio:ann@x.org")]
    assert lines[0].label is not None
    assert lines[0].label.labelled_at == datetime(2026, 11, 24, 10, 0, 0, 500_000, tzinfo=UTC)
    assert [line.number for line in lines if line.is_open] == [2, 3]


def test_of_two_annotations_by_one_annotator_the_newer_holds(tmp_path: Path) -> None:
    first, second = (chosen(label, completed_by=3) for label in ("car", "truck"))
    file = as_json(tmp_path, [task(IDS[0], {**second, "updated_at": "2026-11-24T11:00:00Z"}, first)])
    assert max(labels(file), key=lambda label: label.labelled_at).label == "truck"


def test_an_annotation_from_the_future_is_refused(tmp_path: Path) -> None:
    file = as_json(tmp_path, [task(IDS[0], chosen("car", updated_at="2062-11-24T10:00:00Z"))])
    (fault,) = faults(file)
    assert fault.startswith("labelled_at '2062-11-24T10:00:00Z' is later than now")


def test_a_time_that_is_none_and_text_that_is_none_harm_nothing(tmp_path: Path) -> None:
    """Years that no zone can tell, and halves of letters, as JSON may hold them."""
    odd = task(IDS[0], chosen("car", completed_by={"email": "\ud800"}, updated_at="0001-01-01T00:00:00+05:00"))
    (label,) = labels(as_json(tmp_path, [odd]))
    assert (label.source, label.labelled_at) == ("label-studio:?", NOW)
    assert "is not of an example that is known" in faults(as_json(tmp_path, [task("\ud800", chosen("car"))]))[0]


def test_its_small_json_is_read_too(tmp_path: Path) -> None:
    answered = {"id": 1, "example_id": IDS[0], "label": "truck", "annotator": 3, "created_at": "2026-11-24T10:00:00Z"}
    lines = read(as_json(tmp_path, [answered, {"id": 2, "example_id": IDS[1]}]))
    assert [(line.label.label, line.label.source) for line in lines if line.label] == [("truck", "label-studio:3")]
    assert lines[1].is_open


def test_an_uploaded_picture_is_known_by_its_name(tmp_path: Path) -> None:
    uploaded = task("", chosen("car"), data={"image": f"/data/upload/2/0a1b2c3d-{stem_of(IDS[0])}.1.jpg"})
    assert [label.passage_id for label in labels(as_json(tmp_path, [uploaded]))] == [IDS[0]]


STUDIO_FAULTS: dict[str, tuple[dict[str, Any], str]] = {
    "another class": (task(IDS[0], chosen("Tram")), "label 'Tram' is not known; use one of car, truck"),
    "two classes": (task(IDS[0], chosen("car", "truck")), "label ['car', 'truck'] is not known"),
    "nothing chosen": (task(IDS[0], chosen()), "label None is not known"),
    "a box": (task(IDS[0], {"result": [{"type": "rectanglelabels", "value": {"x": 1}}]}), "label None"),
    "unknown example": (task("gate:e:p5", chosen("car")), "is not of an example that is known"),
    "odd data": (task(IDS[0], chosen("car"), data=[1]), "is not of an example that is known"),
    "odd result": (task(IDS[0], {"result": 5}), "label None"),
    "contradiction": (task(IDS[0], chosen("car"), chosen("truck")), "says 'truck', and task 1 says 'car' of the same"),
}


@pytest.mark.parametrize("fault", STUDIO_FAULTS)
def test_what_is_wrong_with_a_task_is_named(tmp_path: Path, fault: str) -> None:
    wrong, said = STUDIO_FAULTS[fault]
    assert said in faults(as_json(tmp_path, [wrong]))[-1]


NO_FILES: dict[str, tuple[bytes, str]] = {
    "torn": (b'{"images": [', "not JSON"),
    "nested": (b"[" * 200_000, "not JSON"),
    "not text": (b"[\xff\xfe]", "not JSON"),
    "no list": (b"[1, 2]", "not a list of tasks"),
    "neither": (b'{"images": []}', "neither COCO nor Label Studio's JSON: annotations, categories is missing"),
    "numbers": (b'{"images": 5, "annotations": [], "categories": []}', "images is missing, or is no list"),
    "empty": (b"", "begin the file with 'frame_id,label'"),
}


@pytest.mark.parametrize("fault", NO_FILES)
def test_a_file_that_is_none_is_named(tmp_path: Path, fault: str) -> None:
    content, said = NO_FILES[fault]
    file = tmp_path / "answers.json"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError, match=r"answers\.json") as raised:
        read(file)
    assert said in str(raised.value)


def test_a_zip_file_is_to_be_unpacked(archive: Archive, ledger: Ledger, settings: Settings, tmp_path: Path) -> None:
    written(archive, ledger, tmp_path / "out.zip", "coco")
    with pytest.raises(ConfigurationError, match="a zip file; unpack it"):
        checked(settings, tmp_path / "out.zip")


def test_a_missing_file_is_named(settings: Settings, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"none\.json: 1 to mend\n  - no such file"):
        checked(settings, tmp_path / "none.json")
