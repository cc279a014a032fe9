"""How far estimates and slices are believed, and until when, whenever their labels come."""

import json
import random
from datetime import date, timedelta
from itertools import permutations

import pytest

from monitor.calibration import Evidence
from monitor.estimation import Reference
from monitor.statistics.discoveries import Counts
from monitor.trust import BROKEN_DAYS, LABELLED_DAYS, Doubts, Finds, Trust
from schemas.records import ConfidenceBin, Tally

V1, V2 = ("v1",), ("v2",)
GOOD, BAD = Counts(right=95, n=100, rest_right=950, rest_n=1000), Counts(right=30, n=100, rest_right=950, rest_n=1000)
MIXED = [ConfidenceBin(verdict, 47, 2000, 0.95 * 2000, 2000, 1900) for verdict in ("car", "truck")]
KNOWN = Reference.of(MIXED)
TRUCKS = ConfidenceBin("truck", 47, 200, 0.95 * 200, 0, 0)


def day_of(number: int) -> str:
    """Days from the first of March on."""
    return (date(2026, 3, 1) + timedelta(days=number)).isoformat()


def bins(right: int, n: int = 200) -> tuple[ConfidenceBin, ...]:
    """Two hundred vehicles of which the model is sure by .95; so many are labelled."""
    return (ConfidenceBin("car", 47, 200, 0.95 * 200, n, right),)


def told(trust: Trust, number: int, right: int, models: tuple[str, ...] = V1, n: int = 200) -> str:
    """What speaks against a day's estimate."""
    found = trust.take(day_of(number), models, Tally(confidences=bins(right, n)), [])
    assert found
    return found.breaks or ""


def test_labels_that_are_worse_than_the_estimate_break_it() -> None:
    """Those that are as good as it do not."""
    trust = Trust()
    assert told(trust, 0, right=190) == ""
    assert "of 400 labelled vehicles" in told(trust, 1, right=100)


def test_labels_that_come_late_break_it_too() -> None:
    """Those of the newest day, and of one after which others were reported; days before it stand as they were."""
    for late in (2, 1):
        trust = Trust()
        assert [told(trust, number, 0, n=0) for number in range(3)] == ["", "", ""]
        assert "of 100 labelled vehicles 55 were right" in told(trust, late, 55, n=100)
        assert "of 100 labelled vehicles 55 were right" in told(trust, 3, 0, n=0)
        assert told(trust, late - 1, 0, n=0) == ""


def test_a_day_counts_once_with_its_newest_labels() -> None:
    """A revision of the same labels is no new evidence, and labels that are corrected no longer speak against it."""
    trust = Trust()
    told(trust, 0, right=55, n=100)
    assert "of 100 labelled vehicles" in told(trust, 0, right=55, n=100)
    assert told(trust, 0, right=95, n=100) == told(trust, 1, right=0, n=0) == ""


def test_labels_say_the_same_in_whatever_order_and_parts_they_come() -> None:
    """Each day's evidence is that of its newest labels, held against what was expected before any of them."""
    ends = {json.dumps(late(order).snapshot()) for order in permutations(range(4))}
    assert len(ends) == 1


