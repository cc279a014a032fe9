"""Whether a picture is like a vehicle at all: a score on the embedding, and the score below which no label is given.

A logistic regression of training pictures against pictures made to be none: noise, plain and blotched colour, corners
of crops (Hendrycks et al., Deep Anomaly Detection with Outlier Exposure, 2019). It finds road and verge of cameras
never seen far better than distances to the classes do. The threshold refuses one in a hundred vehicles of sources that
the regression was not shown.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from models.preprocessing import Image

Floats = NDArray[np.floating]

REFUSED: Final = 0.01
"The share of vehicles that may be refused."
INVERSE_PENALTY: Final = 0.003
"scikit-learn's C."
MADE: Final = 100
"Pictures of each kind that is made; four times as many corners."
SHAPE: Final = (80, 100, 3)


@dataclass(frozen=True, slots=True)
class Familiarity:
    """What turns an embedding into a score: embedding · weight + bias."""

    weight: Floats
    "D."
    bias: float
    "Chosen so that vehicles and strangers weigh alike at 0."
    abstain_below: float
    "A lower score is given no label."

    def scores(self, embedding: Floats) -> Floats:
        """Return N scores; higher is more like what it was trained on."""
        return embedding @ self.weight + self.bias


def strangers(images: Sequence[Image], seed: int) -> list[Image]:
    """Return made pictures that show no vehicle; `images` are vehicles, whose corners are cut."""
    rng = np.random.default_rng(seed)
    noise = [rng.integers(0, 256, SHAPE, np.uint8) for _ in range(MADE)]
    plain = [np.full(SHAPE, rng.integers(0, 256, 3 if n % 2 else 1), np.uint8) for n in range(MADE)]
    chosen = rng.choice(len(images), min(4 * MADE, len(images)), replace=False)
    return [*noise, *plain, *(_blotched(rng) for _ in range(MADE)), *(_corner(images[n], rng) for n in chosen)]


def fit_familiarity(
    embedding: Floats, source: NDArray[np.str_], judged: NDArray[np.bool_], strange: Floats
) -> Familiarity:
    """Fit the score on vehicles (N×D) against strangers (M×D), and the threshold on each source left out in turn.

    The threshold is read from `judged` vehicles alone, their sources weighted alike.
    """
    weight, bias = _fit(embedding, strange)
    names = sorted(set(source[judged].tolist()))
    scores, shares = [], []
    for name in names:
        held = source == name
        if len(names) == 1:
            held_weight, held_bias = weight, bias
        else:
            held_weight, held_bias = _fit(embedding[~held], strange)
        scores.append(embedding[held & judged] @ held_weight + held_bias)
        shares.append(np.full(len(scores[-1]), 1 / len(scores[-1])))
    return Familiarity(weight, bias, _quantile(np.concatenate(scores), np.concatenate(shares), REFUSED))


def _fit(vehicles: Floats, strange: Floats) -> tuple[Floats, float]:
    features = np.concatenate([vehicles, strange]).astype(np.float64)
    truth = np.arange(len(features)) < len(vehicles)
    scaler = StandardScaler().fit(features)
    model = LogisticRegression(C=INVERSE_PENALTY, max_iter=1000, class_weight="balanced")
    model.fit(scaler.transform(features), truth)
    weight = model.coef_[0] / scaler.scale_
    return weight, float(model.intercept_[0] - scaler.mean_ @ weight)


def _quantile(values: Floats, weights: Floats, share: float) -> float:
    """Return the value below which `share` of the weight lies."""
    order = np.argsort(values)
    summed = np.cumsum(weights[order]) / weights.sum()
    return float(values[order][np.searchsorted(summed, share)])


def _blotched(rng: np.random.Generator) -> Image:
    coarse = rng.integers(0, 256, (4, 4, 3), np.uint8)
    return np.asarray(cv2.resize(coarse, SHAPE[1::-1], interpolation=cv2.INTER_CUBIC), np.uint8)


def _corner(image: Image, rng: np.random.Generator) -> Image:
    """Return one of the four corners, a quarter of each side."""
    height, width = (max(8, side // 4) for side in image.shape[:2])
    rows = slice(height) if rng.random() < 0.5 else slice(-height, None)
    return image[rows, :width] if rng.random() < 0.5 else image[rows, -width:]
