"""`python -m benchmarks.replays`: a demo day recorded, then replayed again and again, with services killed on the way.

    demo, late labels ─► recording ─┬─ frames ──────────────────────────► processor ─► predictions, equal but for timings
                                    └─ observations, labels, telemetry ─► monitor ───► reports and alerts, one hash

Each round has fresh topics on the same broker, and kills at moments of its own. In every other round the monitor reads
a stream that goes on, ten times as fast as it was logged; in the others a backlog, in which what cameras and topics say
is interleaved at random. What is compared is each revision of each report, and all that was told of each alert.
"""

import argparse
import csv
import random
import sys
import tempfile
import time
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from producers.recordings.recording import open_recording
from roadwatch.demo.run import LocalRun, RunOptions
from roadwatch.demo.scenario import write_simulation
from schemas.records import Passage, Prediction
from schemas.topics import PREDICTIONS
from tests.support.monitors import told_on_topics
from tests.support.rounds import (
    Round,
    await_records,
    await_told,
    digest,
    kill,
    new_round,
    predictions,
    replay,
    run,
    send_shuffled,
    serving,
)

ROUNDS = 10
SPEED = ("--speed", "10")
KILL_S = (2.0, 9.0)
"When services are killed, from and to: their start takes two seconds, a replay ten, and a backlog no longer."
WATCHED = ("observations", "labels", "telemetry")
RULES = ("timezone", "label_patience", "min_labels")
LATE = 5
"Every so manieth vehicle gets another label once all days are reported."


@dataclass(frozen=True, slots=True)
class Original:
    """The run that was recorded, and what it has told."""

    recording: Path
    at: Round
    rules: Mapping[str, object]
    predictions: dict[str, Prediction]
    told: dict[str, bytes]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round."""

    number: int
    way: str
    kills: int
    predictions: int
    same_predictions: bool
    told: int
    digest: str
    same_told: bool
    seconds: float


def main() -> None:
    """Print a row for each round; exit code 1 where one differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replays", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcomes = _measure(Path(name), given.rounds)
    Console().print(_table(outcomes))
    sys.exit(not all(outcome.same_predictions and outcome.same_told for outcome in outcomes))


def _measure(folder: Path, rounds: int) -> list[Outcome]:
    console, demo = Console(stderr=True), folder / "demo"
    with LocalRun(RunOptions(demo, partial(write_simulation, demo)), lambda _done, _total: None) as live:
        for _ in live.follow():
            pass
        original = _recorded(folder, demo, live)
        console.print(f"live: {_said(original.told)}, {digest(original.told)[:16]}", highlight=False)
        outcomes = []
        for number in range(rounds):
            outcomes.append(_round(number, folder, original))
            console.print(str(outcomes[-1]), highlight=False)
        return outcomes


def _recorded(folder: Path, demo: Path, live: LocalRun) -> Original:
    at = Round("roadwatch", demo / "roadwatch.toml", live.settings)
    _label_late(at, live.state.passages, folder / "late.csv")
    run(at.file, "record", str(folder / "recording"))
    monitor = tomllib.loads(at.file.read_text())["monitor"]
    rules = {name: value for name, value in monitor.items() if name in RULES}
    return Original(folder / "recording", at, rules, predictions(at), told_on_topics(live.settings))


def _label_late(at: Round, passages: list[Passage], file: Path) -> None:
    """Somebody says of some vehicles that they were taken for the wrong class: each day gets a second revision."""
    with file.open("w", newline="") as lines:
        rows = csv.writer(lines)
        rows.writerow(("passage_id", "label"))
        rows.writerows((p.passage_id, "car" if p.label == "truck" else "truck") for p in passages[::LATE])
    run(at.file, "label", "import", str(file), "--source", "somebody")
    deadline = time.monotonic() + 60
    while not _is_revised(told_on_topics(at.settings)):
        if time.monotonic() > deadline:
            raise AssertionError("the late labels have made no revision of every day")
        time.sleep(1)
    time.sleep(3)


def _is_revised(told: Mapping[str, bytes]) -> bool:
    days = {name.split()[0] for name in told if " revision " in name}
    return all(f"{day} revision 2" in told for day in days)


def _said(told: Mapping[str, bytes]) -> str:
    reports = sum(" revision " in name for name in told)
    alerts = {name.partition(" told ")[0] for name in told if " told " in name}
    return f"{reports} reports, {len(told) - reports} records of {len(alerts)} alerts"


def _round(number: int, folder: Path, original: Original) -> Outcome:
    started, rng = time.monotonic(), random.Random(number)  # noqa: S311  # seeded, not secret
    kills = [rng.uniform(*KILL_S) for _ in range(rng.choice((0, 1, 1, 2)))]
    way = ("at a speed", "shuffled")[number % 2]
    classified = _classified(number, folder, original, kills[:1])
    watched = new_round(f"watched{number}", folder, original.at.settings.kafka.bootstrap_servers, original.rules)
    told = (_followed, _caught_up)[number % 2](watched, original, kills, rng)
    return Outcome(
        number,
        way,
        len(kills),
        len(classified),
        classified == original.predictions,
        len(told),
        digest(told)[:16],
        told == original.told,
        time.monotonic() - started,
    )


def _classified(number: int, folder: Path, original: Original, kills: list[float]) -> dict[str, Prediction]:
    """The frames' way through a processor."""
    at = new_round(f"frames{number}", folder, original.at.settings.kafka.bootstrap_servers, original.rules)
    with serving(at, ["processor"]) as processor:
        replay(at, original.recording, "--topic", "frames", *SPEED, supervisor=processor, kills=kills)
        await_records(at, PREDICTIONS, len(original.predictions), processor)
    return predictions(at)


def _followed(at: Round, original: Original, kills: list[float], _rng: random.Random) -> dict[str, bytes]:
    """The stream's way through a monitor that reads it as it comes."""
    topics = [option for topic in WATCHED for option in ("--topic", topic)]
    with serving(at, ["monitor"]) as monitor:
        replay(at, original.recording, *topics, *SPEED, supervisor=monitor, kills=kills)
        return await_told(at, len(original.told), monitor)


def _caught_up(at: Round, original: Original, kills: list[float], rng: random.Random) -> dict[str, bytes]:
    """A backlog's way through a monitor that comes later."""
    send_shuffled(at, open_recording(original.recording), WATCHED, rng)
    with serving(at, ["monitor"]) as monitor:
        for pause_s in kills:
            time.sleep(pause_s)
            kill(monitor)
        return await_told(at, len(original.told), monitor)


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title="One recording, replayed")
    for name in ("round", "way", "kills", "predictions", "equal", "told", "hash", "equal", "seconds"):
        table.add_column(name, justify="right")
    for o in outcomes:
        cells = (o.number, o.way, o.kills, o.predictions, o.same_predictions, o.told, o.digest, o.same_told)
        table.add_row(*map(str, cells), f"{o.seconds:.0f}")
    return table


if __name__ == "__main__":
    main()
