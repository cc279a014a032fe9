"""`python -m benchmarks.backtest`: what a backtest costs beside the live run that it repeats.

    demo ─► live: processor, monitor, mailer, broker ─► CPU time of each, without decoding and inference
      └───► recording ─► backtest, two models and two rule sets ─► CPU time by phase, likewise

What the simulated cameras cost, drawing their roads, is left out: a backtest has none.
"""

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.options import parser_of
from roadwatch.demo.run import LocalRun, RunOptions
from roadwatch.demo.scenario import write_simulation
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.records import Prediction
from schemas.topics import PREDICTIONS
from tests.support.rounds import command, run

INSIDE = ("decoding", "inference")
"Phases of a backtest that it shares with any run over the same frames."
STRICT = "[monitor]\nmin_accuracy = 0.9\n"


def main() -> None:
    """Print both, and whether the live run's reports came out again."""
    parser_of("backtest", __doc__).parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        live, shared = _live(folder)
        alone = _backtest(folder, "--model", "recorded")
        one = _backtest(folder, "--model", "bundled")
        four = _backtest(
            folder, "--model", "bundled", "--model", "fast", "--rules", "current", "--rules", "strict.toml"
        )
    console = Console()
    console.print(_table("Live, CPU seconds", {**live, "of it decoding and inference": shared}))
    net = sum(live.values()) - shared
    for title, found in (
        ("Observations", alone),
        ("Frames, one model", one),
        ("Frames, two models, two rule sets", four),
    ):
        phases: Mapping[str, float] = found["cost"]["cpu_s"]
        own = sum(seconds for phase, seconds in phases.items() if phase not in INSIDE)
        console.print(_table(f"Backtest: {title}, CPU seconds", phases))
        console.print(f"besides decoding and inference {own:.2f} s, {own / net:.1%} of the live run's {net:.2f} s")
        console.print(*found["answer"], sep="\n", markup=False, highlight=False)


def _live(folder: Path) -> tuple[dict[str, float], float]:
    """CPU seconds of the live run's processes, and how many of them were decoding and inference."""
    demo = folder / "demo"
    with LocalRun(RunOptions(demo, partial(write_simulation, demo)), lambda _done, _total: None) as live:
        for _ in live.follow():
            pass
        spent = {name: _cpu_s(pid) for name, pid in live.pids().items() if not name.startswith("camera-")}
        if live.broker_pid is not None:
            spent["broker"] = _cpu_s(live.broker_pid)
        kafka = live.settings.kafka
        timings = [Codec().decode(r.value, Prediction).timings for r in read_all(kafka, kafka.names.of(PREDICTIONS))]
        run(demo / "roadwatch.toml", "record", str(folder / "recording"))
    (folder / "strict.toml").write_text(STRICT)
    (folder / "rules.toml").write_text(_monitor_table(demo / "roadwatch.toml"))
    return spent, sum(t.decode_ms + t.inference_ms for t in timings) / 1000


def _monitor_table(file: Path) -> str:
    """The live run's rules, for the backtest's settings."""
    monitor = tomllib.loads(file.read_text())["monitor"]
    return "[monitor]\n" + "\n".join(f"{key} = {json.dumps(value)}" for key, value in monitor.items())


def _backtest(folder: Path, *options: str) -> dict[str, object]:
    line = command(folder / "rules.toml", "backtest", str(folder / "recording"), *options, "--json")
    done = subprocess.run(line, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout))


def _cpu_s(pid: int) -> float:
    """CPU time of a process so far, seconds."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _table(title: str, seconds: Mapping[str, float]) -> Table:
    table = Table(title=title)
    table.add_column("what")
    table.add_column("s", justify="right")
    for name, value in seconds.items():
        table.add_row(name, f"{value:.2f}")
    table.add_row("sum", f"{sum(v for n, v in seconds.items() if not n.startswith('of it')):.2f}")
    return table


if __name__ == "__main__":
    main()