def late(order: tuple[int, ...]) -> Trust:
    """Four days reported without labels, then revised one after the other, half of each day's labels first."""
    trust = Trust()
    for number in range(4):
        told(trust, number, 0, n=0)
        trust.look(day_of(number), {})
    for part in (50, 100):
        for number in order:
            told(trust, number, part * (5 + number) // 10, n=part)
            trust.look(day_of(number), {"hour=07": Counts(part * number // 10, part, 950, 1000)})
    return trust


def test_labels_older_than_the_reference_looks_back_change_nothing() -> None:
    """What is kept does not grow, and what was known by then stands."""
    trust = Trust()
    for number in range(LABELLED_DAYS + 1):
        told(trust, number, 0, n=0)
        trust.look(day_of(number), {"hour=07": GOOD})
    size = len(json.dumps(trust.snapshot()))
    assert told(trust, 0, right=10) == told(trust, LABELLED_DAYS + 1, 0, n=0) == ""
    assert trust.look(day_of(0), {"hour=07": BAD}) == frozenset()
    assert trust.look(day_of(LABELLED_DAYS + 1), {"hour=07": GOOD}) == frozenset()
    assert len(json.dumps(trust.snapshot())) < size + 100


def test_a_broken_estimate_is_tried_again() -> None:
    """With other bundles at once, with the same after a fortnight."""
    for day, models in ((1, V2), (BROKEN_DAYS + 1, V1)):
        trust = Trust()
        assert told(trust, 0, right=100)
        assert told(trust, day, right=190, models=models) == ""
    trust = Trust()
    told(trust, 0, right=100)
    assert told(trust, BROKEN_DAYS, right=190)


def test_a_day_of_other_bundles_than_at_first_is_judged_anew() -> None:
    """A camera joined that has them: labels are held against what is expected of all that served."""
    trust = Trust()
    told(trust, 0, right=100)
    told(trust, 1, right=190)
    assert told(trust, 1, right=190, models=(*V1, *V2)) == ""


def test_a_day_without_vehicles_has_no_estimate() -> None:
    assert Trust().take(day_of(0), V1, Tally(), []) is None


def test_a_slice_that_falls_behind_is_found_once_and_for_its_day() -> None:
    """A revision of an earlier day knows what was known when that was over."""
    trust = Trust()
    assert trust.look(day_of(0), {"hour=07": GOOD}) == frozenset()
    assert trust.look(day_of(1), {"hour=07": BAD, "hour=08": GOOD}) == {"hour=07"}
    assert trust.look(day_of(0), {"hour=07": GOOD}) == frozenset()


def test_a_slice_is_found_by_labels_that_come_late() -> None:
    """In the revision that they make, and on the days after it; a table counts once, with its newest labels."""
    trust = Trust()
    assert trust.look(day_of(0), {}) == trust.look(day_of(1), {}) == frozenset()
    assert trust.look(day_of(0), {"hour=07": BAD}) == {"hour=07"}
    assert trust.look(day_of(1), {"hour=08": GOOD}) == trust.look(day_of(2), {}) == {"hour=07"}
    assert trust.look(day_of(0), {"hour=07": GOOD}) == trust.look(day_of(3), {}) == frozenset()


def test_more_slices_than_planned_make_the_search_begin_anew() -> None:
    """Also where late labels bring them."""
    trust = Trust()
    trust.look(day_of(0), {"hour=07": BAD})
    trust.look(day_of(1), {})
    many = {f"zone=a/{number}": GOOD for number in range(200)}
    assert trust.look(day_of(1), many) == trust.look(day_of(2), {}) == frozenset()


def test_trust_comes_back_from_its_snapshot() -> None:
    """And goes on alike, with late labels, too."""
    trust = Trust()
    told(trust, 0, right=0, n=0)
    told(trust, 1, right=190)
    trust.look(day_of(0), {"hour=07": BAD})
    text = json.dumps(trust.snapshot())
    again = Trust.restore(json.loads(text))
    assert json.dumps(again.snapshot()) == text
    assert told(again, 0, right=100) == told(trust, 0, right=100) != ""
    assert json.dumps(again.snapshot()) == json.dumps(trust.snapshot())


def test_a_snapshot_of_before_labels_came_late_is_gone_on_with() -> None:
    """The days that it had counted stand; labels of those after it count whenever they come."""
    trust = Trust()
    for number in range(LABELLED_DAYS + 1):
        told(trust, number, right=190)
        trust.look(day_of(number), {"hour=07": BAD})
    plain = {name: value for name, value in trust.snapshot().items() if name not in ("judged", "tables")}
    old = Trust.restore(json.loads(json.dumps(plain)))
    assert old.look(day_of(LABELLED_DAYS), {"hour=07": GOOD}) == {"hour=07"}
    assert told(old, LABELLED_DAYS + 1, right=0, n=0) == ""
    assert told(old, LABELLED_DAYS + 1, right=100)


def labels_in_parts(rng: random.Random, true: float) -> bool:
    """Whether any revision says broken: thirty days of 40 labels, those of five days coming mixed, ten at a time."""
    doubts, rights = Doubts(), [[rng.random() < true for _ in range(40)] for _ in range(30)]
    for today in range(30):
        for number in range(max(0, today - 4), today + 1):
            n = 10 * (today - number)
            found = doubts.judge(day_of(number), V1, [*bins(sum(rights[number][:n]), n), TRUCKS], KNOWN)
            if found.is_broken:
                return True
    return False


def test_a_true_estimate_is_hardly_ever_broken_however_its_labels_come() -> None:
    """In any revision of any day of a month: five of a hundred were allowed."""
    rng = random.Random(1)
    assert sum(labels_in_parts(rng, 0.95) for _ in range(100)) <= 5
    assert all(labels_in_parts(rng, 0.75) for _ in range(20))


def unsure_ones(rng: random.Random, true: float) -> bool:
    """Whether thirty days break the estimate of which the least sure vehicles alone are labelled: twenty of .61."""
    doubts, known = Doubts(), Reference.of([*MIXED, ConfidenceBin("truck", 30, 1000, 610.0, 1000, 610)])
    for number in range(30):
        right = sum(rng.random() < true for _ in range(20))
        day = [*bins(0, 0), TRUCKS, ConfidenceBin("truck", 30, 20, 0.61 * 20, 20, right)]
        if doubts.judge(day_of(number), V1, day, known).is_broken:
            return True
    return False


def test_labels_of_the_least_sure_vehicles_are_held_against_what_these_are_worth() -> None:
    """Six in ten right are no evidence against 92 % of all; four in ten are."""
    rng = random.Random(3)
    assert sum(unsure_ones(rng, 0.61) for _ in range(100)) <= 5
    assert all(unsure_ones(rng, 0.4) for _ in range(20))


def slices_in_parts(rng: random.Random, worse: int) -> tuple[int, int]:
    """Slices that any revision of ten days finds falsely, and rightly: five days' labels coming mixed, in parts."""
    finds, shown = Finds(), set[str]()
    chances = [0.55 if each < worse else 0.85 for each in range(12)]
    days = [[[rng.random() < chance for _ in range(40)] for chance in chances] for _ in range(10)]
    for today in range(14):
        for number in range(max(0, today - 4), min(today, 9) + 1):
            shown |= finds.look(day_of(number), tables(days[number], 10 * (today - number)))
    false = {name for name in shown if int(name) >= worse}
    return len(false), len(shown - false)


def tables(day: list[list[bool]], n: int) -> dict[str, Counts]:
    """Each slice beside all others, so many labels each."""
    rights = [sum(each[:n]) for each in day]
    total = sum(rights)
    return {f"{k}": Counts(right, n, total - right, n * (len(day) - 1)) for k, right in enumerate(rights)} if n else {}


@pytest.mark.parametrize("worse", [0, 2])
def test_hardly_any_slice_is_found_falsely_however_its_labels_come(worse: int) -> None:
    """In any revision; the worse ones are."""
    rng = random.Random(2)
    counts = [slices_in_parts(rng, worse) for _ in range(20)]
    assert sum(false > 0 for false, _ in counts) <= 1
    assert sum(true for _, true in counts) == 20 * worse


def test_evidence_of_nothing_is_none() -> None:
    assert Doubts().judge(day_of(0), V1, bins(0, 0), KNOWN) == Evidence()
