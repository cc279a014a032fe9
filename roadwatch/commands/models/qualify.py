"""`roadwatch models qualify` and `report`: a candidate tested as an application, and two versions side by side."""

import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from roadwatch.context import AsJson, console, errors, quiet_settings_of
from roadwatch.progress import counted, downloads
from schemas.errors import ConfigurationError

if TYPE_CHECKING:
    from models.qualification.checks import Check, PartJudgement
    from models.qualification.figures import Part
    from models.training.data import LabelledPicture
    from roadwatch.qualification.session import Outcome
    from runtime.settings import KafkaSettings, Settings

SIMULATOR = "simulator"
SIMULATED, SIMULATED_QUICK = 500, 200
"Held-out simulated pictures; drawing forty takes a second."
FOLDER = Path("roadwatch-data/qualification")

COLOURS = {"met": "green", "missed": "bold red", "not judged": "dim"}

Version = Annotated[
    str, typer.Argument(metavar="VERSION", help="A registered version or alias, a bundle's folder, or 'bundled'.")
]


def qualify(  # noqa: PLR0913, PLR0917  # each option is an argument
    context: typer.Context,
    version: Version,
    data: Annotated[
        str,
        typer.Option(help="Held-out pictures: a zip with labels.csv, a folder with a subfolder a class, 'simulator'."),
    ] = SIMULATOR,
    thresholds: Annotated[
        Path | None, typer.Option(help="The table to judge by, TOML; the one that ships if not given.")
    ] = None,
    against: Annotated[
        str | None, typer.Option(help="What to compare with, or 'none'; the registry's champion if not given.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option(help=f"The folder for page and JSON; {FOLDER}/VERSION if not given.")
    ] = None,
    part: Annotated[
        list[str] | None, typer.Option(help="Measure and judge only this part, and record nothing; repeatable.")
    ] = None,
    broker: Annotated[
        str | None, typer.Option(help="Test on the Kafka at HOST:PORT, with topics of its own; not on a local one.")
    ] = None,
    load: Annotated[float, typer.Option(min=1, help="Frames a second while latency is measured.")] = 40.0,
    seconds: Annotated[float, typer.Option(min=1, help="How long that load lasts.")] = 15.0,
    corrupted: Annotated[int, typer.Option(min=2, help="Pictures that are corrupted in every way.")] = 120,
    quick: Annotated[
        bool, typer.Option("--quick", help="All six parts in under a minute, on less of everything.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Test a candidate as an application: a real Kafka, a real processor, held-out pictures.

    Six parts are measured and judged: accuracy, errors, consistency, latency, robustness, scalability. A page and a
    JSON document say whether the candidate is approved, and what to improve where it is not; the verdict is recorded
    where the version is registered. Exit code 0: approved; 1: refused. Some minutes on two cores.
    """
    from models.registry.opening import open_registry
    from roadwatch.qualification.bench import QUICK, Sizes
    from roadwatch.qualification.session import Request, carry_out

    settings = logging_settings_of(context)
    request = Request(
        candidate=version,
        against=against,
        data=Path(data).name,
        pictures=lambda: _pictures(data, SIMULATED_QUICK if quick else SIMULATED),
        thresholds=thresholds,
        parts=_parts(part),
        sizes=QUICK if quick else Sizes(load=load, load_s=seconds, corrupted=corrupted),
        kafka=kafka_of(settings, broker),
        out=out,
        outputs=FOLDER,
    )
    errors.print("Reading the pictures, starting Apache Kafka …", highlight=False)
    with downloads("Apache Kafka") as fetching, counted() as progress:
        outcome = carry_out(request, open_registry(settings.models), progress, fetching)
    _conclude(outcome, settings, as_json=as_json)
    raise typer.Exit(0 if outcome.approved else 1)


def report(
    context: typer.Context,
    versions: Annotated[list[str], typer.Argument(metavar="VERSION...", help="Registered versions, two or more.")],
    out: Annotated[Path, typer.Option(help="The page.")] = Path("comparison.html"),
    as_json: AsJson = False,
) -> None:
    """Put the newest qualifications of registered versions side by side on a page."""
    from models.qualification.page import comparison_page
    from models.qualification.report import comparison_json
    from models.registry.history import resolve
    from models.registry.opening import open_registry
    from roadwatch.qualification.outcome import newest_report, require_writable

    if len(versions) < 2:
        raise ConfigurationError("VERSION...", [f"{', '.join(versions)} alone: a comparison is of two or more"])
    registry = open_registry(logging_settings_of(context).models)
    state = registry.state()
    reports = [newest_report(registry, resolve(state, version)) for version in versions]
    require_writable(out.parent)
    out.write_text(comparison_page(reports), encoding="utf-8")
    if as_json:
        _print_document(comparison_json(reports))
    else:
        console.print(f"{out} compares {' and '.join(judgement.version for judgement, _ in reports)}.", highlight=False)


def logging_settings_of(context: typer.Context) -> "Settings":
    """Settings; where bars are drawn only warnings are logged, and elsewhere each part, to stderr."""
    return quiet_settings_of(context, "warning" if errors.is_terminal else "info")


def _parts(names: list[str] | None) -> tuple["Part", ...]:
    from models.qualification.figures import PARTS

    unknown = [name for name in names or () if name not in PARTS]
    if unknown:
        raise ConfigurationError("--part", [f"{name!r} is none of {', '.join(PARTS)}" for name in unknown])
    return tuple(part for part in PARTS if not names or part in names)


def kafka_of(settings: "Settings", broker: str | None) -> "KafkaSettings | None":
    """The cluster that is named to test on; None: a local one."""
    return settings.kafka.model_copy(update={"bootstrap_servers": broker}) if broker else None


def _pictures(data: str, simulated: int) -> "Iterable[LabelledPicture]":
    from models.training.data import read_pictures
    from roadwatch.commands.models.training import TEST_SEED, simulator_pictures

    return simulator_pictures(TEST_SEED, simulated) if data == SIMULATOR else read_pictures(Path(data))


def _conclude(outcome: "Outcome", settings: "Settings", *, as_json: bool) -> None:
    from models.qualification.report import to_json

    _announce(outcome, settings)
    if as_json:
        _print_document(to_json(outcome.judgement, outcome.measurements))
        return
    for part in outcome.parts:
        console.print(_table(part))
        for fault in part.faults:
            console.print(f"[bold red]fault:[/] {escape(fault.what)}", highlight=False)
    _print_verdict(outcome)


def _print_verdict(outcome: "Outcome") -> None:
    from roadwatch.qualification.outcome import PAGE

    judgement = outcome.judgement
    verdict = "[bold green]approved[/]" if outcome.approved else "[bold red]refused[/]"
    whole = len(outcome.parts) == len(judgement.parts)
    alone = "" if whole else f" for {', '.join(part.part for part in outcome.parts)} alone"
    console.print(f"\n{judgement.version} is {verdict}{alone}.", highlight=False)
    for sentence in judgement.advice:
        console.print(f"  - {escape(sentence)}", highlight=False)
    recorded = f"entry {outcome.entry.number} of the registry's history" if outcome.entry else "not in the registry"
    console.print(f"{outcome.folder / PAGE}; {recorded}.", highlight=False)


def _table(part: "PartJudgement") -> Table:
    verdict = "[green]approved[/]" if part.approved else "[bold red]refused[/]"
    table = Table(title=f"{part.part}: {verdict}", title_justify="left")
    for name in ("figure", "wanted", "seen", "n", "answer"):
        table.add_column(name, justify="right" if name in ("seen", "n") else "left", overflow="fold")
    for check in part.checks:
        table.add_row(*_row(check))
    return table


def _row(check: "Check") -> tuple[str, ...]:
    colour = COLOURS[check.answer]
    why = f" ({escape(check.why)})" if check.why else ""
    seen = "" if check.seen is None else f"{check.seen:.4g}"
    n = "" if check.n is None else str(check.n)
    return check.figure, escape(check.wanted), seen, n, f"[{colour}]{check.answer}[/]{why}"


def _announce(outcome: "Outcome", settings: "Settings") -> None:
    """Tell processors and whoever else follows the models topic; a broker that is away is no fault of the candidate."""
    if outcome.entry is None:
        return
    from roadwatch.announcing import announce

    announce(settings, outcome.entry)


def _print_document(document: bytes) -> None:
    sys.stdout.write(document.decode() + "\n")


COMMANDS: dict[str, Callable[..., None]] = {"qualify": qualify, "report": report}
