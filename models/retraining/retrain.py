"""Retraining, from a bundle and new labels to a bundle: only the head's three initializers change.

parent ─► features of its own graph ─► head held to the parent's ─► temperature ─► both graphs ─► figures ─► bundle
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import date
from importlib.metadata import version as package_version
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import log_softmax, softmax

from models.bundle import Bundle, version_of
from models.card import Card, DataSource, Lineage
from models.evaluation import Answers, Evaluation, summarise
from models.preprocessing import Image
from models.retraining.heads import abstain_below, read_head, with_head
from models.retraining.prior import Prior, fit_from, fold_numbers
from models.retraining.ties import Ties, block_folds, votes
from models.selftest import rows_of, selftest_pictures
from models.training.data import LabelledPicture, class_faults, counts, pictures_sha256
from models.training.features import Outputs, Progress, run_graph, silent
from models.training.head import Head, calibrated, fit_temperature
from schemas.errors import ConfigurationError, ModelError

PACKAGES: Final = ("numpy", "onnx", "onnxruntime", "opencv-python-headless", "scikit-learn", "scipy")
AGREEMENT: Final = 1e-3
"In probability, between the graph and its head computed here."
STRENGTHS: Final = (1.0, 0.3, 0.1)
"Of the prior, the strongest first."
PROOF: Final = 2.0
"""A weaker prior is taken where held-back pictures, replayed ones among them, are told better by so many standard errors.
By one, cameras of which no old picture is mixed in lost half a point."""
CALM_PICTURES: Final = 200
"Pictures at which the temperature goes half the way to what they ask for: asked of 25 it made new cameras worse."
HELD_BACK_LIMIT: Final = (
    "No test pictures were given when its head was retrained: the figures are of new labels held back in turn, said by"
    " heads that were made like this one and had not seen them."
)


@dataclass(frozen=True, slots=True)
class RetrainingSettings:
    """How to retrain; docs/decisions.md has the figures behind the defaults."""

    created: date
    "Goes into version and card; given, so that the same retraining makes the same files."
    code_version: str
    "Version of this code, for the card."
    prior: Prior = field(default_factory=Prior)
    "How strongly the head is held to its parent's."
    replay_share: float = 0.5
    "How much replayed pictures weigh among all, 0 to below 1."
    min_labels: int = 20
    "Fewer are refused; pictures of one vehicle are one."
    min_of_class: int = 3
    "Fewer of a class are refused; a class that does not occur at all stays as it is."
    folds: int = 5
    "Parts of the pictures, each held back once for temperature and figures."
    seed: int = 20261101
    "Of the parts."
    threads: int = 2
    "Cores; the result does not depend on it."


@dataclass(frozen=True, slots=True)
class Retraining:
    """A new bundle, and what it gained."""

    bundle: Bundle
    "With the new head."
    before: Evaluation
    "The parent's figures on the new labels, a vehicle's pictures as one vote."
    after: Evaluation
    "Those of heads that had not seen the picture, on the same."
    told: "HeldBack"
    "The same, vehicle by vehicle."
    log_loss_before: float
    "Of the parent, on the new labels."
    log_loss_after: float
    "Of heads that had not seen the picture: above the parent's, the labels brought nothing."

    @property
    def gains(self) -> bool:
        """Whether held-back pictures were told better than by the parent."""
        return self.log_loss_after < self.log_loss_before


@dataclass(frozen=True, slots=True)
class HeldBack:
    """What was said of new vehicles, an entry for each, in the order given."""

    names: tuple[str, ...]
    "Whose; without ties a picture's number."
    truth: tuple[str, ...]
    "True classes."
    before: tuple[str, ...]
    "The parent's."
    after: tuple[str, ...]
    "Those of heads that had not seen the vehicle."


@dataclass(frozen=True, slots=True)
class _Set:
    """Pictures with their features: new ones, then replayed ones."""

    new: int
    "How many are new."
    vehicles: int
    "How many new vehicles they show."
    features: NDArray[np.float64]
    "N×D."
    truth: NDArray[np.intp]
    "N indices into the labels."
    weights: NDArray[np.float64]
    "How much each counts: a new vehicle one."
    fold: NDArray[np.intp]
    "The part with which each is held back."


@dataclass(frozen=True, slots=True)
class _Learnt:
    """A new head, and probabilities of the new pictures, N×K."""

    head: Head
    "Fitted to all."
    before: NDArray[np.floating]
    "The parent's."
    after: NDArray[np.floating]
    "Those of heads that had not seen the picture."
    strength: float
    "How much of the prior held it."


@dataclass(frozen=True, slots=True)
class _Tried:
    """What heads say of pictures that they had not seen."""

    strength: float
    "How much of the prior held them."
    scores: NDArray[np.float64]
    "N×K, over the temperature."
    temperature: float
    "That fits them."
    losses: NDArray[np.float64]
    "N, log losses."


def retrain(
    parent: Bundle,
    pictures: Sequence[LabelledPicture],
    settings: RetrainingSettings,
    progress: Progress,
    *,
    replay: Sequence[LabelledPicture] = (),
    tested: Sequence[LabelledPicture] = (),
    ties: Ties | None = None,
) -> Retraining:
    """Return the parent with a head fitted to `pictures` (and `replay`, old ones that it shall not unlearn).

    `ties` say what hangs together among pictures, then replayed ones; without, each shows a vehicle of its own, and
    neighbours of a scene are held back together. Raises ConfigurationError for too few labels or others than the
    parent's, ModelError for a parent whose head cannot be replaced. The same bundle, pictures and settings give the same
    bytes on one machine.
    """
    vehicles = _alone(pictures) if ties is None else ties.vehicles[: len(pictures)]
    check_labels(parent.labels, pictures, settings, vehicles)
    check_known(parent.labels, [*replay, *tested])
    data = _features(parent, (pictures, replay), ties, settings, progress)
    learnt = _learn(read_head(parent), data, settings)
    model = with_head(parent.model, learnt.head)
    told = _held_back(pictures, vehicles, learnt, parent.labels)
    before, after = (_evaluation(pictures, vehicles, said, parent.labels) for said in (learnt.before, learnt.after))
    figures = _test(parent, model, tested, settings, progress) if tested else after
    served = replace(parent, abstain_below=abstain_below(parent, data.features[: data.new]))
    words = _told(parent, (pictures, replay, tested), settings, learnt.strength)
    bundle = _bundle(served, learnt.head, model, settings, words, figures)
    losses = (_log_loss(said, data) for said in (learnt.before, learnt.after))
    return Retraining(bundle, before, after, told, *losses)


def check_labels(
    labels: tuple[str, ...],
    pictures: Sequence[LabelledPicture],
    settings: RetrainingSettings,
    vehicles: Sequence[str] | None = None,
) -> None:
    """Raise ConfigurationError where labels are too few, all of one class, or unknown to the model.

    `vehicles` says whom each picture shows; None: each another one.
    """
    check_known(labels, pictures)
    names = range(len(pictures)) if vehicles is None else vehicles
    shown = Counter({vehicle: picture.label for vehicle, picture in zip(names, pictures, strict=True)}.values())
    found = {label: shown[label] for label in labels if shown[label]}
    told = ", ".join(f"{count} {label}" for label, count in found.items()) or "none"
    faults = []
    if (count := shown.total()) < settings.min_labels:
        what = "pictures" if vehicles is None or count == len(pictures) else "vehicles"
        faults.append(f"{count} labelled {what} ({told}): at least {settings.min_labels} are needed")
    if len(found) < 2:
        faults.append(f"labels are {told}: a head is fitted to at least two classes")
    rare = [label for label, count in found.items() if count < settings.min_of_class]
    faults += [f"{found[label]} of {label}: at least {settings.min_of_class} are needed, or none" for label in rare]
    if faults:
        raise ConfigurationError("retraining pictures", faults)


def check_known(labels: tuple[str, ...], pictures: Sequence[LabelledPicture]) -> None:
    """Raise ConfigurationError for classes that the model does not have."""
    if faults := class_faults(labels, pictures):
        raise ConfigurationError("retraining pictures", faults)


def _features(
    parent: Bundle,
    shown: tuple[Sequence[LabelledPicture], Sequence[LabelledPicture]],
    ties: Ties | None,
    settings: RetrainingSettings,
    progress: Progress,
) -> _Set:
    head, everything, new = read_head(parent), [*shown[0], *shown[1]], len(shown[0])
    outputs = _run(parent.model, parent, [picture.image for picture in everything], "features", settings, progress)
    features = outputs.embedding.astype(np.float64)
    if features.shape[1:] != head.weight.shape[:1] or not _agree(head.probabilities(features), outputs.probabilities):
        raise ModelError(f"{parent.version}: its probabilities do not follow from embedding and head: not replaceable")
    truth = np.array([parent.labels.index(picture.label) for picture in everything])
    shares = np.ones(len(everything)) if ties is None else np.array(ties.shares)
    vehicles = new if ties is None else len(set(ties.vehicles[:new]))
    return _Set(
        new=new,
        vehicles=vehicles,
        features=features,
        truth=truth,
        weights=_weights(shares[:new], shares[new:], vehicles, settings.replay_share),
        fold=_folds(everything, truth, new, ties, settings),
    )


def _weights(
    new: NDArray[np.float64], old: NDArray[np.float64], vehicles: int, replay_share: float
) -> NDArray[np.float64]:
    """Return how much each picture counts: a new vehicle one, so that the prior is as strong with replay as without."""
    replayed = replay_share / (1 - replay_share) * vehicles
    return np.concatenate([_scaled(new, vehicles), _scaled(old, replayed)])


def _scaled(shares: NDArray[np.float64], total: float) -> NDArray[np.float64]:
    return shares * (total / shares.sum()) if len(shares) else shares


def _folds(
    pictures: Sequence[LabelledPicture],
    truth: NDArray[np.intp],
    new: int,
    ties: Ties | None,
    settings: RetrainingSettings,
) -> NDArray[np.intp]:
    if ties is None:
        return fold_numbers(truth.tolist(), [picture.scene for picture in pictures], settings.folds, settings.seed)
    parts = (slice(None, new), slice(new, None))
    return np.concatenate(
        [block_folds(ties.blocks[part], ties.vehicles[part], settings.folds, settings.seed) for part in parts]
    )


def _agree(ours: NDArray[np.floating], theirs: NDArray[np.floating]) -> bool:
    return ours.shape == theirs.shape and bool(np.allclose(ours, theirs, atol=AGREEMENT))


def _learn(head: Head, data: _Set, settings: RetrainingSettings) -> _Learnt:
    tried = _best(head, data, settings)
    penalty = tried.strength * settings.prior.penalty(data.vehicles)
    fresh = fit_from(head, data.features, data.truth, data.weights, penalty)
    return _Learnt(
        calibrated(fresh, tried.temperature),
        head.probabilities(data.features[: data.new]),
        softmax(tried.scores[: data.new], axis=1),
        tried.strength,
    )


def _best(head: Head, data: _Set, settings: RetrainingSettings) -> _Tried:
    """Return what the strongest prior gives, or a weaker one that is surely better."""
    best = _tried(head, data, settings, STRENGTHS[0])
    for strength in STRENGTHS[1:]:
        weaker = _tried(head, data, settings, strength)
        if not _is_surely_less(weaker.losses - best.losses, data.weights):
            break
        best = weaker
    return best


def _is_surely_less(differences: NDArray[np.float64], weights: NDArray[np.float64]) -> bool:
    """Whether their mean is below 0 beyond doubt; weights sum to the number of vehicles."""
    mean = np.average(differences, weights=weights)
    spread = np.average((differences - mean) ** 2, weights=weights)
    return bool(mean < -PROOF * np.sqrt(spread / weights.sum()))


def _tried(head: Head, data: _Set, settings: RetrainingSettings, strength: float) -> _Tried:
    scores = _held_back_scores(head, data, settings, strength * settings.prior.penalty(data.vehicles))
    temperature = _calm(fit_temperature(scores, data.truth, data.weights), len(data.truth))
    losses = -log_softmax(scores / temperature, axis=1)[np.arange(len(scores)), data.truth]
    return _Tried(strength, scores / temperature, temperature, losses)


def _held_back_scores(head: Head, data: _Set, settings: RetrainingSettings, penalty: float) -> NDArray[np.float64]:
    """Return each picture's scores by a head that had not seen it."""
    scores = np.zeros((len(data.truth), len(head.labels)))
    for number in range(settings.folds):
        held = data.fold == number
        if not held.any():
            continue
        fitted = fit_from(head, data.features[~held], data.truth[~held], data.weights[~held], penalty)
        scores[held] = fitted.scores(data.features[held])
    return scores


