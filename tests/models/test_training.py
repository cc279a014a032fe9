"""Training: data in, weights balanced, a head that learns, a graph that computes what the head says."""

import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.bundle import load_bundle
from models.preprocessing import Preprocessing
from models.training.backbone import EMBEDDING, build_model, folded, set_head
from models.training.data import LabelledPicture, counts, read_pictures
from models.training.features import run_graph
from models.training.gather import fold_numbers, picture_weights
from models.training.head import Head, blank_head, fit_head, fit_temperature
from models.training.train import TrainingSettings, train
from models.training.weights import read_weights
from schemas.errors import ConfigurationError, ModelError, PictureError

LABELS = ("car", "truck")


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def made(count: int, source: str = "made") -> list[LabelledPicture]:
    """Return dark cars and bright trucks with noise."""
    rng = np.random.default_rng(1)
    return [
        LabelledPicture(
            f"{source}-{k}.jpg",
            rng.integers(60 * (k % 2), 100 + 150 * (k % 2), (24, 32, 3), np.uint8),
            LABELS[k % 2],
            source,
            f"{source}-{k // 9}",
        )
        for k in range(count)
    ]


def write_zip(path: Path, pictures: list[LabelledPicture]) -> None:
    """Write a zip as the training data comes."""
    with zipfile.ZipFile(path, "w") as archive, archive.open("labels.csv", "w") as raw:
        rows = [[picture.name, picture.label, picture.source, picture.scene] for picture in pictures]
        lines = [",".join(row) for row in [["file", "label", "source", "scene"], *rows]]
        raw.write("\n".join(lines).encode())
    with zipfile.ZipFile(path, "a") as archive:
        for picture in pictures:
            archive.writestr(picture.name, cv2.imencode(".jpg", picture.image)[1].tobytes())


def test_a_zip_is_read_by_its_labels(tmp_path: Path) -> None:
    """Label, source and scene come from `labels.csv`, in its order."""
    write_zip(tmp_path / "a.zip", made(4))
    found = list(read_pictures(tmp_path / "a.zip"))
    assert [(p.name, p.label, p.source, p.scene) for p in found] == [
        (p.name, p.label, p.source, p.scene) for p in made(4)
    ]


def test_a_folder_is_read_by_its_subfolders(tmp_path: Path) -> None:
    """The subfolder is the class, the folder the source."""
    for picture in made(4):
        (tmp_path / picture.label).mkdir(exist_ok=True)
        cv2.imwrite(str(tmp_path / picture.label / picture.name), picture.image)
    assert counts(read_pictures(tmp_path)) == {tmp_path.name: {"car": 2, "truck": 2}}


def test_what_holds_no_pictures_is_refused(tmp_path: Path) -> None:
    """A folder without classes, a file that is no zip, a zip without labels: each is said."""
    with pytest.raises(ConfigurationError, match="no pictures"):
        list(read_pictures(tmp_path))
    (tmp_path / "a.txt").write_text("x")
    with pytest.raises(ConfigurationError, match="neither a zip"):
        list(read_pictures(tmp_path / "a.txt"))
    with zipfile.ZipFile(tmp_path / "b.zip", "w") as archive:
        archive.writestr("x", "y")
    with pytest.raises(ConfigurationError, match=r"has no labels\.csv"):
        list(read_pictures(tmp_path / "b.zip"))


def test_a_broken_picture_is_named(tmp_path: Path) -> None:
    """The message says which file."""
    (tmp_path / "car").mkdir()
    (tmp_path / "car" / "bad.jpg").write_bytes(b"\xff\xd8 nothing")
    with pytest.raises(PictureError, match=r"bad\.jpg"):
        list(read_pictures(tmp_path))


def test_weights_of_another_file_are_refused(tmp_path: Path) -> None:
    """Nothing is unpickled before the checksum agrees."""
    (tmp_path / "w.pth").write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    with pytest.raises(ModelError, match="SHA-256 is"):
        read_weights(tmp_path / "w.pth")


