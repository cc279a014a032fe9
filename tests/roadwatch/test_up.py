"""Services of one `up` do not fight for a port."""

import pytest

from roadwatch.commands.up import measured
from roadwatch.supervisor import Service
from schemas.errors import ConfigurationError

CAMERAS = [Service(f"camera-{name}", ("camera",), ends=True, alone=True) for name in ("gate", "bridge")]
OTHERS = [Service(name, (name,)) for name in ("processor-1", "shadow", "monitor", "mailer")]


def test_each_service_has_a_port_and_those_of_cameras_come_last() -> None:
    """Another camera moves no other service's port."""
    names = ["processor-1", "shadow", "monitor", "mailer", "camera-gate", "camera-bridge"]
    ports = {each.name: each.metrics_port for each in measured([*CAMERAS, *OTHERS], 9100)}
    assert ports == dict(zip(names, range(9100, 9106), strict=True))


def test_services_stop_in_the_order_given() -> None:
    assert [each.name for each in measured([*CAMERAS, *OTHERS], 9100)] == [each.name for each in [*CAMERAS, *OTHERS]]


@pytest.mark.parametrize("first", [None, 0])
def test_without_a_port_or_with_any_nothing_is_counted_up(first: int | None) -> None:
    assert measured(OTHERS, first) == OTHERS


def test_ports_that_there_are_not_are_refused() -> None:
    assert measured(OTHERS, 65532)[-1].metrics_port == 65535
    with pytest.raises(ConfigurationError, match=r"service\.metrics_port(?s:.)*65533: 4 services"):
        measured(OTHERS, 65533)
