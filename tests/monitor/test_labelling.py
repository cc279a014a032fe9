"""What several labels of one thing say together."""

import pytest

from monitor.chunks import Given
from monitor.labelling import WITHDRAWN, Cut, with_word

DAY = Cut(end_us=1000, cutoff_ms=50, heeds_promises=False)


def given(label: str, at: int, source: str = "ann", logged_ms: int = 10) -> Given:
    """A label that came in time."""
    return Given(label, at, f"{source}{at}", logged_ms=logged_ms, source=source)


@pytest.mark.parametrize(
    ("words", "truth", "contradicted", "withdrawn"),
    [
        ([given("car", 1)], "car", False, False),
        ([given("car", 1), given("truck", 2)], "truck", False, False),
        ([given("car", 1), given(WITHDRAWN, 2)], None, False, True),
        ([given("car", 1), given(WITHDRAWN, 2), given("truck", 3)], "truck", False, False),
        ([given("car", 1), given("truck", 2, "bob")], "truck", True, False),
        ([given("car", 3), given("truck", 2, "bob")], "car", True, False),
        ([given("car", 1), given("truck", 2, "bob"), given("car", 0, "loop")], "car", True, False),
        ([given("car", 1), given(WITHDRAWN, 2, "bob")], "car", False, True),
    ],
)
def test_of_each_source_the_newest_word_holds(
    words: list[Given], truth: str | None, contradicted: bool, withdrawn: bool
) -> None:
    """Where sources differ the more of them, then the newest."""
    decision = DAY.decide(words)
    assert decision
    assert (decision.label, decision.contradicted, decision.withdrawn) == (truth, contradicted, withdrawn)


def test_a_trusted_source_outweighs_others() -> None:
    """Two loops against a person who is trusted more than both."""
    cut = Cut(1000, 50, heeds_promises=False, trust=(("ann", 3.0),))
    words = [given("car", 1), given("truck", 2, "loop-1"), given("truck", 2, "loop-2")]
    assert [each.decide(words).label for each in (DAY, cut)] == ["truck", "car"]  # type: ignore[union-attr]


def test_a_late_label_counts_for_a_revision_alone() -> None:
    """It was logged after the day had closed."""
    late = given("truck", 5, logged_ms=60)
    assert DAY.decide([late]) is None
    decision = Cut(1000, 50, heeds_promises=False, revised_ms=100).decide([late])
    assert decision
    assert (decision.label, decision.late) == ("truck", True)
    assert [*DAY.left_out([late, given("car", 1)])] == [late]


def test_what_is_no_newer_than_its_sources_word_changes_nothing() -> None:
    """A label that comes again, or one that was overtaken by its correction; another source's stays beside it."""
    known = [given("car", 2)]
    assert with_word(known, given("car", 2)) is known
    assert with_word(known, given("truck", 1)) is known
    assert len(with_word(known, given("truck", 1, "bob"))) == 2


def test_a_label_weighs_what_the_source_says_that_was_asked() -> None:
    """Another that was not asked says one; what was taken back says nothing."""
    asked, unasked = given("car", 1)._replace(weight=12.5), given("car", 2, "loop")
    assert [decision.weight for words in ([asked, unasked], [unasked]) if (decision := DAY.decide(words))] == [
        12.5,
        1.0,
    ]
    taken_back = DAY.decide([asked, given(WITHDRAWN, 3)])
    assert taken_back
    assert (taken_back.label, taken_back.weight) == (None, 1.0)
