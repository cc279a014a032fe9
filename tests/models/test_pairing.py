"""Predictions of two models and labels, brought together vehicle by vehicle."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from models.comparison import Outcome
from models.pairing import Bounds, Paired, Pairing
from monitor.chunks import Row
from monitor.passages import verdict
from schemas.errors import DecodingError
from schemas.ids import frame_id, passage_id
from schemas.records import Label, Prediction, Statistics
from tests.support.records import EPOCH, NOON, a_label, a_prediction


def old(sequence: int = 0, label: str | None = "car", passage: int = 0, **changes: Any) -> Prediction:
    """The champion's prediction."""
    return a_prediction(sequence, label, passage_id=passage_id("gate", EPOCH, passage), model_version="old", **changes)


def new(sequence: int = 0, label: str | None = "truck", passage: int = 0, **changes: Any) -> Prediction:
    """The challenger's."""
    return replace(old(sequence, label, passage, **changes), model_version="new")


def pairing(labels_follow: bool = False, **bounds: Any) -> Pairing:
    return Pairing("old", "new", labels_follow=labels_follow, bounds=Bounds(**bounds))


def take(pairing: Pairing, records: Iterable[Prediction | Label]) -> list[Paired]:
    return [
        paired
        for record in records
        for paired in (pairing.take_label(record) if isinstance(record, Label) else pairing.take_prediction(record))
    ]


def at_end(records: Iterable[Prediction | Label], pairing: Pairing) -> list[Paired]:
    return [*take(pairing, records), *pairing.settle_all()]


def test_a_labelled_vehicle_is_counted_once_with_both_verdicts() -> None:
    frames = [a_label("truck"), *(old(n) for n in range(3)), *(new(n) for n in range(3))]
    (paired,) = at_end(frames, pairing())
    assert paired == Paired(passage_id("gate", EPOCH, 0), Outcome("truck", "gate", False, True))


def test_only_frames_that_both_classified_vote() -> None:
    """The champion's two right frames are not the challenger's: on the one that both saw, both are wrong."""
    frames = [a_label("truck"), old(0, "truck"), old(1, "truck"), old(2, "car"), new(2, "car")]
    assert at_end(frames, pairing())[0].outcome == Outcome("truck", "gate", False, False)


def test_a_frame_without_a_label_does_not_vote() -> None:
    """Where the model abstains its probabilities are there, and count for nothing."""
    unsure = old(0, None, probabilities={"car": 0.99, "truck": 0.01})
    frames = [a_label("truck"), unsure, old(1, "truck"), new(0), new(1)]
    (paired,) = at_end(frames, pairing())
    assert paired.outcome
    assert paired.outcome.champion_right


def test_a_vehicle_without_a_verdict_is_wrong_for_that_model() -> None:
    frames = [a_label("truck"), old(0, "truck"), new(0, None, probabilities={"car": 0.1, "truck": 0.9})]
    assert at_end(frames, pairing())[0].outcome == Outcome("truck", "gate", True, False)


@pytest.mark.parametrize("seed", range(20))
def test_the_verdict_is_the_monitors(seed: int) -> None:
    """Random frames of random sizes: the same vote as in monitor.passages."""
    rng = np.random.default_rng(seed)
    shares = rng.random(5)
    sizes = rng.integers(20, 200, (5, 2)).tolist()
    said = [
        old(n, "car", probabilities={"car": p, "truck": 1 - p}, statistics=Statistics(0.0, 0.0, 0.0, *size))
        for n, (p, size) in enumerate(zip(shares.tolist(), sizes, strict=True))
    ]
    rows = [
        Row("vehicle", 0, 0, None, "lane-1", "car", p.probabilities, w * h, 0.0, 0, "old")
        for p, (w, h) in zip(said, sizes, strict=True)
    ]
    same = [replace(p, model_version="new") for p in said]
    (paired,) = at_end([a_label("car"), *said, *same], pairing())
    assert paired.outcome
    assert paired.outcome.champion_right == (verdict(rows) == "car")


