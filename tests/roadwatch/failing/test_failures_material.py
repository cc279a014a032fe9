"""Which examples are looked at, and what is seen of them: on the model that ships."""

from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest

from models.archive.archive import Archive
from models.archive.examples import Example
from models.archive.opening import open_archive
from models.bundle import BUNDLED, load_bundle
from models.explanation import ClassMap, Explanation
from models.failures.groups import Judged
from processors.classifier import Classifier
from roadwatch.failing.looking import Looking, overlaid
from roadwatch.failing.material import UNSEEN, drawn
from roadwatch.labelling.days import DayExamples
from roadwatch.reporting.pictures import HEIGHT
from runtime.settings import ArchiveSettings, Settings
from tests.support.examples import DAY, an_example, an_example_frame
from tests.support.failing import judged

FAILED = [judged(number, "truck", weight=2.0) for number in range(30)]
RIGHT = [judged(number, "car", weight=1.0 + number % 2) for number in range(100, 200)]


def quietly(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


def test_few_are_all_looked_at() -> None:
    assert set(map(_name, drawn([*FAILED, *RIGHT], 130, 0))) == set(map(_name, [*FAILED, *RIGHT]))


def test_failures_come_first_and_right_ones_stand_for_those_left_out() -> None:
    """The accuracy stays as it is."""
    found = drawn([*RIGHT, *FAILED], 50, 0)
    assert [each.failed for each in found] == [True] * 30 + [False] * 20
    assert {each.weight for each in found if each.failed} == {2.0}
    assert _accuracy(found) == pytest.approx(_accuracy([*RIGHT, *FAILED]))


def test_there_are_always_right_ones_to_compare_with() -> None:
    found = drawn([*RIGHT, *FAILED], 20, 0)
    assert sum(each.failed for each in found) == 15
    assert len(found) == 20
    assert _accuracy(found) == pytest.approx(_accuracy([*RIGHT, *FAILED]))


def test_where_hardly_any_is_right_failures_take_the_room() -> None:
    found = drawn([*RIGHT[:2], *FAILED], 20, 0)
    assert sum(each.failed for each in found) == 18


def test_a_seed_draws_the_same_and_another_seed_others() -> None:
    first, again, other = (drawn([*RIGHT, *FAILED], 50, seed) for seed in (0, 0, 1))
    assert list(map(_name, first)) == list(map(_name, again))
    assert list(map(_name, first)) != list(map(_name, other))


def _name(each: Judged) -> str:
    return each.example.example_id


def _accuracy(some: object) -> float:
    known: list[Judged] = list(some)  # type: ignore[call-overload]
    return sum(each.weight for each in known if not each.failed) / sum(each.weight for each in known)


# What is seen


@pytest.fixture(scope="module")
def model() -> Classifier:
    return Classifier.load(load_bundle(BUNDLED))


@pytest.fixture
def archive(tmp_path: Path) -> Archive:
    return open_archive(ArchiveSettings(address=str(tmp_path)))[0]


def a_picture(seed: int, height: int = 40) -> bytes:
    noise = np.random.default_rng(seed).integers(0, 255, (height, 60, 3), dtype=np.uint8)
    return bytes(cv2.imencode(".jpg", noise)[1])


def pictured(number: int) -> Example:
    """A vehicle with two frames; the larger was told otherwise than the vehicle."""
    small = an_example_frame(number, picture=a_picture(number), predicted="car")
    large = an_example_frame(number + 1, picture=a_picture(number + 1, 80), height=80, predicted="truck")
    return an_example(number, frames=(small, large))


def looking(archive: Archive, model: Classifier) -> Looking:
    """At a day of which the cluster has nothing any more."""
    return Looking(Settings(), archive, DayExamples(DAY, (), (), {}, 0), model)


def test_pictures_that_are_gone_from_the_cluster_come_from_the_archive(archive: Archive, model: Classifier) -> None:
    """An example without a picture anywhere keeps no embedding, and is known not to have been seen."""
    archive.keep([pictured(0)])
    eyes = looking(archive, model)
    seen, unseen = eyes.embedded([Judged(an_example(n), "truck", UNSEEN) for n in (0, 7)], quietly)
    assert seen.embedding.size > 16
    assert unseen.embedding.size == 0
    assert [eyes.has_seen(each.example) for each in (seen, unseen)] == [True, False]


def test_an_embedding_is_the_mean_of_all_pictures(archive: Archive, model: Classifier) -> None:
    archive.keep([pictured(0)])
    (seen,) = looking(archive, model).embedded([Judged(an_example(0), "truck", UNSEEN)], quietly)
    images = [cv2.imdecode(np.frombuffer(frame.picture, np.uint8), cv2.IMREAD_COLOR) for frame in pictured(0).frames]
    alone = [model.classify([np.asarray(image, np.uint8)]).embedding[0] for image in images]
    assert np.allclose(seen.embedding, np.mean(alone, axis=0), atol=0.05)


def test_the_frame_with_the_examples_verdict_is_shown(archive: Archive, model: Classifier) -> None:
    """Though another is larger; its map is as large as it."""
    archive.keep([pictured(0)])
    (looked,) = looking(archive, model).explained([pictured(0)], quietly).values()
    sizes = [
        cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR).shape for raw in (looked.picture, looked.decided)
    ]
    assert sizes == [(40, 60, 3)] * 2
    assert looked.label in model.labels
    assert 0.5 <= looked.probability <= 1


