"""What a line of a file adds to what sources have said: corrections hold, and nothing is lost unsaid."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from models.archive.examples import GivenLabel
from models.archive.truths import truths_of
from producers.label_import import Line
from producers.labels import label_of
from roadwatch.labelling.words import LATER, Words, weighed_anew
from tests.support.examples import MORNING, a_request, a_word

THING = "gate:2026-11-23:p0"
TEN = MORNING + timedelta(hours=2)
HOUR = timedelta(hours=1)
ASKED = a_request(THING)
"Its label stands for five."


def a_line(label: str | None, at: datetime = TEN, source: str = "ann", weight: float = 1.0, **changes: bool) -> Line:
    """A line that says when the label was given, but not what it weighs."""
    made = Line(2, label_of(THING, label, source=source, labelled_at=at, weight=weight), (), is_weighted=False)
    return replace(made, **changes)


def added(ledger: list[GivenLabel], *lines: Line) -> list[GivenLabel]:
    """The ledger after each line was imported by itself, the oldest word first."""
    for line in lines:
        assert line.label
        ledger = sorted({*ledger, Words([], ledger).word_of(line, line.label)}, key=lambda word: word.labelled_at)
    return ledger


def truth(ledger: list[GivenLabel]) -> str:
    """What they say together."""
    return truths_of(ledger, {}).truths[THING].label


@pytest.mark.parametrize("changed", [("truck", "car"), ("car", "truck")])
def test_a_label_that_was_changed_and_its_time_was_not_is_meant(changed: tuple[str, str]) -> None:
    """Whatever the alphabet says; imported once more it says the same."""
    first, second = (a_line(label) for label in changed)
    ledger = added([], first, second)
    assert truth(ledger) == changed[1]
    assert added(ledger, second) == ledger
    assert truth(added(ledger, first)) == changed[0]


def test_what_was_given_before_what_the_source_has_said_since_is_told() -> None:
    """It is recorded as it was given, and changes nothing."""
    ledger = added([], a_line("truck", TEN + HOUR))
    old = a_line("car", TEN)
    assert Words([], ledger).is_outweighed(old)
    assert truth(added(ledger, old)) == "truck"
    assert not any(
        Words([], ledger).is_outweighed(line)
        for line in (a_line("truck"), a_line("car", TEN + 2 * HOUR), a_line("car", TEN, "bob"))
    )


def test_a_file_without_times_corrects_a_word_that_is_ahead_of_the_clock() -> None:
    """Such as one that was recorded when times were not looked at."""
    ahead = a_word(THING, "car", labelled_at=TEN + 300_000 * HOUR)
    ledger = added([ahead], a_line("truck", is_timed=False))
    assert (truth(ledger), ledger[-1].labelled_at) == ("truck", ahead.labelled_at + LATER)


@pytest.mark.parametrize("is_timed", [True, False])
def test_what_is_said_again_is_the_word_that_is_known(is_timed: bool) -> None:
    ledger = [a_word(THING, "car", labelled_at=TEN)]
    assert added(ledger, a_line("car", TEN - HOUR if is_timed else TEN + HOUR, is_timed=is_timed)) == ledger


def test_another_weight_of_what_nobody_asked_for_is_taken() -> None:
    ledger = added([], a_line("car", is_timed=False), a_line("car", weight=3.0, is_timed=False, is_weighted=True))
    assert [(word.weight, word.labelled_at) for word in ledger] == [(1.0, TEN), (3.0, TEN + LATER)]


def test_an_answer_of_before_its_request_weighs_as_the_request_says() -> None:
    """A moment later, so that a correction that was made since holds, whenever it is imported."""
    early = a_word(THING, "car", labelled_at=TEN)
    (weighed,) = weighed_anew([ASKED], [early])
    assert weighed == replace(early, weight=5.0, labelled_at=TEN + LATER)
    assert truth(added([early, weighed], a_line("truck", TEN + HOUR / 2))) == "truck"


def test_it_is_sent_with_each_import_and_is_no_new_word() -> None:
    """Nobody knows whether the last import came so far."""
    early = a_word(THING, "car", labelled_at=TEN)
    (weighed,) = weighed_anew([ASKED], [early])
    assert weighed_anew([ASKED], [early, weighed]) == [weighed]


def test_what_always_weighed_so_or_was_taken_back_or_nobody_asked_for_is_not_sent_again() -> None:
    right = a_word(THING, "car", labelled_at=TEN, weight=5.0)
    taken_back = a_word(THING, None, labelled_at=TEN + HOUR, source="bob")
    elsewhere = a_word("gate:2026-11-23:p9", "car", labelled_at=TEN)
    assert weighed_anew([ASKED], [right, taken_back, elsewhere]) == []