def test_a_labelled_frame_labels_its_vehicle() -> None:
    """Whichever of its frames it is, and also where it has no passage."""
    second = a_label("truck", frame_id=frame_id("gate", EPOCH, 1), passage_id=None)
    whole = a_label("car", frame_id=frame_id("gate", EPOCH, 9), passage_id=None)
    alone = [replace(p, passage_id=None, kind="sample") for p in (old(9), new(9))]
    found = at_end([second, whole, old(0), old(1), new(0), new(1), *alone], pairing())
    assert {paired.vehicle: paired.outcome.label for paired in found if paired.outcome} == {
        passage_id("gate", EPOCH, 0): "truck",
        frame_id("gate", EPOCH, 9): "car",
    }


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_any_order_gives_the_same_where_labels_follow(order: tuple[int, ...]) -> None:
    """Label first, between or last: counted when both models are past the vehicle."""
    past = [old(40, passage=40), new(40, passage=40)]
    parts = [[a_label("truck")], [old(0), old(1)], [new(0), new(1)]]
    records = [record for k in order for record in parts[k]]
    found = take(pairing(labels_follow=True), [*records, *past])
    assert [paired.outcome for paired in found] == [Outcome("truck", "gate", False, True)]


def test_a_vehicle_that_may_still_be_there_waits() -> None:
    """A second less than the passage timeout after its last frame, it is not counted."""
    records = [a_label("truck"), old(0), new(0), old(14, passage=14), new(14, passage=14)]
    following = pairing(labels_follow=True)
    assert take(following, records) == []
    assert len(take(following, [old(15, passage=14)])) == 1


def test_a_correction_replaces_what_was_counted() -> None:
    following = pairing(labels_follow=True)
    take(following, [a_label("truck"), old(0), new(0), old(40, passage=40)])
    later = a_label("car", label_id="label-2", labelled_at=NOON + timedelta(hours=1))
    (paired,) = take(following, [later])
    assert (paired.before, paired.outcome) == (
        Outcome("truck", "gate", False, True),
        Outcome("car", "gate", True, False),
    )


def test_an_older_label_and_the_same_label_again_change_nothing() -> None:
    following = pairing(labels_follow=True)
    take(following, [a_label("truck"), old(0), new(0), old(40, passage=40)])
    older = a_label("car", label_id="label-0", labelled_at=NOON - timedelta(hours=1))
    assert take(following, [older, a_label("truck")]) == []


def taken_back(hours: int = 1, **changes: Any) -> Label:
    return a_label(None, label_id="withdrawn", labelled_at=NOON + timedelta(hours=hours), **changes)


@pytest.mark.parametrize("follows", [False, True])
@pytest.mark.parametrize("target", ["passage", "frame"])
def test_a_label_that_was_taken_back_does_not_count(follows: bool, target: str) -> None:
    """Before its vehicle was counted."""
    where: dict[str, Any] = {} if target == "passage" else {"frame_id": frame_id("gate", EPOCH, 0), "passage_id": None}
    compared = pairing(labels_follow=follows)
    records = [a_label("truck", **where), taken_back(**where), old(0), new(0), old(40, passage=40), new(40, passage=40)]
    assert at_end(records, compared) == []
    assert compared.waiting()["labels whose vehicle was not seen"] == 0


def test_a_label_that_is_taken_back_after_it_was_counted_counts_no_longer() -> None:
    """And counts again when its source says something once more."""
    following = pairing(labels_follow=True)
    take(following, [a_label("truck"), old(0), new(0), old(40, passage=40)])
    counted = Outcome("truck", "gate", False, True)
    vehicle = passage_id("gate", EPOCH, 0)
    assert take(following, [taken_back()]) == [Paired(vehicle, None, counted)]
    assert take(following, [taken_back()]) == []
    again = a_label("truck", labelled_at=NOON + timedelta(hours=2))
    assert take(following, [again]) == [Paired(vehicle, counted)]


def test_a_label_that_is_taken_back_while_its_vehicle_waits_is_waited_for_again() -> None:
    following = pairing(labels_follow=True)
    take(following, [a_label("truck"), old(0), new(0), taken_back()])
    assert take(following, [old(40, passage=40), new(40, passage=40)]) == []
    assert len(take(following, [a_label("truck", labelled_at=NOON + timedelta(hours=2))])) == 1


