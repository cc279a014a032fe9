"""Crops of every size become the model's input."""

import numpy as np
import pytest

from models.preprocessing import GREY, Fit, Preprocessing, prepare


@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (30, 400), (400, 30), (128, 128), (1080, 1920)])
@pytest.mark.parametrize("fit", ["stretch", "letterbox"])
def test_any_size_fits(shape: tuple[int, int], fit: Fit) -> None:
    """The batch has the wanted size, and a plain colour stays as it is."""
    image = np.full((*shape, 3), (10, 20, 30), np.uint8)
    batch = prepare([image], Preprocessing(128, fit))
    assert batch.shape == (1, 128, 128, 3)
    assert batch[0, 64, 64].tolist() == [10, 20, 30]


def test_a_letterbox_keeps_proportions() -> None:
    """A crop twice as wide as high fills half the square, between bars."""
    batch = prepare([np.zeros((20, 40, 3), np.uint8)], Preprocessing(64, "letterbox"))
    rows = batch[0, :, 32, 0]
    assert (rows == 0).sum() == 32
    assert rows[0] == rows[-1] == GREY


def test_an_empty_batch_stays_empty() -> None:
    """No pictures give no rows."""
    assert prepare([], Preprocessing(64, "stretch")).shape == (0, 64, 64, 3)


@pytest.mark.parametrize(("size", "fit"), [(4, "stretch"), (4096, "stretch"), (64, "crop")])
def test_impossible_wishes_are_refused(size: int, fit: Fit) -> None:
    """The message names the value."""
    with pytest.raises(ValueError, match=str(size) if fit == "stretch" else fit):
        Preprocessing(size, fit)