def test_sources_count_alike_however_large() -> None:
    """Two real sources share what the extra one leaves; the mean weight is 1."""
    sources = ["a"] * 6 + ["b"] * 2 + ["s"] * 2
    weights = picture_weights(sources, np.arange(10) >= 8, 0.2)
    assert [weights[:6].sum(), weights[6:8].sum(), weights[8:].sum()] == pytest.approx([4, 4, 2])


def test_without_extra_pictures_the_real_ones_have_all_weight() -> None:
    """No share is lost."""
    assert picture_weights(["a", "b"], np.zeros(2, bool), 0.2).tolist() == [1, 1]


def test_neighbours_of_a_scene_are_held_back_together() -> None:
    """A run of 100 is in one part, and all parts are used."""
    fold = fold_numbers(["toll"] * 1000, 5, seed=1)
    assert all(len(set(fold[start : start + 100])) == 1 for start in range(0, 1000, 100))
    assert set(fold) == set(range(5))


def test_a_head_learns_what_separates_the_classes() -> None:
    """On features that tell, nearly all are right; a class's probability is of its own column."""
    rng = np.random.default_rng(2)
    truth = np.arange(400) % 3
    features = rng.normal(size=(400, 5)) + 4 * np.eye(5)[truth]
    head = fit_head(features, truth, ("a", "b", "c"), np.ones(400), 0.1)
    assert (head.probabilities(features).argmax(axis=1) == truth).mean() > 0.97


def test_the_temperature_undoes_too_much_confidence() -> None:
    """Scores that were multiplied by three need a temperature of three."""
    rng = np.random.default_rng(4)
    scores = rng.normal(size=(20_000, 2))
    chance = 1 / (1 + np.exp(scores[:, 0] - scores[:, 1]))
    truth = (rng.random(20_000) < chance).astype(np.intp)
    assert fit_temperature(3 * scores, truth, np.ones(20_000)) == pytest.approx(3, rel=0.1)


def test_the_graph_computes_what_the_head_says() -> None:
    """A head set into a finished graph gives its own probabilities on the graph's embedding."""
    rng = np.random.default_rng(6)
    head = Head(LABELS, rng.normal(size=(EMBEDDING, 2)) / 30, rng.normal(size=2), 1.7)
    graph = build_model(folded(read_weights()), 32, blank_head(LABELS, EMBEDDING))
    set_head(graph, head)
    images = [picture.image for picture in made(5)]
    outputs = run_graph(graph.SerializeToString(), images, Preprocessing(32, "stretch"), silent, "test")
    np.testing.assert_allclose(outputs.probabilities, head.probabilities(outputs.embedding), atol=1e-4)


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """A small stand-in for the road pictures."""
    write_zip(tmp_path / "train.zip", [*made(40, "toll"), *made(20, "bridge")])
    write_zip(tmp_path / "test.zip", made(12, "bridge"))
    return tmp_path


SETTINGS = TrainingSettings(created=date(2026, 11, 23), code_version="1.2", size=32, rows=40, steps=20)


def test_training_ends_in_a_bundle_that_repeats_to_the_byte(road: Path) -> None:
    """Two runs, on one thread and on two, write the same files; the card tells data, figures and lineage."""
    card = train(SETTINGS, road, made(10, "drawn"), road / "one", silent, extra_test=made(6, "drawn"))
    train(replace(SETTINGS, threads=1), road, made(10, "drawn"), road / "two", silent, extra_test=made(6, "drawn"))
    for name in ("bundle.json", "model.onnx", "reference.onnx", "card.json", "card.md"):
        assert (road / "one" / name).read_bytes() == (road / "two" / name).read_bytes()
    assert load_bundle(road / "one").card == card
    assert [(item.name, item.split) for item in card.data if item.name == "drawn"] == [
        ("drawn", "train"),
        ("drawn", "test"),
    ]
    assert card.evaluation.score("bridge").accuracy == 1


def test_an_unknown_class_is_refused(road: Path) -> None:
    """The message names it and the known ones."""
    bus = [replace(made(1)[0], label="bus")]
    with pytest.raises(ConfigurationError, match="class 'bus': this model knows car, truck"):
        train(SETTINGS, road, bus, road / "out", silent)