def _calm(temperature: float, pictures: int) -> float:
    return float(temperature ** (pictures / (pictures + CALM_PICTURES)))


def _log_loss(probabilities: NDArray[np.floating], data: _Set) -> float:
    truth = data.truth[: data.new]
    of_truth = np.maximum(probabilities[np.arange(len(truth)), truth], 1e-12)
    return float(-np.average(np.log(of_truth), weights=data.weights[: data.new]))


def _alone(pictures: Sequence[LabelledPicture]) -> tuple[str, ...]:
    """Each shows another vehicle."""
    return tuple(str(number) for number in range(len(pictures)))


def _held_back(
    pictures: Sequence[LabelledPicture], vehicles: Sequence[str], learnt: _Learnt, labels: tuple[str, ...]
) -> HeldBack:
    before, after = (votes(vehicles, pictures, said) for said in (learnt.before, learnt.after))
    first = before.first.tolist()
    said = [tuple(labels[best] for best in found.probabilities.argmax(axis=1)) for found in (before, after)]
    return HeldBack(tuple(vehicles[row] for row in first), tuple(pictures[row].label for row in first), *said)


def _evaluation(
    pictures: Sequence[LabelledPicture],
    vehicles: Sequence[str],
    probabilities: NDArray[np.floating],
    labels: tuple[str, ...],
) -> Evaluation:
    found = votes(vehicles, pictures, probabilities)
    shown = [pictures[row] for row in found.first.tolist()]
    return summarise(
        Answers(
            np.array([picture.label for picture in shown]),
            np.array(labels)[found.probabilities.argmax(axis=1)],
            found.probabilities.max(axis=1).astype(np.float64),
            np.array([picture.source for picture in shown]),
        )
    )


