"""The local broker against its promises: a real Kafka, started, stopped, killed and left over."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient, NewTopic

from runtime.broker import FolderInUseError, LocalBroker, running_broker, stop_leftover
from runtime.broker_folder import read_holder
from schemas.errors import LocalStackError

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]

# Starts a broker on the folder that is its argument, says so, and waits to be killed.
SUPERVISOR = """
import signal, sys
from pathlib import Path
from runtime.broker import LocalBroker
with LocalBroker(Path(sys.argv[1])) as broker:
    print(broker.bootstrap_servers, flush=True)
    signal.pause()
"""


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """Another process that has started a broker on tmp_path; killed at the end if it is still there."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", SUPERVISOR, str(tmp_path)]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        while b"127.0.0.1:" not in process.stdout.readline():
            assert process.poll() is None
        yield process
        process.kill()


def wait_for(condition: Callable[[], bool], seconds: float = 20) -> None:
    """Wait until the condition holds, and fail if it never does."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def is_gone(pid: int) -> bool:
    """Whether no process, or only one that nobody has reaped, has this id."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z"
    except OSError:
        return True


def children(pid: int) -> list[int]:
    """The processes that a process has started."""
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def create_topic(broker: LocalBroker, topic: str) -> None:
    """Create a topic of one partition."""
    client = AdminClient({"bootstrap.servers": broker.bootstrap_servers})
    client.create_topics([NewTopic(topic, 1, 1)])[topic].result(10)


def send(broker: LocalBroker, topic: str, value: bytes) -> None:
    """Write a record and wait until the broker has it."""
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers})
    producer.produce(topic, value)
    assert producer.flush(10) == 0


def first_record(broker: LocalBroker, topic: str) -> bytes | None:
    """Read a topic's first record as a member of a new group."""
    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "g", "auto.offset.reset": "earliest"}
    )
    consumer.subscribe([topic])
    message = consumer.poll(20)
    consumer.close()
    return message.value() if message else None


def test_a_record_goes_in_and_comes_out() -> None:
    """A temporary broker serves a group, and leaves neither process nor folder behind."""
    with LocalBroker(None) as broker:
        folder, pid = broker.folder, broker.pid
        create_topic(broker, "road")
        send(broker, "road", b"car")
        assert first_record(broker, "road") == b"car"
    assert folder is not None
    assert pid is not None
    assert not folder.exists()
    assert is_gone(pid)


def test_data_and_address_survive_a_restart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder with spaces, commas and umlauts, started from elsewhere, is formatted once."""
    monkeypatch.chdir(tmp_path)
    broker = LocalBroker(Path("my broker, größer"))
    with broker:
        address = broker.bootstrap_servers
        create_topic(broker, "road")
        send(broker, "road", b"car")
    monkeypatch.chdir("/")
    with broker:
        assert broker.bootstrap_servers == address
        assert first_record(broker, "road") == b"car"


def test_a_folder_moves_to_another_port(tmp_path: Path) -> None:
    """The address may change from one start to the next; the data stays."""
    with LocalBroker(tmp_path) as broker:
        create_topic(broker, "road")
        send(broker, "road", b"car")
        earlier = int(broker.bootstrap_servers.rpartition(":")[2])
    with LocalBroker(tmp_path, port=earlier + 1) as broker:
        assert broker.bootstrap_servers == f"127.0.0.1:{earlier + 1}"
        assert first_record(broker, "road") == b"car"


def test_two_brokers_run_side_by_side(tmp_path: Path) -> None:
    """Each has its own address, cluster and topics."""
    with LocalBroker(tmp_path / "a") as first, LocalBroker(tmp_path / "b") as second:
        create_topic(first, "road")
        clients = [AdminClient({"bootstrap.servers": each.bootstrap_servers}) for each in (first, second)]
        metadata = [client.list_topics(timeout=10) for client in clients]
        assert ["road" in each.topics for each in metadata] == [True, False]
        assert metadata[0].cluster_id != metadata[1].cluster_id


def test_a_folder_takes_one_broker(tmp_path: Path) -> None:
    """The second start is refused with the pid and address of the first, which goes on; so is its port."""
    with LocalBroker(tmp_path) as broker:
        with pytest.raises(FolderInUseError, match=broker.bootstrap_servers) as caught:
            LocalBroker(tmp_path).start()
        assert caught.value.running.pid == broker.pid
        assert not caught.value.running.left_over
        with pytest.raises(LocalStackError, match="is taken"):
            LocalBroker(None, port=int(broker.bootstrap_servers.rpartition(":")[2])).start()
        create_topic(broker, "road")
    assert running_broker(tmp_path) is None


def test_a_broker_that_does_not_come_up_shows_its_log(tmp_path: Path) -> None:
    """A property that Kafka refuses ends the start with Kafka's own words, and no process stays."""
    broker = LocalBroker(tmp_path, properties={"num.io.threads": "0"})
    with pytest.raises(LocalStackError, match=r"num\.io\.threads"):
        broker.start()
    assert broker.pid is None
    assert running_broker(tmp_path) is None


def test_a_broker_that_dies_is_noticed(tmp_path: Path) -> None:
    """Its supervisor sees the exit code; the next start goes on with the same data."""
    with LocalBroker(tmp_path) as broker:
        create_topic(broker, "road")
        assert broker.pid is not None
        os.kill(broker.pid, signal.SIGKILL)
        wait_for(lambda: broker.exit_code == -signal.SIGKILL)
    with LocalBroker(tmp_path) as broker:
        send(broker, "road", b"car")


def test_a_broker_ends_with_its_killed_supervisor(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """After kill -9 of the process that started it, the JVM ends by itself, in good order."""
    running = running_broker(tmp_path)
    assert running is not None
    supervisor.kill()
    wait_for(lambda: is_gone(running.pid))
    assert running_broker(tmp_path) is None
    assert (tmp_path / "data" / ".kafka_cleanshutdown").exists()


def test_a_left_over_broker_is_noticed_and_can_be_stopped(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """Killed together with its watchdog, the supervisor leaves the JVM: the next start says so and how to end it."""
    holder = read_holder(tmp_path)
    assert holder is not None
    for child in set(children(supervisor.pid)) - {holder.pid}:
        os.kill(child, signal.SIGKILL)
    supervisor.kill()
    supervisor.wait()
    with pytest.raises(FolderInUseError, match=f"pid {holder.pid} at 127.0.0.1:{holder.port}.*killed") as caught:
        LocalBroker(tmp_path).start()
    assert caught.value.running.left_over
    stop_leftover(caught.value.running)
    assert is_gone(holder.pid)
    with LocalBroker(tmp_path) as broker:
        create_topic(broker, "road")


def test_ctrl_c_reaches_the_supervisor_alone(supervisor: subprocess.Popen[bytes], tmp_path: Path) -> None:
    """The JVM and its watchdog have sessions of their own, and end with the supervisor's clean stop."""
    started = children(supervisor.pid)
    assert len(started) == 2
    assert all(os.getsid(pid) == pid for pid in started)
    supervisor.send_signal(signal.SIGINT)
    supervisor.wait(20)
    assert all(is_gone(pid) for pid in started)
    assert running_broker(tmp_path) is None
