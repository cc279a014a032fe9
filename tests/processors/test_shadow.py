"""The challenger sees whole vehicles, as many as its share says, the same everywhere."""

from datetime import UTC, datetime
from threading import Event

import pytest

from models.registry.history import Holder
from processors.shadow import TenureEnd, group_of, is_chosen
from runtime.settings import Settings
from schemas.ids import passage_id
from schemas.records import Frame
from tests.support.records import EPOCH, a_frame

VEHICLES = 4000


def of_vehicle(first: int, sequence: int) -> Frame:
    return a_frame(sequence, passage_id=passage_id("gate", EPOCH, first))


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_the_share_of_vehicles_is_what_was_asked_for(share: float) -> None:
    chosen = sum(is_chosen(of_vehicle(n, n), share) for n in range(VEHICLES))
    assert chosen / VEHICLES == pytest.approx(share, abs=0.03)


def test_a_vehicle_is_seen_whole_or_not_at_all() -> None:
    for first in range(50):
        assert len({is_chosen(of_vehicle(first, first + n), 0.5) for n in range(10)}) == 1


def test_who_was_chosen_at_a_small_share_is_at_a_larger_one() -> None:
    chosen = [{n for n in range(200) if is_chosen(of_vehicle(n, n), share)} for share in (0.2, 0.6)]
    assert chosen[0] < chosen[1]


def test_all_vehicles_are_chosen_at_a_share_of_one() -> None:
    assert all(is_chosen(of_vehicle(n, n), 1.0) for n in range(500))


def test_whole_pictures_are_chosen_one_by_one() -> None:
    samples = [a_frame(n, kind="sample", passage_id=None) for n in range(100)]
    assert 20 < sum(is_chosen(sample, 0.5) for sample in samples) < 80


@pytest.mark.parametrize("kind", ["heartbeat", "end"])
def test_what_is_not_classified_is_left_to_the_champion(kind: str) -> None:
    assert not is_chosen(a_frame(kind=kind), 1.0)


def test_each_tenure_has_a_group_of_its_own() -> None:
    def group(version: str, hour: int) -> str:
        return group_of(Settings(), Holder(version, datetime(2026, 11, 23, hour, tzinfo=UTC), 0.5))

    assert group("b", 8) == "roadwatch-processor-shadow-b-20261123T080000"
    assert len({group("b", 8), group("b", 9), group("c", 8)}) == 3


def test_a_tenure_ends_with_the_service_or_by_itself() -> None:
    stop, over = Event(), Event()
    end = TenureEnd(stop, over.is_set)
    assert not end.is_set()
    over.set()
    assert end.is_set()
    over.clear()
    stop.set()
    assert end.is_set()
    assert end.wait(60)
