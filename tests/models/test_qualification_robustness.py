"""Corruptions are seeded and grow with severity; accuracy under them is told beside the champion's."""

import cv2
import numpy as np
import pytest

from models.qualification.corruptions import CORRUPTIONS, SEVERITIES, corrupt, sheet
from models.qualification.figures import figure
from models.qualification.robustness import mean_corruption, measure_robustness, stratified
from models.selftest import selftest_pictures
from tests.models.qualified import by_brightness, pictures, verdicts

SMOOTH = selftest_pictures()[3][:4, :5] // 2 + 60
TEXTURE = np.asarray(cv2.resize(SMOOTH, (96, 72), interpolation=cv2.INTER_LINEAR), np.uint8)


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_corruption_is_the_same_each_time(corruption: str) -> None:
    """The same seed gives the same pixels; shape and type stay; the picture given is left alone."""
    before = TEXTURE.copy()
    for severity in SEVERITIES:
        first = corrupt(TEXTURE, corruption, severity, seed=3)
        assert first.shape == TEXTURE.shape
        assert first.dtype == np.uint8
        assert (first == corrupt(TEXTURE, corruption, severity, seed=3)).all()
    assert (before == TEXTURE).all()


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_a_corruption_grows_with_severity(corruption: str) -> None:
    """The mean change at severity 5 is well above that at 1, and 1 changes something."""
    changes = [np.mean([change(corruption, severity, seed) for seed in range(8)]) for severity in (1, 3, 5)]
    assert 0 < changes[0] < changes[1] < changes[2]


def change(corruption: str, severity: int, seed: int) -> float:
    """Return the mean absolute difference that it makes."""
    noise = np.random.default_rng(seed).integers(-3, 4, TEXTURE.shape)
    image = np.clip(TEXTURE + noise, 0, 255).astype(np.uint8)
    return float(np.abs(corrupt(image, corruption, severity, seed).astype(int) - image).mean())


@pytest.mark.parametrize("shape", [(1, 1), (3, 4), (9, 200), (300, 30)])
@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_any_size_can_be_corrupted(corruption: str, shape: tuple[int, int]) -> None:
    image = np.full((*shape, 3), 90, np.uint8)
    assert corrupt(image, corruption, 5).shape == image.shape


def test_a_sheet_shows_them_all() -> None:
    """Three blocks to a row."""
    assert sheet(TEXTURE, (1, 5), side=32).shape == (6 * (32 + 18 + 8), 3 * (2 * 32 + 8), 3)


def test_a_champion_beside_itself_has_one() -> None:
    """The mCE of a model relative to itself is 1, corruption by corruption; the clean point begins each curve."""
    ours, beside = measure_robustness(by_brightness, pictures(12), champion=by_brightness)
    assert beside is not None
    assert [figure(ours, name).value for name in ("mean_corruption", "corruption.fog")] == [1.0, 1.0]
    assert {curve.points[0] for curve in ours.curves} == {(0.0, 1.0)}
    assert len(ours.curves) == len(CORRUPTIONS)
    assert len(ours.sheets) == 1


def test_what_hurts_is_found() -> None:
    """A model that goes by brightness loses under dark and brightness, and under nothing that keeps the light."""
    ours, beside = measure_robustness(by_brightness, pictures(12))
    accuracies = {name: figure(ours, f"accuracy.{name}").value for name in CORRUPTIONS}
    assert beside is None
    assert accuracies["dark"] < 0.7
    assert accuracies["jpeg"] == accuracies["defocus_blur"] == accuracies["shift"] == 1
    assert figure(ours, "accuracy.worst").value == min(accuracies.values())
    assert figure(ours, "mean_corruption").value is None


def test_threads_change_nothing() -> None:
    one, four = (measure_robustness(by_brightness, pictures(6), threads=count)[0] for count in (1, 4))
    assert one == four


def test_mean_corruption_is_a_ratio_of_errors() -> None:
    """Errors are summed over severities before they are divided."""
    assert mean_corruption(np.array([[1.0, 2, 3]]), np.array([[2.0, 4, 6]]))[0] == pytest.approx(6.5 / 12.5)


def test_progress_ends_at_all_of_it() -> None:
    seen: list[tuple[int, int]] = []
    measure_robustness(
        lambda images: verdicts(np.zeros(len(images))), pictures(2), progress=lambda done, of: seen.append((done, of))
    )
    assert seen[-1] == (85, 85)


def test_a_stratified_choice_takes_as_many_of_each() -> None:
    """Sixty of one source and class do not crowd out six of another; the choice is the same each time."""
    many = [p for p in pictures(240) if p.source == "bridge"] + [p for p in pictures(24) if p.source == "toll.2"]
    chosen = stratified(many, 16)
    counts = {
        (s, c): sum((p.source, p.label) == (s, c) for p in chosen)
        for s in ("bridge", "toll.2")
        for c in ("car", "truck")
    }
    assert set(counts.values()) == {4}
    assert [p.name for p in chosen] == [p.name for p in stratified(many, 16)]
    assert len(stratified(many, 10_000)) == len(many)
