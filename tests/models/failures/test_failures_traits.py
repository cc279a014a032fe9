"""Traits and contrasts are no chance: their tests are exact, and count what was tried."""

import random
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from models.failures.contrast import at_least
from models.failures.features import features_of
from models.failures.groups import Judged
from models.failures.traits import log_chance, traits_of, words_of
from tests.support.failures import DIRTY, a_day, a_vehicle, dirty


@pytest.mark.parametrize(
    ("found", "drawn", "having", "total"), [(3, 5, 20, 60), (0, 5, 20, 60), (5, 5, 5, 60), (9, 10, 55, 60)]
)
def test_a_traits_chance_is_fishers(found: int, drawn: int, having: int, total: int) -> None:
    from scipy import stats

    expected = stats.hypergeom.sf(found - 1, total, having, drawn)
    assert np.exp(log_chance(found, drawn, having, total)) == pytest.approx(expected)


@pytest.mark.parametrize(("found", "tries", "share"), [(3, 5, 0.2), (0, 4, 0.5), (7, 7, 0.1)])
def test_a_contrasts_chance_is_binomial(found: int, tries: int, share: float) -> None:
    from scipy import stats

    assert at_least(found, tries, share) == pytest.approx(stats.binom.sf(found - 1, tries, share))


def test_where_all_failed_nothing_stands_out() -> None:
    assert at_least(3, 5, 1.0) == 1.0


def test_groups_drawn_by_chance_have_no_traits() -> None:
    """One in a hundred may."""
    day = [*{**a_day(), **dirty()}.values()]
    words, rng = words_of(day, features_of(day)), random.Random(9)
    drawn = [np.isin(np.arange(len(day)), rng.sample(range(len(day)), 15)) for _ in range(200)]
    assert sum(bool(traits_of(words, inside)) for inside in drawn) <= 4


def test_what_all_have_is_no_trait() -> None:
    """However many of a group have it."""
    day = [a_vehicle(k, truth="car") for k in range(60)]
    inside = np.arange(60) % 3 == 0
    assert traits_of(words_of(day, features_of(day)), inside) == ()


def test_hours_may_lie_over_midnight() -> None:
    """As the scene tells them, in the calendar's time zone."""
    evening = datetime(2026, 11, 23, 22, tzinfo=UTC)
    day = [_at(k, datetime(2026, 11, 23, 6, tzinfo=UTC) + timedelta(minutes=10 * k)) for k in range(90)]
    late = [_at(200 + k, evening + timedelta(minutes=10 * k)) for k in range(24)]
    words = words_of([*day, *late], features_of([*day, *late]))
    inside = np.arange(len(day) + len(late)) >= len(day)
    assert ("hours", "22–02") in [(trait.dimension, trait.value) for trait in traits_of(words, inside)]


def _at(number: int, at: datetime) -> Judged:
    each = a_vehicle(number)
    return replace(each, example=replace(each.example, at=at, scene={**each.example.scene, "hour": f"{at:%H}"}))


def test_a_cameras_state_is_told_by_what_else_it_saw() -> None:
    """One odd picture among clear ones is the vehicle's, not the camera's."""
    day = {**a_day(("gate",)), **dirty("gate", 50, 1), **dirty("gate", 70, 20)}
    ordered = sorted(day.values(), key=lambda each: each.example.at)
    features = features_of(ordered)
    assert features.look[50, 1] < -2 < features.then[50, 1]
    assert features.then[80, 1] < -2


def test_pictures_are_measured_against_their_own_camera() -> None:
    """A camera that always sees little contrast is not struck by it."""
    pale = [a_vehicle(k, "ramp", picture=DIRTY) for k in range(40)]
    features = features_of([*a_day(("gate",)).values(), *pale])
    assert np.abs(np.median(features.look[-40:], axis=0)).max() < 0.5


def test_a_camera_of_which_little_is_known_is_measured_against_all() -> None:
    few = [a_vehicle(k, "ramp", picture=DIRTY) for k in range(3)]
    features = features_of([*a_day(("gate",)).values(), *few])
    assert features.look[-3:, 1].max() < -2
