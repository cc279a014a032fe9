"""A new head learns a new camera, keeps what the old one knew, and goes into the graphs without touching the rest."""

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import onnx
import pytest

from models.bundle import BUNDLED, Bundle, load_bundle
from models.retraining.heads import abstain_below, read_head, with_head
from models.retraining.prior import Prior, fit_from, fold_numbers
from models.retraining.retrain import Retraining, RetrainingSettings, retrain
from models.training.data import LabelledPicture, read_pictures
from models.training.head import Head, fit_head
from processors.classifier import Classifier
from schemas.errors import ConfigurationError, ModelError
from tests.models.bundles import tiny_bundle, tiny_graph

SETTINGS = RetrainingSettings(date(2026, 11, 23), "1.0")
LABELS = ("car", "truck")


def silent(_step: str, _done: int, _total: int) -> None:
    """Show no progress."""


def pictures(count: int, level: int = 110, camera: str = "new") -> list[LabelledPicture]:
    """Return pictures of a camera where trucks are brighter than `level` and cars darker."""
    rng = np.random.default_rng(level)
    return [
        LabelledPicture(
            f"{camera}-{k}.jpg",
            np.full((20, 24, 3), level + (1 if k % 2 else -1) * rng.integers(8, 20), np.uint8),
            LABELS[k % 2],
            camera,
            camera,
        )
        for k in range(count)
    ]


def run(parent: Bundle, new: list[LabelledPicture], **more: list[LabelledPicture]) -> Retraining:
    """Retrain with the defaults."""
    return retrain(parent, new, SETTINGS, silent, **more)


def accuracy(bundle: Bundle, on: list[LabelledPicture]) -> float:
    """Return the share that a processor calls right."""
    best = Classifier.load(bundle).classify([picture.image for picture in on]).best
    return float(np.mean([said == picture.label for said, picture in zip(best, on, strict=True)]))


def test_a_new_head_learns_a_new_camera() -> None:
    """The parent calls everything of a dark camera a car; the new head does not, and says what it gained."""
    parent, unseen = tiny_bundle(), pictures(40, 85)
    found = run(parent, pictures(200, 85))
    assert accuracy(parent, unseen) == 0.5
    assert accuracy(found.bundle, unseen) > 0.85
    assert found.gains
    assert found.after.overall.accuracy > found.before.overall.accuracy


def test_the_card_says_where_it_comes_from() -> None:
    """Parent, data and figures are new; limits and credits stay."""
    parent = tiny_bundle()
    found = run(parent, pictures(60), tested=pictures(20, 111, "test")).bundle
    assert found.version != parent.version
    assert found.card.version == found.version
    assert found.card.lineage.parent == "tiny-1"
    assert found.card.lineage.settings["retraining pictures"] == "60"
    assert set(found.card.lineage.data_sha256) == {"retraining pictures", "test pictures"}
    assert found.card.limits == parent.card.limits
    assert [score.source for score in found.card.evaluation.sources] == ["test"]


def test_figures_without_test_pictures_are_said_to_be_of_pictures_held_back() -> None:
    assert any("held back" in limit for limit in run(tiny_bundle(), pictures(60)).bundle.card.limits)


def test_only_the_head_changes() -> None:
    """Every other tensor and node of both graphs stays, and both get the same head."""
    parent = replace(tiny_bundle(), reference=tiny_graph(scale=0.2))
    found = run(parent, pictures(60)).bundle
    assert found.reference is not None
    for old, new in ((parent.model, found.model), (parent.reference or b"", found.reference)):
        before, after = onnx.load_from_string(old), onnx.load_from_string(new)
        assert list(before.graph.node) == list(after.graph.node)
    heads = [read_head(replace(found, model=graph)).weight for graph in (found.model, found.reference)]
    np.testing.assert_array_equal(*heads)


def test_a_retrained_bundle_passes_its_own_self_test() -> None:
    found = run(tiny_bundle(), pictures(60)).bundle
    assert found.expected is not None
    assert Classifier.load(found).version == found.version


def test_the_same_labels_make_the_same_bytes() -> None:
    assert run(tiny_bundle(), pictures(60)).bundle == run(tiny_bundle(), pictures(60)).bundle


def test_replay_keeps_what_was_known() -> None:
    """Old pictures among the new ones hold the old camera better than the prior alone."""
    parent, old = tiny_bundle(), pictures(200, 127, "old")
    alone = run(parent, pictures(200, 85)).bundle
    held = run(parent, pictures(200, 85), replay=old).bundle
    assert accuracy(held, old) >= accuracy(alone, old)


REFUSED = [
    (pictures(10), "10 labelled pictures (5 car, 5 truck): at least 20"),
    ([picture for picture in pictures(60) if picture.label == "car"], "at least two classes"),
    ([*pictures(60), replace(pictures(1)[0], label="bus")], "class 'bus': this model knows car, truck"),
    ([*pictures(60)[::2], pictures(2)[1]], "1 of truck: at least 3"),
    ([], "0 labelled pictures (none)"),
]