def _test(
    parent: Bundle,
    model: bytes,
    tested: Sequence[LabelledPicture],
    settings: RetrainingSettings,
    progress: Progress,
) -> Evaluation:
    """Score the finished file: a head that was written wrongly would show here."""
    outputs = _run(model, parent, [picture.image for picture in tested], "test", settings, progress)
    return _evaluation(tested, _alone(tested), outputs.probabilities, parent.labels)


def _run(
    model: bytes,
    parent: Bundle,
    images: Sequence[Image],
    step: str,
    settings: RetrainingSettings,
    progress: Progress,
) -> Outputs:
    return run_graph(model, images, parent.preprocessing, progress, step, settings.threads)


@dataclass(frozen=True, slots=True)
class _Told:
    """What the card says of the pictures."""

    data: tuple[DataSource, ...]
    "By source."
    checksums: dict[str, str]
    "By name."
    settings: dict[str, str]
    "How many, and how."
    limits: tuple[str, ...]
    "Where figures and head end."


def _told(
    parent: Bundle,
    shown: tuple[Sequence[LabelledPicture], Sequence[LabelledPicture], Sequence[LabelledPicture]],
    settings: RetrainingSettings,
    strength: float,
) -> _Told:
    """What is said of new, replayed and test pictures."""
    pictures, replay, tested = shown
    parts = {"retraining pictures": pictures, "replayed pictures": replay, "test pictures": tested}
    fresh = [(split, counts(part)) for split, part in (("train", pictures), ("test", tested))]
    data = tuple(DataSource(name, split, row) for split, rows in fresh for name, row in rows.items())
    kept = tuple(row for row in parent.card.data if row.split == "train" and row not in data)
    figures = () if tested else (HELD_BACK_LIMIT,)
    others = tuple(limit for limit in parent.card.limits if limit != HELD_BACK_LIMIT)
    return _Told(
        data=(*kept, *data),
        checksums={name: pictures_sha256(part) for name, part in parts.items() if part},
        settings={
            "retrained": "head",
            **{name: str(len(part)) for name, part in parts.items()},
            **{f"prior.{name}": str(value) for name, value in asdict(settings.prior).items()},
            "prior.strength": str(strength),
            "replay_share": str(settings.replay_share),
            "folds": str(settings.folds),
        },
        limits=(*others, *figures),
    )


