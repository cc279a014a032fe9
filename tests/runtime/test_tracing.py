"""The header that ties a frame's steps together."""

import re

from runtime.tracing import new_traceparent


def test_a_traceparent_is_as_the_specification_says() -> None:
    """Version, trace, span, sampled."""
    assert re.fullmatch(r"00-[0-9a-f]{32}-[0-9a-f]{16}-01", new_traceparent())


def test_no_two_traces_are_the_same() -> None:
    assert len({new_traceparent() for _ in range(100)}) == 100
