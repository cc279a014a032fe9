"""How far estimates and slices are believed, and until when."""

import json
from datetime import date, timedelta

from monitor.statistics.discoveries import Counts
from monitor.trust import BROKEN_DAYS, Trust
from schemas.records import ConfidenceBin, Tally

V1, V2 = ("v1",), ("v2",)
GOOD, BAD = Counts(right=95, n=100, rest_right=950, rest_n=1000), Counts(right=30, n=100, rest_right=950, rest_n=1000)


def day_of(number: int) -> str:
    """Days from the first of March on."""
    return (date(2026, 3, 1) + timedelta(days=number)).isoformat()


def labelled(right: int, n: int = 200) -> Tally:
    """Vehicles of which the model is sure by .95."""
    return Tally(confidences=(ConfidenceBin("car", 47, n, 0.95 * n, n, right),))


def told(trust: Trust, number: int, right: int, models: tuple[str, ...] = V1, revision: int = 1) -> str:
    """What speaks against a day's estimate."""
    found = trust.take(day_of(number), revision, models, labelled(right), [])
    assert found
    return found.breaks or ""


def test_labels_that_are_worse_than_the_estimate_break_it() -> None:
    """Those that are as good as it do not."""
    trust = Trust()
    assert told(trust, 0, right=190) == ""
    assert "of 400 labelled vehicles" in told(trust, 1, right=100)
    assert trust.broken_on == day_of(1)


def test_a_revision_is_no_new_evidence() -> None:
    """Its labels were counted with the first report, or come too late for it."""
    trust = Trust()
    told(trust, 0, right=190)
    assert told(trust, 0, right=100, revision=2) == ""
    assert trust.evidence.labelled == 200


def test_a_broken_estimate_is_tried_again() -> None:
    """With other bundles at once, with the same after a fortnight."""
    for day, models in ((1, V2), (BROKEN_DAYS + 1, V1)):
        trust = Trust()
        assert told(trust, 0, right=100)
        assert told(trust, day, right=190, models=models) == ""
    trust = Trust()
    told(trust, 0, right=100)
    assert told(trust, BROKEN_DAYS, right=190)


def test_a_day_without_vehicles_has_no_estimate() -> None:
    assert Trust().take(day_of(0), 1, V1, Tally(), []) is None


def test_a_slice_that_falls_behind_is_found_once_and_for_its_day() -> None:
    """A revision of an earlier day knows what was known then."""
    trust = Trust()
    assert trust.look(day_of(0), {"hour=07": GOOD}) == frozenset()
    assert trust.look(day_of(1), {"hour=07": BAD, "hour=08": GOOD}) == {"hour=07"}
    assert trust.look(day_of(0), {"hour=07": BAD}) == frozenset()


def test_trust_comes_back_from_its_snapshot() -> None:
    """And goes on alike."""
    trust = Trust()
    told(trust, 0, right=100)
    trust.look(day_of(0), {"hour=07": BAD})
    text = json.dumps(trust.snapshot())
    again = Trust.restore(json.loads(text))
    assert json.dumps(again.snapshot()) == text
    assert told(again, 1, right=190) == told(trust, 1, right=190) != ""
