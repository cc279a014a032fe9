"""`roadwatch models retrain`: from labels to a challenger in shadow, or to a bundle."""

import re
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer
from rich.markup import escape
from rich.table import Table

from roadwatch.commands.models.exchange import ByHand, Reason, Register, Test, retrain_by_hand
from roadwatch.commands.models.qualify import kafka_of, logging_settings_of
from roadwatch.context import AsJson, console, print_json, service
from roadwatch.progress import counted
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from models.retraining.forgetting import SliceChange
    from roadwatch.retraining.request import Labels, Retrained, Whole
    from runtime.settings import Settings

CHAMPION: Final = "champion"
REPLAY: Final = 600
SHADOW_SHARE: Final = 0.25
OF_PICTURES: Final = ("register", "test", "reason")
"Options of a retraining on pictures that are given."
OF_ARCHIVE: Final = (
    "since",
    "replay",
    "whole",
    "no_qualify",
    "quick",
    "thresholds",
    "broker",
    "shadow_share",
    "every",
    "on_alert",
)
"Options of one on the archive's labels."
SPAN: Final = re.compile(r"([0-9]{1,4})([mhd])")
UNITS: Final = {"m": "minutes", "h": "hours", "d": "days"}
MOST_NAMED: Final = 20
"Examples that are left out, named on a terminal; JSON names all."
UNTRIED: Final = (
    "No old vehicle was there that neither was taught: whether something is forgotten was not tried; give old pictures"
    " with --base."
)
MOST_SLICES: Final = 12
"Old slices shown where nothing was forgotten."

Data = Annotated[
    Path | None,
    typer.Argument(
        help="Pictures instead of the archive's labels: a zip with labels.csv, or a folder with a subfolder a class.",
        show_default=False,
    ),
]


