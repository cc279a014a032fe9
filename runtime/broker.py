"""A real Apache Kafka 4 on this machine, with nothing installed but Python: one node, on 127.0.0.1 only.

```
broker = LocalBroker(Path("data/broker"))     None instead of a folder: a temporary one, deleted at the end
with broker:                                  start() and stop()
    broker.bootstrap_servers                  127.0.0.1:port, the same at the next start where it is free
```
"""

import base64
import os
import shutil
import socket
import tempfile
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import structlog
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from runtime.broker_folder import (
    HOST,
    FolderInUseError,
    Holder,
    Running,
    choose_ports,
    claimed,
    read_holder,
    running_broker,
    stop_leftover,
    write_holder,
)
from runtime.jars import Progress, fetch, pinned
from runtime.java import find_java
from runtime.jvm import FRUGAL, JavaProcess, run_java
from schemas.errors import LocalStackError

__all__ = ["FolderInUseError", "LocalBroker", "Running", "running_broker", "stop_leftover"]

log = structlog.get_logger(__name__)

KAFKA_JAVA = 17
_FORMAT_TIMEOUT_S = 60

# What one node on somebody's laptop needs to differ in from Kafka's defaults.
_PROPERTIES: Mapping[str, str] = {
    "process.roles": "broker,controller",
    "node.id": "1",
    "controller.listener.names": "CONTROLLER",
    "listener.security.protocol.map": "PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT",
    "auto.create.topics.enable": "false",
    # One node holds the only copy.
    "default.replication.factor": "1",
    "offsets.topic.replication.factor": "1",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "share.coordinator.state.topic.replication.factor": "1",
    "share.coordinator.state.topic.min.isr": "1",
    # 50 partitions each by default: files and start-up time for nothing.
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.num.partitions": "4",
    "share.coordinator.state.topic.num.partitions": "4",
    # A group's first member starts at once; a killed member is noticed as soon as its client asks for.
    "group.initial.rebalance.delay.ms": "0",
    "group.min.session.timeout.ms": "1000",
    # Room for a frame of a 4K camera; each topic sets its own, lower limit.
    "message.max.bytes": str(8 << 20),
    # For topics that do not say: a day, and segments small enough that retention can act.
    "log.retention.hours": "24",
    "log.segment.bytes": str(64 << 20),
    # Few threads and small buffers: it shares the machine with everything else, and idles most of the time.
    "num.network.threads": "2",
    "num.io.threads": "2",
    "background.threads": "2",
    "log.cleaner.dedupe.buffer.size": str(8 << 20),
    "metadata.max.idle.interval.ms": "5000",
}

_LOG4J = """\
status = warn
shutdownHook = disable
appender.file.type = RollingFile
appender.file.name = file
appender.file.fileName = broker.log
appender.file.filePattern = broker.%i.log
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{ISO8601} %p %m (%c)%n
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 5MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
rootLogger.level = info
rootLogger.appenderRef.file.ref = file
logger.config.name = org.apache.kafka.common.config
logger.config.level = warn
"""


