"""The ledger finds what was lost, and what was counted twice."""

from roadwatch.ledger import balance

FRAMES = [(0, 0), (0, 1), (1, 0)]


def test_each_frame_in_one_place_balances() -> None:
    ledger = balance(FRAMES, predicted=[(0, 0), (1, 0)], buried=[(0, 1)])
    assert ledger.balanced
    assert (ledger.predicted, ledger.dead_lettered, ledger.waiting) == (2, 1, 0)


def test_a_frame_without_an_end_is_waiting() -> None:
    assert balance(FRAMES, predicted=[(0, 0)], buried=[]).waiting == 2


def test_a_frame_that_ended_twice_is_named() -> None:
    ledger = balance(FRAMES, predicted=[(0, 0), (0, 0), (0, 1), (1, 0)], buried=[(0, 1)])
    assert not ledger.balanced
    assert ledger.doubled == ((0, 0), (0, 1))


def test_ends_of_frames_that_are_gone_are_expired() -> None:
    ledger = balance([(1, 0)], predicted=[(0, 0), (1, 0)], buried=[])
    assert ledger.balanced
    assert ledger.expired == 1