def _bundle(
    parent: Bundle, head: Head, model: bytes, settings: RetrainingSettings, told: _Told, evaluation: Evaluation
) -> Bundle:
    version = version_of(name_of(parent.version), settings.created, model, parent.labels, parent.preprocessing)
    return replace(
        parent,
        version=version,
        model=model,
        reference=None if parent.reference is None else with_head(parent.reference, head),
        expected=_expected(parent, model, head, settings),
        card=_card(parent, version, settings, told, evaluation),
    )


def name_of(version: str) -> str:
    """Return a version's first part: `road` of `road-2026.11-1a2b3c4d`."""
    parts = version.rsplit("-", 2)
    return parts[0] if len(parts) == 3 else version


def _expected(parent: Bundle, model: bytes, head: Head, settings: RetrainingSettings) -> tuple[tuple[float, ...], ...]:
    """Return what the new graph says of the self-test's pictures; raises ModelError where that is not its head's."""
    outputs = _run(model, parent, selftest_pictures(), "self-test", settings, silent)
    if not _agree(head.probabilities(outputs.embedding.astype(np.float64)), outputs.probabilities):
        raise ModelError(f"{parent.version}: its graph does not follow a new head: something else computes its scores")
    return rows_of(outputs.probabilities)


def _card(parent: Bundle, version: str, settings: RetrainingSettings, told: _Told, evaluation: Evaluation) -> Card:
    lineage = Lineage(
        code_version=settings.code_version,
        seed=settings.seed,
        settings=told.settings,
        data_sha256=told.checksums,
        backbone_sha256=parent.card.lineage.backbone_sha256,
        packages={name: package_version(name) for name in PACKAGES},
        parent=parent.version,
    )
    return replace(
        parent.card,
        version=version,
        created=settings.created,
        data=told.data,
        evaluation=evaluation,
        limits=told.limits,
        lineage=lineage,
    )
