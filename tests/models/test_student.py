"""The small network: narrowed to the channels that tell, taught by a larger one, written as a bundle."""

import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.bundle import Bundle, load_bundle
from models.preprocessing import Preprocessing
from models.training.backbone import EMBEDDING, build_model, folded
from models.training.data import LabelledPicture
from models.training.distil import Copies, DistilSettings, targets, train_fast
from models.training.features import run_graph
from models.training.gather import Gathered
from models.training.head import blank_head
from models.training.student import narrowed
from models.training.weights import read_weights
from schemas.errors import ConfigurationError
from tests.models.bundles import tiny_bundle

LABELS = ("car", "truck")
WANTED = Preprocessing(32, "stretch")
SETTINGS = DistilSettings(
    created=date(2026, 11, 23), code_version="1.2", size=32, cut=13, width=0.25, rows=30, steps=6, seed=3
)


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


def gathered(pictures: list[LabelledPicture], copies: int = 3) -> Gathered:
    """Return rows without activations: what a teacher needs."""
    number, copy = np.divmod(np.arange(len(pictures) * copies), copies)
    nothing = np.zeros((len(number), 0), np.float32)
    return Gathered(pictures, len(pictures), number, copy, nothing.astype(np.float16), nothing)


def write_zip(path: Path, pictures: list[LabelledPicture]) -> None:
    """Write a zip as the training data comes."""
    lines = [",".join(["file", "label", "source", "scene"])]
    lines += [",".join([picture.name, picture.label, picture.source, picture.scene]) for picture in pictures]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("labels.csv", "\n".join(lines))
        for picture in pictures:
            archive.writestr(picture.name, cv2.imencode(".jpg", picture.image)[1].tobytes())


def embedding(network: object, count: int = 8) -> np.ndarray:
    """Return a network's embeddings of noise."""
    graph = build_model(network, WANTED.size, blank_head(LABELS, EMBEDDING))  # type: ignore[arg-type]
    return run_graph(graph.SerializeToString(), [p.image for p in made(count)], WANTED, silent, "test").embedding


def test_narrowing_keeps_a_share_of_the_channels_from_the_first_block_told() -> None:
    """Multiples of sixteen; blocks before stay; what comes out of each block has as many channels as before."""
    whole = folded(read_weights())
    half = narrowed(whole, 0.5, 11, [picture.image for picture in made(8)], WANTED)
    assert half["blocks.10._depthwise_conv"] is whole["blocks.10._depthwise_conv"]
    assert half["blocks.11._depthwise_conv"].weight.shape == (336, 1, 5, 5)
    assert half["blocks.14._expand_conv"].weight.shape == (576, 192, 1, 1)
    assert half["blocks.14._project_conv"].weight.shape == (192, 576, 1, 1)


def test_the_channels_that_tell_most_stay() -> None:
    """What is left is nearer to the whole than an equally narrow network of the first channels."""
    whole = folded(read_weights())
    images = [picture.image for picture in made(32)]
    far = np.abs(embedding(narrowed(whole, 0.9, 12, images, WANTED)) - embedding(whole)).mean()
    further = np.abs(embedding(narrowed(whole, 0.3, 12, images, WANTED)) - embedding(whole)).mean()
    assert 0 < far < further
    assert far < 0.2 * np.abs(embedding(whole)).mean()


def test_the_whole_width_changes_nothing() -> None:
    """A share of 1 gives the network itself, one of 0 is refused."""
    whole = folded(read_weights())
    assert narrowed(whole, 1, 5, [], WANTED) is whole
    with pytest.raises(ValueError, match="share is 0"):
        narrowed(whole, 0, 5, [], WANTED)


def test_a_copy_is_made_again_as_it_was() -> None:
    """By row or by slice; copy 0 is the picture."""
    pictures = made(4)
    copies = Copies(gathered(pictures), seed=5)
    assert len(copies) == 12
    assert copies[3] is pictures[1].image
    np.testing.assert_array_equal(copies[3:6][2], copies[5])


def test_a_target_is_label_and_teachers_word_in_their_shares() -> None:
    """The teacher calls bright pictures trucks; rows sum to 1."""
    data = gathered(made(4), copies=1)
    hard = targets(data, tiny_bundle(), replace(SETTINGS, teacher_share=0.0), silent)
    np.testing.assert_array_equal(hard, np.eye(2)[[0, 1, 0, 1]])
    soft = targets(data, tiny_bundle(), replace(SETTINGS, teacher_share=0.5), silent)
    assert soft[1, 1] > soft[0, 1] > 0
    np.testing.assert_allclose(soft.sum(axis=1), 1, rtol=1e-6)


@pytest.fixture
def road(tmp_path: Path) -> Path:
    """A small stand-in for the road pictures."""
    write_zip(tmp_path / "train.zip", [*made(40, "toll"), *made(20, "bridge")])
    write_zip(tmp_path / "test.zip", made(12, "bridge"))
    return tmp_path


def test_teaching_ends_in_a_bundle_that_repeats_to_the_byte(road: Path) -> None:
    """On one thread and on two; the card names the teacher, the graph in full precision lies beside."""
    teacher = tiny_bundle()
    card = train_fast(SETTINGS, teacher, road, made(10, "drawn"), road / "one", silent)
    train_fast(replace(SETTINGS, threads=1), teacher, road, made(10, "drawn"), road / "two", silent)
    for file in (road / "one").iterdir():
        assert file.read_bytes() == (road / "two" / file.name).read_bytes()
    bundle = load_bundle(road / "one")
    assert bundle.card == card
    assert bundle.reference is not None
    assert len(bundle.reference) > 2 * len(bundle.model)
    assert card.lineage.settings["teacher"] == teacher.version
    assert card.evaluation.score("bridge").n == 12


def test_a_teacher_of_other_classes_is_refused(road: Path) -> None:
    """The message names both."""
    teacher: Bundle = replace(tiny_bundle(), labels=("bus", "tram"))
    with pytest.raises(ConfigurationError, match="knows bus, tram, not car, truck"):
        train_fast(SETTINGS, teacher, road, [], road / "out", silent)
