"""Eight bits: the same answers from a smaller file, whose head can still be replaced."""

import logging

import numpy as np
import onnx
import pytest

from models.preprocessing import Image, Preprocessing
from models.training.backbone import EMBEDDING, build_model, folded, set_head
from models.training.features import run_graph
from models.training.head import Head
from models.training.quantize import drawn, quantized
from models.training.weights import read_weights
from schemas.errors import ModelError
from tests.models.bundles import tiny_graph

WANTED = Preprocessing(32, "stretch")
LABELS = ("car", "truck")


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def images(count: int) -> list[Image]:
    """Return coarse noise, which is more like a picture than fine noise is."""
    rng = np.random.default_rng(3)
    return [np.kron(rng.integers(0, 256, (4, 5, 3), np.uint8), np.ones((8, 8, 1), np.uint8)) for _ in range(count)]


def head(seed: int) -> Head:
    """Return a head that says something."""
    rng = np.random.default_rng(seed)
    return Head(LABELS, rng.normal(size=(EMBEDDING, 2)) / 30, rng.normal(size=2) / 10, 1.3)


@pytest.fixture(scope="module")
def exact() -> bytes:
    """The pretrained network on tiny pictures."""
    return build_model(folded(read_weights()), WANTED.size, head(1)).SerializeToString()


@pytest.fixture(scope="module")
def small(exact: bytes) -> bytes:
    """The same in eight bits."""
    return quantized(exact, images(16), WANTED, seed=1)


def probabilities(model: bytes) -> np.ndarray:
    """Return what a graph says of pictures that no range was read from."""
    return run_graph(model, images(32)[16:], WANTED, silent, "test").probabilities


def test_eight_bits_say_nearly_the_same_from_a_third_of_the_bytes(exact: bytes, small: bytes) -> None:
    """No probability is off by more than a few hundredths."""
    np.testing.assert_allclose(probabilities(small), probabilities(exact), atol=0.05)
    assert len(small) < len(exact) / 3


def test_the_same_draw_makes_the_same_file(exact: bytes, small: bytes) -> None:
    """Equal arguments give equal bytes, another seed another calibration."""
    assert quantized(exact, images(16), WANTED, seed=1) == small
    assert quantized(exact, images(16), WANTED, seed=2, calibration=4) != small


def test_a_head_is_replaced_in_the_small_file(small: bytes) -> None:
    """The head is in full precision still: it says what it says on the embedding."""
    graph = onnx.load_from_string(small)
    set_head(graph, head(2))
    outputs = run_graph(graph.SerializeToString(), images(8), WANTED, silent, "test")
    np.testing.assert_allclose(outputs.probabilities, head(2).probabilities(outputs.embedding), atol=1e-4)


def test_weights_use_seven_bits_and_the_first_layers_none(small: bytes) -> None:
    """Processors without VNNI add two products in 16 bits: 8 bits would overflow."""
    values = {
        tensor.name: onnx.numpy_helper.to_array(tensor) for tensor in onnx.load_from_string(small).graph.initializer
    }
    bytes_used = [value for name, value in values.items() if name.endswith("weight_quantized")]
    assert bytes_used
    assert all(value.dtype == np.int8 and abs(value.astype(int)).max() <= 64 for value in bytes_used)
    assert values["conv_stem.weight"].dtype == values["head.weight"].dtype == np.float32


def test_a_graph_without_convolutions_is_refused() -> None:
    """The message says how many there are."""
    with pytest.raises(ModelError, match="0 convolutions"):
        quantized(tiny_graph(), images(4), Preprocessing(16, "stretch"), seed=1)


def test_logging_is_as_before(exact: bytes, small: bytes) -> None:
    """The quantiser's advice is kept back, later warnings are not."""
    assert small
    assert not logging.getLogger().disabled


def test_a_draw_is_seeded_and_never_larger_than_what_there_is() -> None:
    """Fewer pictures than wanted: all of them."""
    few = images(5)
    assert [id(image) for image in drawn(few, 3, seed=4)] == [id(image) for image in drawn(few, 3, seed=4)]
    assert len(drawn(few, 9, seed=4)) == 5