def retrain(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    data: Data = None,
    parent: Annotated[
        str, typer.Option("--parent", "--from", help="The model to start from: a version, an alias, or 'bundled'.")
    ] = CHAMPION,
    since: Annotated[
        str, typer.Option(help="A day: labels of it and later are new. 'champion': those that it was not taught.")
    ] = CHAMPION,
    base: Annotated[
        list[Path] | None,
        typer.Option(
            help="Old pictures that it shall not unlearn: a zip, a folder, or one with train.zip and test.zip."
        ),
    ] = None,
    replay: Annotated[int, typer.Option(min=0, help="Old vehicles to mix in, at most.")] = REPLAY,
    whole: Annotated[
        bool, typer.Option("--whole", help="Tune the whole network anew, not its head alone; needs roadwatch[train].")
    ] = False,
    no_qualify: Annotated[bool, typer.Option("--no-qualify", help="Only register it; test it later.")] = False,
    quick: Annotated[bool, typer.Option("--quick", help="Test it in under a minute, on less of everything.")] = False,
    thresholds: Annotated[
        Path | None, typer.Option(help="The table to judge it by, TOML; the one that ships if not given.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option(help="Test it on the Kafka at HOST:PORT, with topics of its own; not on a local one.")
    ] = None,
    shadow_share: Annotated[
        float, typer.Option(min=0, max=1, help="Of live traffic, for the approved challenger; 0 for no shadow.")
    ] = SHADOW_SHARE,
    out: Annotated[Path | None, typer.Option(help="A new folder for the bundle.")] = None,
    force: Annotated[
        bool, typer.Option("--force", help="Go on even where vehicles held out are told worse, or old ones are.")
    ] = False,
    register: Register = False,
    test: Test = None,
    reason: Reason = "",
    every: Annotated[
        str | None, typer.Option(help="Go on as a service: now and after each such span, such as 1d.")
    ] = None,
    on_alert: Annotated[
        bool, typer.Option("--on-alert", help="Go on as a service: while an alert about accuracy is open.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Fit a new head to the labels since the champion, test it, and start it in shadow.

    Labels come from the ledger, pictures from the archive, old ones are mixed in. Vehicles of the same time and camera
    are never on both sides of a split, over all retrainings that a version comes from. What is worse on vehicles held
    out, or has forgotten old ones, is not registered; the rest is, then qualified, and challenger if approved. It never becomes champion by this. Killed and run again, it
    goes on where it was. Exit code 0: it went as far as it could; 1: it was refused. Needs roadwatch[retrain], no
    training framework. With --whole the last blocks and the head are tuned anew, as 'models train' does, on all of --base,
    old and new vehicles and simulated pictures; at least ten vehicles have to be held out. With DATA, --out or --register: a head on those pictures alone, and nothing else. As a service
    it leaves a challenger in peace, waits for twenty labels more each time, and stops at SIGTERM or Ctrl-C.
    """
    _refuse_others(context, OF_ARCHIVE if data else OF_PICTURES, data)
    if data is not None:
        asked = ByHand(data, parent, tuple(base or ()), out, register, test, force, reason)
        retrain_by_hand(context, asked, as_json)
        return
    settings = logging_settings_of(context)
    told: dict[str, Any] = {
        "parent": parent,
        "since": _day(since),
        "base": tuple(base or ()),
        "replay": replay,
        "whole": _whole(whole),
        "qualify": not no_qualify,
        "quick": quick,
        "thresholds": thresholds,
        "kafka": kafka_of(settings, broker),
        "shadow_share": shadow_share or None,
        "force": force,
    }
    if every is not None or on_alert:
        _follow(context, told, None if every is None else _span(every), on_alert=on_alert, as_json=as_json)
        return
    found = _carried_out(settings, told)
    written = _written(settings, found, out)
    _report(found, written, as_json=as_json)
    raise typer.Exit(1 if found.refusals else 0)


def _whole(is_asked_for: bool) -> "Whole | None":
    """Return how it is tuned; raises ConfigurationError, before anything is read, where what it needs is missing."""
    if not is_asked_for:
        return None
    from roadwatch.training import require_installed

    require_installed()
    from roadwatch.retraining.request import Whole

    return Whole()


def _carried_out(settings: "Settings", told: dict[str, Any]) -> "Retrained":
    try:
        from roadwatch.retraining.request import RetrainRequest
        from roadwatch.retraining.session import retrained
    except ModuleNotFoundError as error:
        raise ConfigurationError("models", [f"{error.name} is missing; pip install 'roadwatch[retrain]'"]) from error
    with counted() as progress:
        return retrained(settings, RetrainRequest(**told), progress)


def _follow(
    context: typer.Context, told: dict[str, Any], every: timedelta | None, *, on_alert: bool, as_json: bool
) -> None:
    """Retrain whenever it is time, until told to stop; a qualification under way is given up at once."""
    from roadwatch.retraining.following import Pace, followed
    from roadwatch.retraining.request import RetrainRequest

    pace = Pace(every, on_alert)
    with service(context) as (settings, stop), counted() as progress, suppress(KeyboardInterrupt):
        for found in followed(settings, RetrainRequest(**told), pace, stop, progress):
            _report(found, None, as_json=as_json)


def _report(found: "Retrained", written: Path | None, *, as_json: bool) -> None:
    if as_json:
        print_json(_plain(found, written))
    else:
        _say(found, written)


def _span(text: str) -> timedelta:
    found = SPAN.fullmatch(text)
    if not found or int(found[1]) == 0:
        raise ConfigurationError("--every", [f"{text!r} is no span such as 12h or 7d"])
    return timedelta(**{UNITS[found[2]]: int(found[1])})


def _refuse_others(context: typer.Context, names: tuple[str, ...], data: Path | None) -> None:
    """Raise ConfigurationError for options that mean nothing here."""
    sources = {name: context.get_parameter_source(name) for name in names}
    given = [name for name, source in sources.items() if source is not None and source.name == "COMMANDLINE"]
    if given:
        where = f"of {data}, which is trained on alone" if data else "of the archive's labels; it is for pictures, DATA"
        raise ConfigurationError(
            "models retrain", [f"--{name.replace('_', '-')} means nothing for a retraining {where}" for name in given]
        )


def _day(text: str) -> str:
    if text == CHAMPION:
        return text
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        raise ConfigurationError("--since", [f"{text!r} is no day such as 2026-11-23, nor 'champion'"]) from error


def _written(settings: "Settings", found: "Retrained", out: Path | None) -> Path | None:
    """Write the registered bundle into a folder too, where one is asked for and it is not there yet."""
    if out is None or not found.registered:
        return None
    from models.bundle import read_manifest, save_bundle
    from models.registry.opening import open_registry

    if not (out.is_dir() and read_manifest(out).version == found.version):
        save_bundle(open_registry(settings.models).load(found.version), out)
    return out


def _plain(found: "Retrained", written: Path | None) -> dict[str, Any]:
    return {
        "version": found.version,
        "parent": found.parent,
        "labels": asdict(found.labels),
        "findings": asdict(found.findings),
        "trained": found.trained,
        "registered": found.registered,
        "approved": found.approved,
        "shadow": found.shadow,
        "replaced": found.replaced,
        "not_started": found.not_started,
        "old_vehicles_tried": _old_tried(found),
        "refusals": found.refusals,
        "bundle": None if written is None else str(written),
    }


def _old_tried(found: "Retrained") -> int:
    """Count the old vehicles by which it would show that something was forgotten."""
    return found.findings.changes[0].change.n if found.findings.changes else 0


def _say(found: "Retrained", written: Path | None) -> None:
    for line in (*_labels(found.labels), *_gain(found)):
        console.print(line, highlight=False)
    if found.findings.changes:
        console.print(_changes_table(found.findings.changes))
    else:
        console.print(f"[yellow]{UNTRIED}[/]", highlight=False)
    for line in (*_since_oldest(found), *_outcome(found), *((f"The bundle is in {written}.",) if written else ())):
        console.print(line, highlight=False)


def _labels(labels: "Labels") -> Iterator[str]:
    told = ", ".join(f"{count} {label}" for label, count in labels.vehicles.items())
    days = labels.days[0] if len(labels.days) == 1 else f"{labels.days[0]} to {labels.days[-1]}"
    yield f"Labelled vehicles: {told}, of {escape(', '.join(labels.cameras))}, {days}; {labels.held_out} held out for good."
    if labels.replayed:
        yield f"Mixed in, so that they are not unlearnt: {_replayed(labels)}."
    for reason, names in labels.left_out.items():
        shown = ", ".join(names[:MOST_NAMED]) + (
            f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
        )
        yield f"[yellow]Left out[/], {reason}: {len(names)}: {escape(shown)}."


def _replayed(labels: "Labels") -> str:
    words = {"archive": "old vehicles of the archive", "base": "pictures of --base", "simulated": "simulated pictures"}
    return ", ".join(f"{count} {words[name]}" for name, count in labels.replayed.items())


def _gain(found: "Retrained") -> Iterator[str]:
    from models.evaluation import wilson_interval

    told, gain = found.findings, found.findings.gain
    how = "for good" if told.held_out == gain.n else "in turn or for good"
    shares = [
        f"{share:.3f} ({low:.3f} to {high:.3f})"
        for share in (told.before, told.after)
        for low, high in [wilson_interval(round(share * gain.n), gain.n)]
    ]
    yield (
        f"On {gain.n} vehicles that were held out, {how}: {shares[0]} before, {shares[1]} after;"
        f" {gain.value * 100:+.1f} points ({gain.low * 100:+.1f} to {gain.high * 100:+.1f})."
    )


def _changes_table(changes: "tuple[SliceChange, ...]") -> Table:
    title = "Old vehicles that neither was taught: lost, those on which the parent alone is right"
    table = Table(title=title, title_justify="left")
    for name in ("slice", "vehicles", "lost", "won", "points", "interval", ""):
        table.add_column(name, justify="left" if name in ("slice", "") else "right")
    worst = sorted(changes[1:], key=lambda change: (not change.forgotten, change.change.value))
    for change in (changes[0], *worst[:MOST_SLICES]):
        found = change.change
        interval = f"{found.low * 100:+.1f} to {found.high * 100:+.1f}"
        verdict = "[bold red]forgotten[/]" if change.forgotten else "[green]kept[/]"
        name = escape(" ".join(change.slice).strip())
        numbers = map(str, (found.n, found.first_alone, found.second_alone))
        table.add_row(name, *numbers, f"{found.value * 100:+.1f}", interval, verdict)
    return table


def _since_oldest(found: "Retrained") -> Iterator[str]:
    if not found.findings.since_oldest:
        return
    change = found.findings.since_oldest[0]
    lost = sum(each.forgotten for each in found.findings.since_oldest)
    told = f"[bold red]{lost} slices forgotten step by step[/]" if lost else "no slice forgotten step by step"
    yield f"Beside {change.before}, the oldest that it comes from: {change.change.value * 100:+.1f} points, {told}."


def _outcome(found: "Retrained") -> Iterator[str]:
    again = "" if found.trained else " It was trained before, and gone on with."
    if not found.registered:
        yield f"[bold red]Not registered[/]: {escape(found.version)}.{again}"
        yield from (f"  - {escape(reason)}" for reason in found.refusals)
        yield "Label more, mix old pictures in with --base, or go past this with --force."
        return
    yield f"{found.version} is registered, made from {found.parent}.{again}"
    yield from _verdict(found)
    if found.not_started is not None:
        yield f"It is not started in shadow: {escape(found.not_started)}"
    if found.shadow is not None:
        place = f", in the place of {found.replaced}" if found.replaced else ""
        yield f"It is challenger{place}, with {found.shadow:.0%} of live traffic; next: roadwatch models compare --follow"


def _verdict(found: "Retrained") -> Iterator[str]:
    from roadwatch.qualification.outcome import PAGE

    if found.approved is None:
        yield f"It was not tested; next: roadwatch models qualify {found.version}"
        return
    yield f"Application testing: {'[bold green]approved[/]' if found.approved else '[bold red]refused[/]'}."
    if found.qualification is not None:
        yield from (f"  - {escape(sentence)}" for sentence in found.qualification.judgement.advice)
        yield f"{found.qualification.folder / PAGE}"


COMMANDS: dict[str, Callable[..., None]] = {"retrain": retrain}
