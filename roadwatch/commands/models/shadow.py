"""`roadwatch models compare` and `explain`: champion against challenger, and what decided in a picture."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from models.comparison import MARGIN, MOST_LABELS, Rule
from roadwatch.context import AsJson, console, errors, print_json, settings_of
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from rich.console import RenderableType
    from rich.table import Table

    from models.comparison import Counts
    from roadwatch.comparing import Asked, Standing
    from roadwatch.explaining import Explained
    from runtime.settings import Settings


MILLION = 1e6


def compare(
    context: typer.Context,
    champion: Annotated[str | None, typer.Option(help="A version; the registry's champion if not given.")] = None,
    challenger: Annotated[str | None, typer.Option(help="A version; the registry's challenger if not given.")] = None,
    since: Annotated[
        str, typer.Option(help="Leave out pictures taken before: 2026-11-23T08:00Z; UTC where no zone is given.")
    ] = "",
    margin: Annotated[
        float, typer.Option(help="The difference in accuracy worth a change; 0.01 is one point.")
    ] = MARGIN,
    most_labels: Annotated[int, typer.Option(help="Labelled vehicles after which the champion is kept.")] = MOST_LABELS,
    follow: Annotated[bool, typer.Option("--follow", help="Go on until it is decided, or Ctrl-C.")] = False,
    as_json: AsJson = False,
) -> None:
    """Say whether the challenger should be promoted, from both models' predictions and the labels of the same vehicles.

    It may be asked after every label: that does not raise the chance of promoting a model that is no better, which is
    at most 1 %. The answer is promote, keep, or not yet.
    """
    from roadwatch.comparing import asked_of

    settings = settings_of(context)
    rule = _rule(margin, most_labels)
    asked = asked_of(settings, champion, challenger, rule, _time(since) if since else None)
    standing = _followed(settings, asked, quiet=as_json) if follow else _compared(settings, asked)
    if as_json:
        print_json(standing.plain())
    elif not follow:
        console.print(view(standing))


def explain(
    context: typer.Context,
    picture: Annotated[
        str, typer.Argument(help="A JPEG file, or a frame's id, camera:epoch:sequence.", show_default=False)
    ],
    bundle: Annotated[Path | None, typer.Option(help="Explain with the model in this folder.")] = None,
    version: Annotated[
        str | None, typer.Option(help="Explain with this version, 'champion', 'challenger' or 'bundled'.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Write the PNG here; beside you, named after the picture.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what in a picture decided: its parts are hidden one after the other, and the model is asked again.

    A frame is explained with the model that classified it, if that is registered; else with the champion.
    """
    from roadwatch.explaining import explained, model_for, picture_of

    if bundle and version:
        raise ConfigurationError("--version", [f"{version} and the bundle in {bundle}: name one of them"])
    settings = settings_of(context)
    with _searching() as progress:
        found = picture_of(settings, picture, progress)
    told = explained(settings, found, model_for(settings, found, bundle, version))
    path = out or Path(f"{_file_name(found.name)}.explained.png")
    told.save(path)
    if as_json:
        print_json(_plain(told, path))
    else:
        _tell(told, path)


def _rule(margin: float, most_labels: int) -> Rule:
    try:
        return Rule(margin=margin, most_labels=most_labels)
    except ValueError as error:
        raise ConfigurationError("--margin, --most-labels", [str(error)]) from error


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError("--since", [f"{text!r} is no time such as 2026-11-23T08:00Z"]) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _compared(settings: "Settings", asked: "Asked") -> "Standing":
    from roadwatch.comparing import compared

    with _searching() as progress:
        return compared(settings.kafka, asked, progress)


def _followed(settings: "Settings", asked: "Asked", *, quiet: bool) -> "Standing":
    """Draw each standing in the place of the one before, until it is decided or Ctrl-C; return the last one."""
    from rich.live import Live

    from roadwatch.comparing import followed
    from runtime.service import stopping

    with stopping() as stop:
        with _searching() as progress:
            standings = followed(settings.kafka, asked, stop, progress)
            standing = next(standings)
        with Live(view(standing), console=errors if quiet else console, auto_refresh=False) as live:
            while standing.evidence.decision is None and (after := next(standings, None)):
                standing = after
                live.update(view(standing), refresh=True)
    return standing


@contextmanager
def _searching() -> Iterator[Callable[[str, int], None]]:
    """A line on a terminal that says what is read."""
    with errors.status("Asking the cluster") as status:
        yield lambda topic, number: status.update(f"Reading {topic}: {number} records")