def test_another_sources_label_stays_where_one_is_taken_back() -> None:
    words = [a_label("truck"), a_label("car", label_id="loop", source="loop"), taken_back()]
    (paired,) = at_end([*words, old(0), new(0)], pairing())
    assert paired.outcome == Outcome("car", "gate", True, False)


def test_where_sources_differ_the_class_counts_whose_sources_weigh_more() -> None:
    """By number and trust; of two alike the newest, as in the monitor."""
    first, second = (a_label("truck", label_id=f"loop-{n}", source=f"loop-{n}") for n in range(2))
    newest = a_label("car", label_id="ann", source="ann", labelled_at=NOON + timedelta(hours=1))

    def told(words: list[Label], trust: dict[str, float]) -> str | None:
        compared = Pairing("old", "new", labels_follow=False, trust=trust)
        (paired,) = at_end([*words, old(0), new(0)], compared)
        return paired.outcome and paired.outcome.label

    assert told([first, newest], {}) == "car"
    assert told([first, second, newest], {}) == "truck"
    assert told([first, second, newest], {"ann": 3.0}) == "car"


def test_the_same_prediction_twice_counts_once() -> None:
    """A replay of a recording predicts the same frames again."""
    frames = [a_label("truck"), old(0, "truck"), old(1, "car"), new(0), new(1)]
    assert at_end([*frames, *frames], pairing()) == at_end(frames, pairing())


def test_what_is_not_compared_is_counted() -> None:
    only_old = [a_label("truck", passage_id=passage_id("gate", EPOCH, 5)), old(5, passage=5)]
    other = a_prediction(7, model_version="elder")
    unseen = a_label("car", passage_id=passage_id("gate", EPOCH, 99))
    compared = pairing()
    assert at_end([*only_old, unseen, other, old(8, passage=8)], compared) == []
    assert compared.losses == {
        "labelled vehicles seen by the champion alone": 1,
        "predictions of other versions": 1,
        "frames of vehicles without a label": 1,
    }
    assert compared.waiting()["labels whose vehicle was not seen"] == 1


def test_vehicles_that_wait_too_long_fall_out() -> None:
    """Of a hundred vehicles of one frame each, ten stay, and the last label still finds its own."""
    following = pairing(labels_follow=True, most_frames=10)
    take(following, [record for n in range(100) for record in (old(n, passage=n), new(n, passage=n))])
    assert following.waiting()["vehicles that wait for a label"] == 10
    assert following.losses["vehicles that waited too long for a label"] == 90
    assert len(take(following, [a_label("car", passage_id=passage_id("gate", EPOCH, 91)), old(200, passage=200)])) == 1


def test_vehicles_wait_for_their_label_as_long_as_the_patience() -> None:
    following = pairing(labels_follow=True, patience=timedelta(seconds=50))
    take(following, [old(0), new(0), old(49, passage=49)])
    assert following.waiting()["vehicles that wait for a label"] == 2
    take(following, [old(51, passage=51)])
    assert following.losses["vehicles that waited too long for a label"] == 1


def test_labels_that_wait_too_long_fall_out() -> None:
    following = pairing(labels_follow=True, most_labels=3)
    take(following, [a_label("car", passage_id=passage_id("gate", EPOCH, n)) for n in range(5)])
    assert following.losses["labels that waited too long"] == 2


def test_heartbeats_and_promises_say_nothing() -> None:
    beat = a_prediction(1, None, kind="heartbeat", passage_id=None, model_version="old")
    compared = pairing(labels_follow=True)
    assert take(compared, [beat, a_label(None, passage_id=None)]) == []
    assert compared.waiting()["vehicles that wait for a label"] == 0


def test_a_frame_label_without_a_frame_id_is_refused() -> None:
    with pytest.raises(DecodingError, match="nonsense"):
        pairing().take_label(a_label("car", frame_id="nonsense", passage_id=None))


def test_a_version_is_not_compared_with_itself() -> None:
    with pytest.raises(ValueError, match="itself"):
        Pairing("old", "old", labels_follow=False)
