"""`roadwatch ledger`: what became of every frame."""

from dataclasses import asdict

import typer
from rich.table import Table

from roadwatch.context import AsJson, console, print_json, settings_of


def ledger(context: typer.Context, as_json: AsJson = False) -> None:
    """Prove that every frame ended in exactly one place: predicted, dead-lettered, or waiting; exit code 1 if not.

    Reads the frames, predictions and dead letters that are on the cluster now.
    """
    from roadwatch.ledger import read_ledger

    found = read_ledger(settings_of(context).kafka)
    if as_json:
        print_json({**asdict(found), "balanced": found.balanced})
    else:
        table = Table(title="Every frame")
        for name in ("frames", "predicted", "dead-lettered", "waiting", "ended twice", "expired"):
            table.add_column(name, justify="right")
        counts = (found.frames, found.predicted, found.dead_lettered, found.waiting, len(found.doubled), found.expired)
        table.add_row(*map(str, counts))
        console.print(table)
    raise typer.Exit(0 if found.balanced else 1)
