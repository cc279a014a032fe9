"""Services of one `up` do not fight for a port."""

from pathlib import Path

import pytest

from roadwatch.commands.up import measured, without_heartbeat
from roadwatch.local import say_elsewhere, usual_port
from roadwatch.supervisor import Service
from runtime.settings import KafkaSettings, ServiceSettings
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


def test_one_sign_of_life_for_all_services_is_refused() -> None:
    """It would tell of none whether it is well."""
    without_heartbeat(ServiceSettings())
    with pytest.raises(ConfigurationError, match=r"service\.heartbeat_file(?s:.)*alive: all services.*leave it out"):
        without_heartbeat(ServiceSettings(heartbeat_file=Path("alive")))


@pytest.mark.parametrize(
    ("servers", "port"),
    [("127.0.0.1:9092", 9092), ("localhost:9095", 9095), ("kafka:9092", None), ("127.0.0.1:1,127.0.0.1:2", None)],
)
def test_a_broker_is_started_where_commands_look_for_it_on_this_machine(servers: str, port: int | None) -> None:
    assert usual_port(KafkaSettings(bootstrap_servers=servers)) == port


def test_of_a_broker_elsewhere_it_is_said_what_commands_need(capsys: pytest.CaptureFixture[str]) -> None:
    say_elsewhere("127.0.0.1:9092", KafkaSettings())
    assert capsys.readouterr().out == ""
    say_elsewhere("127.0.0.1:31000", KafkaSettings())
    assert "export ROADWATCH_KAFKA__BOOTSTRAP_SERVERS=127.0.0.1:31000" in capsys.readouterr().out
