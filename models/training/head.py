"""The head: a logistic regression on the backbone's features, and the temperature that makes its confidence honest."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax, softmax
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

Floats = NDArray[np.floating]

TEMPERATURE_BOUNDS: Final = (0.2, 5.0)


@dataclass(frozen=True, slots=True)
class Head:
    """What turns a feature vector into probabilities: softmax((x · weight + bias) / temperature)."""

    labels: tuple[str, ...]
    "The class of each column."
    weight: Floats
    "Features × classes."
    bias: Floats
    "Classes."
    temperature: float
    "Above 1 where the scores alone would be too sure."

    def scores(self, features: Floats) -> Floats:
        """Return N×K scores, before the temperature."""
        return features @ self.weight + self.bias

    def probabilities(self, features: Floats) -> Floats:
        """Return N×K probabilities."""
        return np.asarray(softmax(self.scores(features) / self.temperature, axis=1))


def blank_head(labels: Sequence[str], features: int) -> Head:
    """Return a head that knows nothing: every class equally probable."""
    return Head(tuple(labels), np.zeros((features, len(labels))), np.zeros(len(labels)), 1.0)


def fit_head(
    features: Floats, truth: NDArray[np.intp], labels: Sequence[str], weights: Floats, inverse_penalty: float
) -> Head:
    """Fit a head of temperature 1.

    `features` N×D, `truth` N indices into `labels`, `weights` N (how much each picture counts), and
    `inverse_penalty` scikit-learn's C on standardised features. The scaling is folded into the head.
    """
    scaler = StandardScaler().fit(features, sample_weight=weights)
    model = LogisticRegression(C=inverse_penalty, max_iter=2000, tol=1e-6)
    model.fit(scaler.transform(features), truth, sample_weight=weights)
    slope, offset = _per_class(model.coef_, model.intercept_)
    weight = slope.T / scaler.scale_[:, None]
    return Head(tuple(labels), weight, offset - scaler.mean_ @ weight, 1.0)


def _per_class(slope: Floats, offset: Floats) -> tuple[Floats, Floats]:
    """Return a row for each class, also of two classes, for which scikit-learn keeps one row for both."""
    if len(slope) > 1:
        return slope, offset
    return np.vstack([-slope, slope]) / 2, np.concatenate([-offset, offset]) / 2


def calibrated(head: Head, temperature: float) -> Head:
    """Return the head with another temperature."""
    return replace(head, temperature=temperature)


def fit_temperature(scores: Floats, truth: NDArray[np.intp], weights: Floats) -> float:
    """Return the temperature of least log loss on scores that were made for pictures not trained on.

    After Guo et al., On Calibration of Modern Neural Networks (2017).
    """
    rows = np.arange(len(truth))

    def loss(temperature: float) -> float:
        return float(-np.average(log_softmax(scores / temperature, axis=1)[rows, truth], weights=weights))

    return float(minimize_scalar(loss, bounds=TEMPERATURE_BOUNDS, method="bounded", options={"xatol": 1e-4}).x)
