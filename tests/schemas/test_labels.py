"""What a label may say."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from schemas.errors import DecodingError
from schemas.labels import require_sound
from schemas.records import Label

GOOD = Label(
    "ann:gate:e:p7=car", "gate", None, "gate:e:p7", "car", "ann", 2.5, datetime(2026, 11, 23, tzinfo=UTC), None
)


@pytest.mark.parametrize("changes", [{}, {"label": None}, {"weight": 1e-6}, {"weight": 1e9}, {"source": "s" * 200}])
def test_what_can_be_counted_is_sound(changes: dict[str, object]) -> None:
    label = replace(GOOD, **changes)  # type: ignore[arg-type]
    assert require_sound(label) is label


def test_a_promise_of_nothing_is_sound() -> None:
    promise = replace(GOOD, passage_id=None, label=None, complete_until=GOOD.labelled_at)
    assert require_sound(promise) is promise


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"weight": 1e200}, "has the weight 1e\\+200: above 0, from 1e-06 to 1e\\+09"),
        ({"weight": 1e-7}, "has the weight 1e-07"),
        ({"weight": float("nan")}, "has the weight nan"),
        ({"label": "x" * 300_000}, "says 'xxx.*…: a class has up to 32 of a-z"),
        ({"label": "White van"}, "says 'White van'"),
        ({"label": ""}, "says ''"),
        ({"source": "s" * 201}, "has 201 characters in source, and at most 200"),
        ({"label_id": "s" * 513}, "has 513 characters in label_id"),
        ({"passage_id": f"gate:{'e' * 300}:p7"}, "has 308 characters in passage_id"),
        ({"passage_id": f"gate:e:p{'7' * 40}"}, "is of no thing"),
        ({"passage_id": "bridge:e:p7"}, "of 'gate' is for bridge"),
        ({"labelled_at": datetime(1, 1, 1, tzinfo=UTC)}, "has 0001-01-01T00:00:00\\+00:00 in labelled_at"),
        ({"complete_until": datetime.max.replace(tzinfo=UTC)}, "in complete_until"),
    ],
)
def test_what_cannot_be_counted_is_refused(changes: dict[str, object], said: str) -> None:
    """In few words, however long it is."""
    with pytest.raises(DecodingError, match=said) as refused:
        require_sound(replace(GOOD, **changes))  # type: ignore[arg-type]
    assert len(str(refused.value)) < 500


def test_all_that_is_wrong_is_said_at_once() -> None:
    with pytest.raises(DecodingError, match=r"'White van'.*weight 0"):
        require_sound(replace(GOOD, label="White van", weight=0.0))
