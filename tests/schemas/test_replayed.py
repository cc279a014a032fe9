"""When a record was first logged."""

from datetime import UTC, datetime

import pytest

from schemas.replayed import LOGGED_AT, logged_at, logged_at_header, logged_ms


def test_a_replayed_record_was_logged_with_its_original() -> None:
    """The replay's own timestamp says when it was sent again."""
    assert logged_ms(5_000, [("traceparent", b"00"), logged_at_header(1_234)]) == 1_234


def test_any_other_was_logged_when_kafka_says() -> None:
    """In UTC."""
    assert logged_at(1_500, []) == datetime(1970, 1, 1, 0, 0, 1, 500_000, tzinfo=UTC)


def test_a_replay_of_a_replay_keeps_the_first() -> None:
    """The last header holds: a recording keeps none of those before."""
    assert logged_ms(9, [logged_at_header(1), logged_at_header(2)]) == 2


@pytest.mark.parametrize("value", [b"", b"soon", b"-5", b"1" * 40, b"\xb2", "٣".encode()])
def test_a_header_that_holds_no_number_is_passed_over(value: bytes) -> None:
    """The record itself is sound."""
    assert logged_ms(7, [(LOGGED_AT, value)]) == 7
