"""Tuning: copies that can be made again, blocks in JAX that compute what ONNX Runtime computes, strangers refused."""

import numpy as np
import pytest

from models.preprocessing import Preprocessing
from models.training.augment import CHANGES, augmented, copy_of, shrunk
from models.training.backbone import EMBEDDING, build_model, build_trunk, folded
from models.training.data import LabelledPicture
from models.training.familiarity import fit_familiarity, strangers
from models.training.features import run_graph, run_trunk
from models.training.finetune import Activations, Tuning, embeddings, tune
from models.training.gather import Gathering, gather, row_weights
from models.training.head import Head, blank_head
from models.training.weights import read_weights

LABELS = ("car", "truck")
CUT = 11


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def vehicle(number: int, source: str = "toll") -> LabelledPicture:
    """Return a picture of noise: dark for a car, bright for a truck."""
    rng = np.random.default_rng(number)
    image = rng.integers(60 * (number % 2), 100 + 150 * (number % 2), (30, 40, 3), np.uint8)
    return LabelledPicture(str(number), image, LABELS[number % 2], source, source)


PICTURES = [*(vehicle(n) for n in range(20)), *(vehicle(n, "bridge") for n in range(20, 24))]


@pytest.mark.parametrize("change", [change for _, change in CHANGES], ids=lambda change: change.__name__)
@pytest.mark.parametrize("shape", [(2, 2, 3), (9, 40, 3), (128, 100, 3)])
def test_each_change_gives_a_picture(change: object, shape: tuple[int, int, int]) -> None:
    """A picture comes back from the smallest and from larger ones, and the given one stays as it was."""
    image = np.random.default_rng(1).integers(0, 256, shape, np.uint8)
    before = image.copy()
    for seed in range(5):
        changed = change(image, np.random.default_rng(seed))  # type: ignore[operator]
        assert changed.dtype == np.uint8
        assert changed.ndim == 3
        assert min(changed.shape[:2]) >= 1
    assert (image == before).all()


def test_a_copy_depends_on_its_numbers_alone() -> None:
    """The same numbers give the same copy, others another one, and copy 0 is the picture."""
    image = vehicle(1).image
    assert (copy_of(image, 3, 2, 7) == copy_of(image, 3, 2, 7)).all()
    assert copy_of(image, 3, 0, 7) is image
    copies = {copy_of(image, 3, number, 7).tobytes() for number in range(9)}
    assert len(copies) == 9
    assert len({augmented(image, np.random.default_rng(seed)).shape for seed in range(20)}) > 1


@pytest.mark.parametrize(("shape", "found"), [((200, 300), (53, 80)), ((30, 40), (30, 40)), ((1, 400), (2, 80))])
def test_no_picture_grows_when_it_is_shrunk(shape: tuple[int, int], found: tuple[int, int]) -> None:
    """Its longest side is at most what is asked, and a small picture stays as it is."""
    assert shrunk(np.zeros((*shape, 3), np.uint8), 80).shape[:2] == found


@pytest.fixture(scope="module")
def network() -> dict:  # type: ignore[type-arg]
    """The pretrained network."""
    return folded(read_weights())


def test_jax_computes_what_the_graph_computes(network: dict) -> None:  # type: ignore[type-arg]
    """Blocks on the trunk's activations give the whole graph's embedding, to half precision."""
    images = [picture.image for picture in PICTURES[:6]]
    wanted = Preprocessing(64, "stretch")
    head = blank_head(LABELS, EMBEDDING)
    whole = run_graph(build_model(network, 64, head).SerializeToString(), images, wanted, silent, "test")
    trunk = run_trunk(build_trunk(network, 64, CUT), images.__getitem__, len(images), wanted, silent)
    np.testing.assert_allclose(trunk.embedding, whole.embedding, atol=1e-4)
    np.testing.assert_allclose(embeddings(network, head, trunk.activation, CUT), whole.embedding, atol=0.05)


def test_a_small_source_gets_more_copies(network: dict) -> None:  # type: ignore[type-arg]
    """Rows are shared out by source; without a source its pictures are gone, and the others keep their rows."""
    gathering = Gathering(Preprocessing(32, "stretch"), rows=100, seed=1, threads=1)
    data = gather(build_trunk(network, 32, CUT), PICTURES, [], gathering, silent)
    assert np.bincount(data.number).tolist() == [5] * 20 + [25] * 4
    bridge = data.without({"toll"})
    assert [picture.source for picture in bridge.pictures] == ["bridge"] * 4
    assert (bridge.activation == data.activation[data.number >= 20]).all()
    weights = row_weights(data, np.ones(24, bool), extra_share=0.1, clean_share=0.3)
    assert weights[data.number < 20].sum() == pytest.approx(weights.sum() / 2)
    assert weights[data.copy == 0].sum() == pytest.approx(0.3 * weights.sum())


def test_tuning_learns_and_repeats(network: dict) -> None:  # type: ignore[type-arg]
    """On activations that tell the classes apart the tuned head is right; the same seed gives the same weights."""
    rng = np.random.default_rng(3)
    truth = np.arange(64) % 2
    values = (rng.normal(size=(64, 112, 4)) + 2 * truth[:, None, None] * (np.arange(112) < 9)[:, None]).astype(
        np.float16
    )
    data = Activations(values, np.eye(2, dtype=np.float32)[truth], np.ones(64))
    start = Head(LABELS, np.zeros((EMBEDDING, 2)), np.zeros(2), 1.0)
    tuning = Tuning(steps=60, batch=16)
    tuned, head = tune(network, start, data, tuning, 1, silent)
    again, _ = tune(network, start, data, tuning, 1, silent)
    said = head.scores(embeddings(tuned, head, values, CUT)).argmax(axis=1)
    assert (said == truth).mean() > 0.9
    assert all((tuned[name].weight == again[name].weight).all() for name in tuned)
    assert (tuned["blocks.10._project_conv"].weight == network["blocks.10._project_conv"].weight).all()


def test_strangers_are_told_from_vehicles() -> None:
    """On embeddings that tell, strangers lie below the threshold and hardly a vehicle does."""
    rng = np.random.default_rng(5)
    vehicles, strange = rng.normal(size=(2000, 8)), rng.normal(size=(300, 8)) + 3
    source = np.repeat(["a", "b"], 1000)
    found = fit_familiarity(vehicles, source, np.ones(2000, bool), strange)
    assert (found.scores(strange) < found.abstain_below).mean() > 0.9
    assert 0 < (found.scores(vehicles) < found.abstain_below).mean() < 0.02


def test_strangers_can_be_made_again() -> None:
    """The same seed makes the same pictures, whatever the size of the crops."""
    images = [picture.image for picture in PICTURES]
    first, second = strangers(images, 1), strangers(images, 1)
    assert all((one == other).all() for one, other in zip(first, second, strict=True))
    assert all(image.ndim == 3 and min(image.shape[:2]) >= 8 for image in first)