class LocalBroker:
    """A broker that lives as long as this object is started; it ends with this process, however that ends."""

    def __init__(
        self,
        folder: Path | None,
        *,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        preferred_port: int | None = None,
        heap_mb: int = 512,
        properties: Mapping[str, str] | None = None,
        start_timeout_s: float = 60,
    ) -> None:
        """Say where and how; nothing is started or written yet.

        `folder` keeps topics, logs and address over restarts; None is a temporary one. `environment` says where Java
        and the cache are; None is this process's. `port` must be free, `preferred_port` is taken if it is; otherwise
        the one it had before. `properties` are any of Kafka's own, over ours.
        """
        self.folder = folder.absolute() if folder else None
        self._environment = os.environ if environment is None else environment
        self._wanted_port = port
        self._preferred_port = preferred_port
        self._heap_mb = heap_mb
        self._properties = dict(properties or {})
        self._start_timeout_s = start_timeout_s
        self._temporary = folder is None
        self._port: int | None = None
        self._jvm: JavaProcess | None = None

    @property
    def bootstrap_servers(self) -> str:
        """The address for clients; raises RuntimeError before start()."""
        if self._port is None:
            raise RuntimeError("the broker has no address before it is started")
        return f"{HOST}:{self._port}"

    @property
    def pid(self) -> int | None:
        """The JVM's process id; None unless it was started."""
        return self._jvm.pid if self._jvm else None

    @property
    def exit_code(self) -> int | None:
        """How the JVM ended by itself; None while it runs, or was not started."""
        return self._jvm.exit_code if self._jvm else None

    def start(self, progress: Progress | None = None) -> None:
        """Fetch what is missing, start the broker and return when it answers.

        `progress` is told the bytes of a download. Raises FolderInUseError when a broker is alive on the folder, and
        LocalStackError when Java, the jars or the port are not to be had or the broker does not come up.
        """
        if self._jvm is not None:
            raise RuntimeError("the broker is started already")
        java = [str(find_java(KAFKA_JAVA, self._environment)), f"-Xmx{self._heap_mb}m", *FRUGAL]
        classpath = os.pathsep.join(str(jar) for jar in fetch(pinned("kafka"), self._environment, progress))
        folder = self._make_folder()
        try:
            self._launch([*java, "-Dlog4j2.configurationFile=log4j2.properties", "-cp", classpath], folder)
        except BaseException:
            self.stop()
            raise

    def stop(self, grace_s: float = 20) -> None:
        """End the broker, by force after `grace_s` seconds, and delete a temporary folder; harmless when stopped."""
        if self._jvm is not None:
            self._jvm.stop(grace_s)
            log.info("broker stopped", address=self.bootstrap_servers)
        self._jvm = None
        self._port = None
        if self._temporary and self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _make_folder(self) -> Path:
        if self.folder is None:
            self.folder = Path(tempfile.mkdtemp(prefix="roadwatch-broker-"))
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise LocalStackError(f"the broker's folder {self.folder} cannot be made: {error.strerror}") from error
        return self.folder

    def _launch(self, java: list[str], folder: Path) -> None:
        with claimed(folder) as lock:
            port, controller_port = choose_ports(self._wanted_port, read_holder(folder), self._preferred_port)
            write_holder(folder, Holder(os.getpid(), os.getpid(), port, controller_port))
            self._configure(folder, port, controller_port)
            self._format(java, folder)
            self._jvm = JavaProcess([*java, "kafka.Kafka", "server.properties"], folder, self._environment, [lock])
            self._port = port
            write_holder(folder, Holder(self._jvm.pid, os.getpid(), port, controller_port))
        logs = [folder / "console.log", folder / "broker.log"]
        self._jvm.wait_until(lambda: _answers(port), "the local broker", self._start_timeout_s, logs)
        _create_offsets_topic(port)
        log.info("broker started", address=self.bootstrap_servers, folder=str(folder), pid=self._jvm.pid)

    def _configure(self, folder: Path, port: int, controller_port: int) -> None:
        addresses = {
            "controller.quorum.voters": f"1@{HOST}:{controller_port}",
            "listeners": f"PLAINTEXT://{HOST}:{port},CONTROLLER://{HOST}:{controller_port}",
            "advertised.listeners": f"PLAINTEXT://{HOST}:{port}",
            # Relative to the folder, in which the JVM runs: Kafka splits this setting at commas.
            "log.dirs": "data",
        }
        _write_properties(folder / "server.properties", {**_PROPERTIES, **self._properties, **addresses})
        (folder / "log4j2.properties").write_text(_LOG4J, "utf-8")

    def _format(self, java: list[str], folder: Path) -> None:
        """Format the data folder once, under another name until it is complete."""
        if (folder / "data").is_dir():
            return
        shutil.rmtree(folder / "data.part", ignore_errors=True)
        text = (folder / "server.properties").read_text("utf-8")
        formatting = folder / "format.properties"
        formatting.write_text(text.replace("log.dirs=data", "log.dirs=data.part"), "utf-8")
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tool = ["kafka.tools.StorageTool", "format", f"--cluster-id={cluster_id}", "--config", formatting.name]
        run_java([*java, *tool], folder, self._environment, _FORMAT_TIMEOUT_S)
        formatting.unlink()
        (folder / "data.part").rename(folder / "data")


def _write_properties(path: Path, properties: Mapping[str, str]) -> None:
    faulty = [name for name, value in properties.items() if not f"{name}{value}".isprintable() or "\\" in value]
    if faulty:
        raise LocalStackError(f"broker properties must be one line without a backslash: {', '.join(faulty)}")
    path.write_text("".join(f"{name}={value}\n" for name, value in properties.items()), "utf-8")


def _answers(port: int) -> bool:
    """Ask for the brokers of the cluster: it names itself only once its controller has let it in."""
    try:
        socket.create_connection((HOST, port), timeout=1).close()
        return bool(_client(port).list_topics(timeout=2).brokers)
    except (OSError, KafkaException):
        return False


def _create_offsets_topic(port: int) -> None:
    """Ask for a group that does not exist: the broker then makes its topic of offsets.

    Otherwise its first consumer would wait 3 s for that, between retries of its client. What the answer is does not
    matter; a broker in trouble is noticed by whoever uses it next.
    """
    group = "roadwatch-start"
    client = _client(port)
    client.describe_consumer_groups([group], request_timeout=5)[group].exception(10)


def _client(port: int) -> AdminClient:
    return AdminClient({"bootstrap.servers": f"{HOST}:{port}", "log_level": 0})