def view(standing: "Standing") -> "RenderableType":
    """A comparison drawn for a terminal."""
    from rich.console import Group
    from rich.text import Text

    style = {"promote": "bold green", "keep": "bold", "not yet": "bold yellow"}[standing.evidence.answer]
    warnings = [Text(f"warning: {warning}", "yellow") for warning in standing.evidence.warnings]
    left_out = [Text(f"left out: {number} {reason}", "dim") for reason, number in sorted(standing.left_out.items())]
    last = [Text(standing.sentence, style), *(Text(f"Next: {line}") for line in _next(standing))]
    return Group(_vehicles(standing), _evidence(standing), *warnings, *left_out, *last)


def _next(standing: "Standing") -> Iterator[str]:
    if standing.evidence.answer == "promote":
        yield f"roadwatch models promote {standing.asked.challenger}"
    if standing.evidence.answer == "keep":
        yield "roadwatch models withdraw"


def _vehicles(standing: "Standing") -> "Table":
    """Who was right on which vehicles."""
    from rich import box
    from rich.table import Table

    asked, found = standing.asked, standing.evidence
    title = f"{asked.challenger}, challenger, beside {asked.champion}, champion"
    table = Table(title=title, box=box.SIMPLE_HEAD, title_justify="left")
    table.add_column("vehicles", overflow="fold")
    for name in ("labels", "both\nright", "champion\nalone", "challenger\nalone", "neither", "points"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_row("all", *_cells(found.counts), style="bold")
    for part in found.slices:
        table.add_row(f"{part.kind} {part.name}", *_cells(part.counts), style="yellow" if part.worse else "")
    return table


def _cells(counts: "Counts") -> Iterator[str]:
    numbers = (counts.labels, counts.both, counts.champion, counts.challenger, counts.neither)
    yield from map(str, numbers)
    yield f"{counts.difference * 100:+.1f}"


def _evidence(standing: "Standing") -> "Table":
    """What decides, beside what it takes."""
    from rich.table import Table

    from roadwatch.comparing import points

    found, rule, counts = standing.evidence, standing.asked.rule, standing.evidence.counts
    enough = f"{1 / rule.alpha:.0f} decides"
    table = Table.grid(padding=(0, 2))
    if counts.labels:
        champion, challenger = counts.both + counts.champion, counts.both + counts.challenger
        table.add_row("accuracy, champion", f"{champion / counts.labels:.3f}")
        table.add_row("accuracy, challenger", f"{challenger / counts.labels:.3f}")
    ends = f"{found.low * 100:+.1f} to {found.high * 100:+.1f} points"
    table.add_row("difference", ends, f"at all times, but for {2 * rule.alpha:.0%}".replace("%", " %"))
    table.add_row("e-value: it is better", _e_value(found.e_better), enough)
    table.add_row(f"e-value: not by {points(rule.margin)}", _e_value(found.e_not_better), enough)
    if found.decision is None and found.labels_wanted is not None:
        outlook = f"about {found.labels_wanted}, {rule.most_labels} in all at most"
        table.add_row("labels still wanted", outlook, f"at this rate: {found.heading_for}")
    return table


def _e_value(value: float) -> str:
    if value > MILLION:
        return "over a million"
    return f"{value:.2g}" if value < 1 else f"{value:,.1f}"


def _file_name(name: str) -> str:
    """A frame's id holds colons, and a camera's name may hold slashes."""
    return "".join(letter if letter.isalnum() or letter in "-._" else "_" for letter in name)


def _tell(told: "Explained", path: Path) -> None:
    found = told.explanation
    shares = ", ".join(f"{label} {share:.3f}" for label, share in sorted(found.probabilities.items()))
    verdict = f"no label, most like {found.maps[0].label}" if found.abstained else found.maps[0].label
    console.print(f"{told.name}: [bold]{verdict}[/] ({shares})", highlight=False)
    console.print(f"{told.version}: {told.why}", highlight=False, markup=False)
    console.print(
        f"Hiding a quarter of each side changes that at {found.overturned:.0%} of {found.classified - 1} places;"
        f" the map is in {path}.",
        highlight=False,
        markup=False,
    )


def _plain(told: "Explained", path: Path) -> dict[str, object]:
    found = told.explanation
    return {
        "name": told.name,
        "version": told.version,
        "why": told.why,
        "label": None if found.abstained else found.maps[0].label,
        "most_probable": found.maps[0].label,
        "abstained": found.abstained,
        "probabilities": found.probabilities,
        "overturned": found.overturned,
        "classified": found.classified,
        "picture": str(path),
    }


COMMANDS: dict[str, Callable[..., None]] = {"compare": compare, "explain": explain}
