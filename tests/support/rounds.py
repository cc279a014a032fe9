"""One replay through services of its own on a running cluster, with kills where they are wanted."""

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from producers.recordings.entries import TOPICS, outgoing_of
from producers.recordings.recording import Located, Recording, Selection
from roadwatch.backtesting.stream import readers_of
from roadwatch.supervisor import Service, Supervisor
from runtime.admin import TopicAdmin
from runtime.clients import Reader, Writer
from runtime.settings import Settings, load_settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.records import Origin, Prediction, Timings
from schemas.topics import PREDICTIONS, Topic
from tests.monitor.recorded import shuffled
from tests.support.monitors import told_on_topics

CODEC = Codec()
PATIENCE_S = 120.0
SERVICES: Mapping[str, Service] = {
    "processor": Service("processor", ("process", "--instance", "1")),
    "monitor": Service("monitor", ("monitor",)),
}


@dataclass(frozen=True, slots=True)
class Round:
    """A replay's own corner of a cluster."""

    name: str
    "Its topics' prefix."
    file: Path
    "Its settings."
    settings: Settings
    "As they were read."

    def records(self, topic: Topic) -> list[bytes]:
        """What lies on one of its topics now."""
        kafka = self.settings.kafka
        return [record.value for record in read_all(kafka, kafka.names.of(topic))]


def new_round(name: str, folder: Path, servers: str, monitor: Mapping[str, object]) -> Round:
    """Settings with a prefix and groups of its own, and the topics; `monitor` is what its reports depend on."""
    file = folder / f"{name}.toml"
    rules = "\n".join(f"{key} = {json.dumps(value)}" for key, value in monitor.items())
    file.write_text(
        f"""\
[kafka]
bootstrap_servers = "{servers}"
topic_prefix = "{name}"
[processor]
group = "{name}-processor"
[monitor]
group = "{name}-monitor"
data_folder = {json.dumps(str(folder / name))}
{rules}
[models]
registry = {json.dumps(str(folder / "registry"))}
"""
    )
    settings = load_settings(file, {})
    TopicAdmin(settings.kafka).create()
    return Round(name, file, settings)


def command(file: Path, *arguments: str) -> list[str]:
    """A `roadwatch` command line."""
    return [sys.executable, "-P", "-m", "roadwatch", "--settings", str(file), *arguments]


def run(file: Path, *arguments: str) -> str:
    """A `roadwatch` command, run to its end; what it printed."""
    done = subprocess.run(command(file, *arguments), capture_output=True, text=True, check=False, timeout=PATIENCE_S)
    if done.returncode:
        raise AssertionError(f"{' '.join(arguments)} ended with {done.returncode}\n{done.stdout}\n{done.stderr}")
    return done.stdout


@contextmanager
def serving(at: Round, names: Sequence[str]) -> Iterator[Supervisor]:
    """Services of a round, running."""
    supervisor = Supervisor(
        [SERVICES[name] for name in names],
        settings_file=at.file,
        log_folder=at.file.parent / f"{at.name}-logs",
        environment={name: value for name, value in os.environ.items() if not name.startswith("ROADWATCH_")},
    )
    with supervisor:
        yield supervisor


def kill(supervisor: Supervisor) -> None:
    """End its services without a word; it starts them again."""
    for pid in supervisor.pids().values():
        os.kill(pid, signal.SIGKILL)


def replay(at: Round, recording: Path, *options: str, supervisor: Supervisor, kills: Sequence[float] = ()) -> None:
    """Send a recording, killing the services so many seconds later, one time after the other."""
    line = command(at.file, "replay", str(recording), *options)
    left, started = sorted(kills), time.monotonic()
    with subprocess.Popen(line, stderr=subprocess.PIPE, text=True) as sending:
        while sending.poll() is None or left:
            if left and time.monotonic() - started > left[0]:
                kill(supervisor)
                left.pop(0)
            supervisor.check()
            time.sleep(0.05)
        said = sending.stderr.read() if sending.stderr else ""
    if sending.returncode:
        raise AssertionError(f"the replay ended with {sending.returncode}\n{said}")


def await_records(at: Round, topic: Topic, wanted: int, supervisor: Supervisor, quiet_s: float = 3.0) -> None:
    """Return when so many records lie on a topic, and no more came for a while."""
    seen, deadline, quiet_since = 0, time.monotonic() + PATIENCE_S, time.monotonic()
    with Reader(at.settings.kafka, [at.settings.kafka.names.of(topic)], f"{at.name}-watch") as reader:
        while seen < wanted or time.monotonic() - quiet_since < quiet_s:
            if time.monotonic() > deadline:
                raise AssertionError(f"{at.name}: {seen} of {wanted} records on {topic.name} after {PATIENCE_S:.0f} s")
            if came := len(reader.read(500, 0.2)):
                seen, quiet_since = seen + came, time.monotonic()
            supervisor.check()


def predictions(at: Round) -> dict[str, Prediction]:
    """By frame, without what two runs may differ in: timings, and where the frame lies."""
    found = [CODEC.decode(value, Prediction) for value in at.records(PREDICTIONS)]
    bare = [replace(p, timings=Timings(0, 0, 0, 0), origin=Origin("", 0, 0)) for p in found]
    if len({p.frame_id for p in bare}) != len(bare):
        raise AssertionError(f"{at.name}: {len(bare)} predictions of {len({p.frame_id for p in bare})} frames")
    return {p.frame_id: p for p in bare}


def send_shuffled(at: Round, recording: Recording, topics: Sequence[str], rng: random.Random) -> None:
    """Send topics of a recording at once; only what one camera has on one of them keeps its order."""
    readers, chains = readers_of(recording), defaultdict[tuple[object, ...], list[Located]](list)
    for located in recording.entries(Selection(topics=frozenset(topics))):
        chains[located.topic, located.entry.key].append(located)
    with Writer(at.settings.kafka, CODEC) as writer:
        for located in shuffled(rng, chains.values()):
            target = at.settings.kafka.names.of(TOPICS[located.topic])
            outgoing = outgoing_of(located.entry, readers[located.topic], target, CODEC)
            writer.send_bytes(replace(outgoing, partition=located.partition))
        writer.flush()


def await_told(at: Round, wanted: int, supervisor: Supervisor, quiet_s: float = 3.0) -> dict[str, bytes]:
    """Reports and alerts, once there are so many, and a while later: nothing more should come."""
    deadline = time.monotonic() + PATIENCE_S
    while (found := len(told_on_topics(at.settings))) < wanted:
        if time.monotonic() > deadline:
            raise AssertionError(f"{at.name}: {found} of {wanted} reports and alerts after {PATIENCE_S:.0f} s")
        supervisor.check()
        time.sleep(0.5)
    time.sleep(quiet_s)
    return told_on_topics(at.settings)


def digest(told: Mapping[str, bytes]) -> str:
    """A hash of all that was told."""
    found = hashlib.sha256()
    for name, data in sorted(told.items()):
        found.update(f"{name} {len(data)} ".encode() + data)
    return found.hexdigest()
