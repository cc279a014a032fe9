"""`make bench`: a table of ratios; also as JSON in the file named first."""

import json
import os
from argparse import ArgumentParser
from dataclasses import asdict
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks.cases import comparisons
from benchmarks.measure import Comparison
from runtime.broker import LocalBroker
from runtime.settings import KafkaSettings


def main() -> None:
    """Measure and print."""
    parser = ArgumentParser("python -m benchmarks", None, __doc__)
    parser.add_argument("json", nargs="?", type=Path, help="a file for the same as JSON")
    given = parser.parse_args()
    with LocalBroker(None, environment=os.environ) as broker:
        found = list(comparisons(KafkaSettings(bootstrap_servers=broker.bootstrap_servers)))
    Console().print(_table(found))
    if given.json:
        lines = [{**asdict(comparison), "ratio": comparison.ratio} for comparison in found]
        given.json.write_text(json.dumps(lines, indent=2), encoding="utf-8")


def _table(found: list[Comparison]) -> Table:
    table = Table(title="CPU microseconds an item, medians of runs in turn")
    for name in ("what", "one", "the other", "ratio"):
        table.add_column(name, justify="left" if name == "what" else "right")
    for comparison in found:
        row = (f"{comparison.cost:.0f}", f"{comparison.beside:.0f}", f"{comparison.ratio:.2f}")
        table.add_row(comparison.name, *row)
    return table


if __name__ == "__main__":
    main()