@pytest.mark.parametrize(("given", "message"), REFUSED, ids=[message for _, message in REFUSED])
def test_labels_that_cannot_teach_are_refused(given: list[LabelledPicture], message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        run(tiny_bundle(), given)
    assert message in str(refusal.value)


def without(field: str, name: str) -> bytes:
    """Return the tiny graph with one of its parts under another name."""
    model = onnx.load_from_string(tiny_graph())
    for item in getattr(model.graph, field):
        item.name = item.name if item.name != name else "other"
    for node in model.graph.node:
        for names in (node.input, node.output):
            names[:] = ["other" if found == name else found for found in names]
    return bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("graph", "message"),
    [
        (without("initializer", "head.weight"), "lacks head.weight"),
        (without("output", "embedding"), "lacks embedding"),
        (tiny_graph(softmax=False), "do not follow from embedding and head"),
        (b"nonsense", "not an ONNX model"),
    ],
)
def test_a_graph_without_a_head_to_replace_is_refused(graph: bytes, message: str) -> None:
    with pytest.raises(ModelError, match=message):
        run(tiny_bundle(graph), pictures(60))


def test_few_labels_change_little_and_many_much() -> None:
    """The addition to the parent's scores grows with the labels that speak for it."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(800, 5))
    truth = (features[:, 0] > 0).astype(np.intp)
    parent = Head(LABELS, np.zeros((5, 2)), np.zeros(2), 1.0)
    sizes = [
        float(np.abs(fit_from(parent, features[:n], truth[:n], np.ones(n), 10).weight).max()) for n in (10, 80, 800)
    ]
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.5 < sizes[2]


def test_a_head_that_is_right_already_stays_as_it_is() -> None:
    """Labels that the parent predicts with honest confidence ask for no change."""
    rng = np.random.default_rng(4)
    features = rng.normal(size=(4000, 3))
    parent = Head(LABELS, np.array([[-1, 1], [0.5, -0.5], [0, 0]]), np.array([0.2, -0.2]), 1.0)
    truth = (rng.random(4000) < parent.probabilities(features)[:, 1]).astype(np.intp)
    found = fit_from(parent, features, truth, np.ones(4000), Prior().penalty(4000))
    np.testing.assert_allclose(found.probabilities(features), parent.probabilities(features), atol=0.05)


def strength(found: Retraining) -> float:
    """How much of the prior the card says held the head."""
    return float(found.bundle.card.lineage.settings["prior.strength"])


def test_the_prior_is_loosened_where_held_back_pictures_prove_it() -> None:
    """Many labels against the parent prove it; such as call the like of each picture both do not."""
    both = [replace(picture, label=label) for picture in pictures(100) for label in LABELS]
    assert strength(run(tiny_bundle(), pictures(200, 85))) < 1
    assert strength(run(tiny_bundle(), both)) == 1


def test_a_temperature_is_folded_where_the_graph_has_none() -> None:
    head = Head(LABELS, np.ones((3, 2)), np.ones(2), 2.0)
    found = read_head(tiny_bundle(with_head(tiny_graph(), head)))
    np.testing.assert_allclose(found.weight, 0.5)
    assert found.temperature == 1.0


def test_a_labelled_camera_is_not_abstained_from() -> None:
    """The threshold comes down for pictures that people labelled, and never goes up."""
    model = onnx.load_from_string(tiny_graph())
    for name, value in (("familiarity.weight", np.ones((3, 1))), ("familiarity.bias", np.zeros(1))):
        model.graph.initializer.append(onnx.numpy_helper.from_array(value.astype(np.float32), name))
    parent = replace(tiny_bundle(model.SerializeToString()), abstain_below=5.0)
    assert abstain_below(parent, np.full((50, 3), 1.0)) == pytest.approx(3)
    assert abstain_below(parent, np.full((50, 3), 9.0)) == 5
    assert abstain_below(replace(parent, abstain_below=None), np.ones((50, 3))) is None


def test_each_part_has_every_class_and_neighbours_stay_together() -> None:
    truth = [0] * 60 + [1] * 55
    parts = fold_numbers(truth, ["a"] * 115, 5, 1)
    assert {(part, label) for part, label in zip(parts.tolist(), truth, strict=True)} == {
        (part, label) for part in range(5) for label in (0, 1)
    }
    assert all(len(set(parts[start : start + 10].tolist())) == 1 for start in range(0, 60, 10))


def test_a_camera_never_seen_is_learnt_and_the_others_are_kept(shared_data: Path) -> None:
    """Given 80 labels of `junction`: as good there or better, and elsewhere no worse than a head of those labels alone."""
    shipped = load_bundle(BUNDLED)
    train = list(read_pictures(shared_data / "road-vehicles" / "train.zip"))[::8]
    new = [picture for picture in train if picture.source == "junction"]
    old = [picture for picture in train if picture.source != "junction"]
    parent, plain = headed(shipped, old[::2]), headed(shipped, new[::2])
    found = run(parent, new[::2]).bundle
    assert accuracy(found, new[1::2]) >= accuracy(parent, new[1::2])
    assert accuracy(found, old[1::2]) >= accuracy(plain, old[1::2])


def headed(bundle: Bundle, taught: list[LabelledPicture]) -> Bundle:
    """Return the bundle with a head that was fitted to these pictures alone."""
    embedding = Classifier.load(bundle).classify([picture.image for picture in taught]).embedding.astype(np.float64)
    truth = np.array([LABELS.index(picture.label) for picture in taught])
    head = fit_head(embedding, truth, LABELS, np.ones(len(taught)), 0.03)
    return replace(bundle, model=with_head(bundle.model, head), reference=None, expected=None)
