"""`python -m benchmarks.replays`: a demo day recorded, then replayed again and again, with services killed on the way.

    demo ─► recording ─┬─ frames ─────────────────────────► processor ─► predictions, equal but for timings
                       └─ observations, labels, telemetry ─► monitor ──► reports and alerts, equal to the byte

Each round has fresh topics on the same broker; in some of them the processor and the monitor are killed in mid-stream.
"""

import argparse
import sys
import tempfile
import time
import tomllib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from roadwatch.demo.run import LocalRun, RunOptions
from roadwatch.demo.scenario import write_simulation
from schemas.topics import PREDICTIONS, REPORTS
from tests.support.rounds import Round, await_records, new_round, predictions, replay, run, serving, told

ROUNDS, KILLED = 10, (2, 5, 8)
SPEED = 10.0
KILL_AFTER_S = 3.0
"Of a replay that takes some five seconds."
FROM_FRAMES = ("--topic", "frames")
FROM_OBSERVATIONS = ("--topic", "observations", "--topic", "labels", "--topic", "telemetry")
RULES = ("timezone", "label_patience", "min_labels")


@dataclass(frozen=True, slots=True)
class Outcome:
    """One round."""

    number: int
    killed: bool
    predictions: int
    same_predictions: bool
    reports: int
    same_reports: bool
    alerts: int
    same_alerts: bool
    seconds: float


def main() -> None:
    """Print a row for each round; exit code 1 where one differs."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.replays", description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=ROUNDS)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        outcomes = _measure(Path(name), given.rounds)
    Console().print(_table(outcomes))
    sys.exit(not all(o.same_predictions and o.same_reports and o.same_alerts for o in outcomes))


def _measure(folder: Path, rounds: int) -> list[Outcome]:
    console = Console(stderr=True)
    demo, recording = folder / "demo", folder / "recording"
    with LocalRun(RunOptions(demo, partial(write_simulation, demo)), lambda _done, _total: None) as live:
        for _ in live.follow():
            pass
        run(demo / "roadwatch.toml", "record", str(recording))
        original = Round("roadwatch", demo / "roadwatch.toml", live.settings)
        monitor = {k: v for k, v in tomllib.loads(original.file.read_text())["monitor"].items() if k in RULES}
        outcomes = []
        for number in range(rounds):
            outcomes.append(_round(number, folder, original, recording, monitor))
            console.print(str(outcomes[-1]), highlight=False)
        return outcomes


def _round(number: int, folder: Path, original: Round, recording: Path, monitor: dict[str, object]) -> Outcome:
    started, killed = time.monotonic(), number in KILLED
    servers, kill_after_s = original.settings.kafka.bootstrap_servers, KILL_AFTER_S if killed else None
    frames, watched = (new_round(f"{kind}{number}", folder, servers, monitor) for kind in ("frames", "watched"))
    expected, (reports, alerts) = predictions(original), told(original)
    speed = ("--speed", str(SPEED))
    with serving(frames, ["processor"]) as processor:
        replay(frames, recording, *FROM_FRAMES, *speed, supervisor=processor, kill_after_s=kill_after_s)
        await_records(frames, PREDICTIONS, len(expected), processor)
    with serving(watched, ["monitor"]) as supervisor:
        replay(watched, recording, *FROM_OBSERVATIONS, *speed, supervisor=supervisor, kill_after_s=kill_after_s)
        await_records(watched, REPORTS, len(reports), supervisor)
    found, (said, alerted) = predictions(frames), told(watched)
    return Outcome(
        number,
        killed,
        len(found),
        found == expected,
        len(said),
        said == reports,
        len(alerted),
        alerted == alerts,
        time.monotonic() - started,
    )


def _table(outcomes: list[Outcome]) -> Table:
    table = Table(title=f"Replayed {SPEED:g} times as fast")
    for name in ("round", "killed", "predictions", "equal", "reports", "equal", "alerts", "equal", "seconds"):
        table.add_column(name, justify="right")
    for o in outcomes:
        cells = (
            o.number,
            o.killed,
            o.predictions,
            o.same_predictions,
            o.reports,
            o.same_reports,
            o.alerts,
            o.same_alerts,
        )
        table.add_row(*map(str, cells), f"{o.seconds:.0f}")
    return table


if __name__ == "__main__":
    main()
