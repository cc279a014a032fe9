"""Where a local broker listens, and what cannot be its folder."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.broker import LocalBroker
from runtime.broker_folder import Holder, choose_ports, claimed
from schemas.errors import LocalStackError


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def taken() -> Iterator[int]:
    """A port at which somebody listens."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def test_the_preferred_port_comes_before_the_one_that_it_had() -> None:
    preferred, earlier = _free_port(), _free_port()
    assert choose_ports(None, Holder(1, 1, earlier, _free_port()), preferred)[0] == preferred


def test_a_preferred_port_that_is_taken_is_done_without(taken: int) -> None:
    earlier = _free_port()
    assert choose_ports(None, Holder(1, 1, earlier, _free_port()), taken)[0] == earlier
    assert choose_ports(None, None, taken)[0] in range(20_000, 32_000)


def test_a_wanted_port_that_is_taken_is_refused(taken: int) -> None:
    with pytest.raises(LocalStackError, match=f"port {taken} on 127.0.0.1 is taken"):
        choose_ports(taken, None, _free_port())


def test_what_cannot_be_a_broker_s_folder_is_said(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(LocalStackError, match="file cannot be made: File exists"):
        LocalBroker(file).start()
    (tmp_path / "broker.lock").mkdir()
    with pytest.raises(LocalStackError, match=r"broker\.lock cannot be opened: Is a directory"), claimed(tmp_path):
        pass