def test_a_damaged_example_is_named_and_left_out(archive: Archive, model: Classifier, tmp_path: Path) -> None:
    archive.keep([pictured(0)])
    next(tmp_path.glob("pictures/**/*.jpg")).write_bytes(b"torn")
    eyes = looking(archive, model)
    (found,) = eyes.embedded([Judged(an_example(0), "truck", UNSEEN)], quietly)
    assert found.embedding.size == 0
    assert "torn or was changed" in eyes.damaged[0]


def test_what_is_no_picture_is_shown_without_one(archive: Archive, model: Classifier) -> None:
    frame = an_example_frame(0, picture=b"no picture")
    archive.keep([an_example(0, frames=(frame,))])
    assert looking(archive, model).explained([an_example(0)], quietly) == {}


def test_a_map_is_red_where_it_speaks_for_the_class_and_blue_where_against() -> None:
    image = np.full((2 * HEIGHT, 100, 3), 128, np.uint8)
    heat = np.ones((2 * HEIGHT, 100), np.float32)
    heat[:HEIGHT] = -1
    found = Explanation(image, {"car": 0.8, "truck": 0.2}, False, (ClassMap("car", 0.8, heat),), 0.1, 10)
    seen = cv2.imdecode(np.frombuffer(overlaid(found), np.uint8), cv2.IMREAD_COLOR)
    assert seen.shape[0] == HEIGHT
    above, below = seen[20, 25].astype(int), seen[-20, 25].astype(int)
    assert above[0] > above[2] + 50
    assert below[2] > below[0] + 50


def test_what_speaks_for_nothing_stays_grey() -> None:
    image = np.full((50, 50, 3), (10, 120, 240), np.uint8)
    explained = Explanation(
        image, {"car": 0.8}, False, (ClassMap("car", 0.8, np.zeros((50, 50), np.float32)),), 0.0, 10
    )
    seen = cv2.imdecode(np.frombuffer(overlaid(explained), np.uint8), cv2.IMREAD_COLOR).astype(int)
    assert np.ptp(seen[25, 25]) <= 2


def test_weights_are_kept_where_nothing_is_left_out() -> None:
    few = [replace(each, weight=3.0) for each in RIGHT[:5]]
    assert [each.weight for each in drawn(few, 20, 0)] == [3.0] * 5
