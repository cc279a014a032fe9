"""`python -m benchmarks.faults`: faults put into simulated cameras' streams, and which of them the monitor names.

    python -m benchmarks.faults --only fog --json

Pictures go through the real gate, JPEG, decoding and the shipped model. What was filmed is kept under --cache, so that
only the first run takes minutes: about ten on two cores. After a change of the simulator, the gate or the statistics,
empty that folder.
"""

import argparse
import json
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from functools import partial
from multiprocessing import get_context
from pathlib import Path

from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.faulty.cases import CAMERAS, KINDS, LEVELS, QUIET_DAYS, cases, quiet_days
from benchmarks.faulty.filming import FilmedDay, film, logged
from benchmarks.faulty.judging import Verdict, judged, quiet_mails
from benchmarks.faulty.shelf import Shelf
from schemas.records import Alert

CACHE = Path("roadwatch-data/benchmarks")
PROCESSES = 2


def main() -> None:
    """Film what is missing, watch all of it, and print."""
    arguments = _arguments()
    shelf, chosen = Shelf(arguments.cache), cases(arguments.only, arguments.elsewhere)
    quiet = [] if arguments.only or arguments.elsewhere else quiet_days()
    fill(shelf, [*(day for case in chosen for day in case.days()), *quiet])
    with get_context("spawn").Pool(PROCESSES) as pool:
        mails = pool.apply_async(quiet_mails, (shelf,)) if quiet else None
        verdicts = pool.map(partial(judged, shelf=shelf), chosen, chunksize=1)
        found = mails.get() if mails else None
    if arguments.json:
        print(json.dumps(_plain(verdicts, found), indent=2))
    else:
        Console().print(*_tables(verdicts, found))


def fill(shelf: Shelf, days: Iterable[FilmedDay]) -> None:
    """Film the days that are not on the shelf yet."""
    missing = [day for day in dict.fromkeys(days) if not shelf.has(day.text)]
    with get_context("spawn").Pool(PROCESSES) as pool:
        done = pool.imap_unordered(partial(_make, shelf), missing)
        for _ in track(done, "filming", len(missing), console=Console(stderr=True), disable=not missing):
            pass


def _make(shelf: Shelf, day: FilmedDay) -> None:
    shelf.put(day.text, logged(film(day)))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.faults")
    parser.add_argument("--cache", type=Path, default=CACHE, help="where filmed days are kept")
    parser.add_argument("--only", choices=sorted(KINDS), help="one kind of fault, and no quiet days")
    parser.add_argument("--elsewhere", action="store_true", help="faults of pictures at cameras where none was tuned")
    parser.add_argument("--json", action="store_true", help="print JSON")
    return parser.parse_args()


def _plain(verdicts: Sequence[Verdict], quiet: Sequence[Alert] | None) -> dict[str, object]:
    faults = [{**asdict(verdict), "right": verdict.right} for verdict in verdicts]
    return {"faults": faults, "quiet_mails": None if quiet is None else [alert.alert_id for alert in quiet]}


def _tables(verdicts: Sequence[Verdict], quiet: Sequence[Alert] | None) -> list[Table | str]:
    told = [] if quiet is None else [_quiet_line(quiet), *(f"  {alert.raised_at} {alert.title}" for alert in quiet)]
    return [_every_fault(verdicts), _by_severity(verdicts), "\n".join(told)]


def _quiet_line(quiet: Sequence[Alert]) -> str:
    return f"{len(CAMERAS) * QUIET_DAYS} quiet camera-days: {len(quiet)} mails"


def _every_fault(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="Faults")
    for name in ("fault", "camera", "severity", "caught after", "named", "true cause", "mails", "strays"):
        numbers = name in ("caught after", "mails", "strays")
        table.add_column(name, justify="right" if numbers else "left", overflow="fold")
    for each in verdicts:
        named = each.cause if each.right else f"[red]{each.cause or '–'}[/red]"
        counts = (str(each.mails), str(each.strays))
        table.add_row(each.kind, each.camera, each.severity, _delay(each), named, each.truth, *counts)
    return table


def _delay(verdict: Verdict) -> str:
    if verdict.delay_h is None:
        return "[red]missed[/red]"
    return f"{verdict.delay_h:.1f} h" if verdict.caught else f"[red]{verdict.delay_h:.1f} h[/red]"


def _by_severity(verdicts: Sequence[Verdict]) -> Table:
    table = Table(title="By severity")
    for name in ("severity", "faults", "caught", "cause right", "median delay", "at most one mail", "strays"):
        table.add_column(name, justify="left" if name == "severity" else "right")
    for severity in LEVELS:
        those = [verdict for verdict in verdicts if verdict.severity == severity]
        if those:
            table.add_row(severity, str(len(those)), *_figures(those))
    return table


def _figures(verdicts: Sequence[Verdict]) -> Iterable[str]:
    delays = [verdict.delay_h for verdict in verdicts if verdict.caught and verdict.delay_h is not None]
    yield f"{sum(verdict.caught for verdict in verdicts) / len(verdicts):.0%}"
    yield f"{sum(verdict.caught and verdict.right for verdict in verdicts) / len(verdicts):.0%}"
    yield f"{statistics.median(delays):.1f} h" if delays else "–"
    yield f"{sum(verdict.mails <= 1 for verdict in verdicts) / len(verdicts):.0%}"
    yield str(sum(verdict.strays for verdict in verdicts))


if __name__ == "__main__":
    main()
