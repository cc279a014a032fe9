"""The occlusion map, on classifiers whose reasons are known."""

from collections.abc import Callable, Sequence

import numpy as np
import pytest

from models.explanation import LARGEST, Explanation, drawn, occlusion_map
from models.preprocessing import Image
from models.verdicts import Verdicts
from processors.classifier import Classifier
from tests.models.bundles import tiny_bundle

CLASSES = ("car", "truck", "bus")
Classify = Callable[[Sequence[Image]], Verdicts]


def a_picture(height: int = 60, width: int = 80, seed: int = 0) -> Image:
    return np.random.default_rng(seed).integers(90, 160, (height, width, 3), np.uint8)


def corner_looker(classes: int = 2, familiar: bool = True) -> Classify:
    """Return a classifier that calls a truck what has white in its upper left quarter, and looks at nothing else."""

    def classify(images: Sequence[Image]) -> Verdicts:
        corners = [image[: -(-image.shape[0] // 4), : -(-image.shape[1] // 4)] for image in images]
        white = np.array([(corner == 255).mean() for corner in corners])
        scores = np.stack([np.zeros_like(white), 4 * white, np.full_like(white, -1.0)], axis=1)[:, :classes]
        shares = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
        nothing = np.empty((len(images), 0), np.float32)
        return Verdicts(CLASSES[:classes], shares.astype(np.float32), nothing, np.full(len(images), familiar))

    return classify


def white_corner() -> Image:
    image = a_picture()
    image[:15, :20] = 255
    return image


def test_the_map_is_hot_where_the_classifier_looks_and_nowhere_else() -> None:
    found = occlusion_map(corner_looker(), white_corner())
    heat = found.maps[0].heat
    assert found.maps[0].label == "truck"
    assert heat.shape == (60, 80)
    assert heat[:15, :20].min() > 1
    assert np.unravel_index(heat.argmax(), heat.shape) < (15, 20)
    assert np.abs(heat[32:, :]).max() == 0
    assert np.abs(heat[:, 42:]).max() == 0


def test_what_speaks_against_a_class_is_below_zero() -> None:
    """A car for its dark half, and less so for its bright one: the tiny bundle knows brightness alone."""
    image = np.full((64, 64, 3), 60, np.uint8)
    image[:, 32:] = 180
    found = occlusion_map(Classifier.load(tiny_bundle()).classify, image)
    heat = found.maps[0].heat
    assert found.maps[0].label == "car"
    assert heat[:, :24].min() > 0 > heat[:, 40:].max()


def test_of_more_than_two_classes_the_next_one_is_shown_too() -> None:
    """Of two, its map would be the negative of the first."""
    assert len(occlusion_map(corner_looker(2), white_corner()).maps) == 1
    three = occlusion_map(corner_looker(3), white_corner())
    assert [one.label for one in three.maps] == ["truck", "car"]
    assert three.maps[1].heat[5, 5] < 0


def test_the_share_of_places_that_overturn_the_verdict() -> None:
    """The corner holds the only white: hiding all of it, at a few places, leaves no truck."""
    found = occlusion_map(corner_looker(), white_corner(), patch=0.5)
    assert 0 < found.overturned < 0.2
    assert occlusion_map(corner_looker(), a_picture()).overturned == 0


def test_the_same_picture_gives_the_same_map() -> None:
    one, two = (occlusion_map(corner_looker(), white_corner()) for _ in range(2))
    assert np.array_equal(one.maps[0].heat, two.maps[0].heat)


def test_it_costs_a_few_hundred_pictures_in_batches() -> None:
    sizes = []

    def classify(images: Sequence[Image]) -> Verdicts:
        sizes.append(len(images))
        return corner_looker()(images)

    found = occlusion_map(classify, white_corner())
    assert sum(sizes) == found.classified == 197
    assert max(sizes) == 32


def test_large_pictures_are_reduced() -> None:
    found = occlusion_map(corner_looker(), a_picture(600, 1200), steps=2)
    assert found.image.shape == (LARGEST // 2, LARGEST, 3)


@pytest.mark.parametrize("size", [(1, 1), (2, 300), (128, 3)])
def test_pictures_of_any_shape_are_explained_and_drawn(size: tuple[int, int]) -> None:
    found = occlusion_map(corner_looker(), a_picture(*size))
    assert np.isfinite(found.maps[0].heat).all()
    assert drawn(found).dtype == np.uint8


def test_abstention_is_told_and_the_map_is_there() -> None:
    found = occlusion_map(corner_looker(familiar=False), white_corner())
    assert found.abstained
    assert found.maps[0].heat.max() > 0


def test_the_drawing_shows_the_picture_and_colours_where_the_map_is_hot() -> None:
    """Red lies on the hot corner's panel; a map of nothing is drawn without colour."""
    hot = drawn(occlusion_map(corner_looker(), white_corner()), ("tiny-1", "gate:2026:1"))
    cold = drawn(occlusion_map(corner_looker(), a_picture(), steps=2), ("tiny-1", "gate:2026:1"))
    assert redness(hot) > redness(cold) + 1000


def redness(page: Image) -> int:
    """Pixels that are clearly red, the legend's own left out."""
    part = page[:, : page.shape[1] - 250].astype(int)
    return int(((part[..., 2] - part[..., 0]) > 90).sum())


def test_an_explanation_holds_the_probabilities_of_the_picture_itself() -> None:
    found: Explanation = occlusion_map(corner_looker(), white_corner())
    assert sum(found.probabilities.values()) == pytest.approx(1, abs=1e-5)
    assert found.maps[0].probability == max(found.probabilities.values())
