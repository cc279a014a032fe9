"""`roadwatch models import` and `export`: models from and to elsewhere; and a new head on pictures that are given."""

import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from roadwatch.context import AsJson, console, print_json, settings_of
from roadwatch.progress import counted
from schemas.errors import ConfigurationError, ModelError

if TYPE_CHECKING:
    from models.bundle import Bundle
    from models.evaluation import Evaluation
    from models.retraining.retrain import Retraining
    from models.training.data import LabelledPicture


Register = Annotated[bool, typer.Option("--register", help="Put it into the registry.")]
Reason = Annotated[str, typer.Option(help="Why it is registered; it stays in the history.")]
Test = Annotated[
    Path | None, typer.Option(help="Labelled pictures to measure it on: a zip with labels.csv, or a folder by class.")
]
Source = Annotated[
    str,
    typer.Argument(
        help="A registered version, the beginning of one, 'champion', 'challenger', 'bundled', or a bundle's folder.",
        show_default=False,
    ),
]


def import_model(
    context: typer.Context,
    source: Annotated[
        Path, typer.Argument(help="An ONNX file, a bundle's folder, or a model folder of MLflow's.", show_default=False)
    ],
    describe: Annotated[
        Path | None, typer.Option(help="Of a graph of others: a TOML file that says what it takes and gives.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="The new bundle's folder.")] = None,
    register: Register = False,
    test: Test = None,
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Take a model from elsewhere: read, checked, wrapped and tried in a process of its own, with limits.

    A bundle, and an MLflow folder that export wrote, come back as they are. Any other ONNX classifier needs --describe.
    """
    from models.bundle import load_bundle

    _require_target(out, register)
    with tempfile.TemporaryDirectory(prefix="roadwatch-import-") as scratch:
        draft = Path(scratch) / "bundle"
        _prepare(source, describe, draft)
        bundle = load_bundle(draft)
        if test is None:
            _copy(draft, out)
        else:
            _require_foreign(describe)
            bundle = _measured(bundle, test)
            _save(bundle, out)
    _finish(context, bundle, out, register, reason or f"imported from {source.name}", as_json, {})


def export_model(
    context: typer.Context,
    source: Source,
    out: Annotated[Path | None, typer.Option(help="A new folder for the bundle as it is.")] = None,
    mlflow: Annotated[Path | None, typer.Option(help="A new folder for a model of MLflow's, which holds it.")] = None,
    as_json: AsJson = False,
) -> None:
    """Give a model away: as a bundle's folder, or as a folder that MLflow loads and serves."""
    from models.bundle import write_folder

    if out is None and mlflow is None:
        raise ConfigurationError("export", ["say where to: --out FOLDER, --mlflow FOLDER, or both"])
    bundle, files = _files(context, source)
    if out is not None:
        write_folder(files, out)
    if mlflow is not None:
        write_folder({**_mlflow_files(bundle), **files}, mlflow)
    written = [str(folder) for folder in (out, mlflow) if folder is not None]
    if as_json:
        print_json({"version": bundle.version, "written": written})
    else:
        console.print(f"{bundle.version} is in {' and '.join(written)}.", highlight=False)


@dataclass(frozen=True, slots=True)
class ByHand:
    """A retraining on pictures that are given, without archive, tests or shadow."""

    data: Path
    "New labels."
    source: str
    "The model to start from, as for export."
    base: tuple[Path, ...]
    "Old pictures that it shall not unlearn."
    out: Path | None
    "The new bundle's folder."
    register: bool
    "Whether it is put into the registry."
    test: Path | None
    "Pictures to measure it on."
    force: bool
    "Whether it is written even where pictures held back were told worse than before."
    reason: str
    "Why it is registered."


def retrain_by_hand(context: typer.Context, asked: ByHand, as_json: bool) -> None:
    """Fit a new head to pictures, and write or register it."""
    _require_target(asked.out, asked.register)
    parent, _ = _files(context, asked.source)
    with counted() as progress:
        found = _retrained(parent, asked.data, asked.base, asked.test, progress)
    if not (found.gains or asked.force):
        raise ModelError(_worse(found))
    _save(found.bundle, asked.out)
    told = {"parent": parent.version, "before": asdict(found.before.overall), "after": asdict(found.after.overall)}
    if not as_json:
        console.print(_gain(parent.version, found), highlight=False)
    reason = asked.reason or f"retrained from {parent.version}"
    _finish(context, found.bundle, asked.out, asked.register, reason, as_json, told)


def _require_target(out: Path | None, register: bool) -> None:
    if out is None and not register:
        raise ConfigurationError("--out", ["say where to: --out FOLDER, --register, or both"])
    if out is not None and out.exists():
        raise ModelError(f"{out} exists: a bundle is never overwritten; choose another folder, or remove it")


def _require_foreign(describe: Path | None) -> None:
    if describe is None:
        raise ConfigurationError("--test", ["a bundle has its figures on its card: 'models evaluate' measures it"])


def _prepare(source: Path, describe: Path | None, draft: Path) -> None:
    from roadwatch.importing import Wanted, prepare

    said = None if describe is None else str(describe)
    today = datetime.now(UTC).date().isoformat()
    prepare(Wanted(str(source), said, str(draft), today, package_version("roadwatch")))


def _copy(draft: Path, out: Path | None) -> None:
    from models.bundle import write_folder
    from models.exchange.copies import read_files

    if out is not None:
        write_folder(read_files(draft), out)


def _save(bundle: "Bundle", out: Path | None) -> None:
    from models.bundle import bundle_files, write_folder

    if out is not None:
        write_folder(bundle_files(bundle), out)


def _measured(bundle: "Bundle", test: Path) -> "Bundle":
    """Return the bundle with its figures on its card."""
    from models.card import DataSource
    from models.evaluation import evaluate
    from models.exchange.foreign import UNMEASURED_LIMIT
    from models.training.data import counts
    from processors.classifier import Classifier

    pictures = _pictures(test)
    _require_known(bundle, pictures, test)
    with counted() as progress:
        progress("test", 0, len(pictures))
        evaluation = evaluate(Classifier.load(bundle).classify, pictures)
        progress("test", len(pictures), len(pictures))
    data = tuple(DataSource(name, "test", row) for name, row in counts(pictures).items())
    limits = tuple(limit for limit in bundle.card.limits if limit != UNMEASURED_LIMIT)
    return replace(bundle, card=replace(bundle.card, evaluation=evaluation, data=data, limits=limits))


def _pictures(path: Path) -> "list[LabelledPicture]":
    from models.training.data import read_pictures

    if not path.exists():
        raise ConfigurationError(str(path), ["no such file or folder"])
    return list(read_pictures(path))


def _require_known(bundle: "Bundle", pictures: "Sequence[LabelledPicture]", where: Path) -> None:
    from models.training.data import class_faults

    if faults := class_faults(bundle.labels, pictures):
        raise ConfigurationError(str(where), faults)


def _files(context: typer.Context, source: str) -> "tuple[Bundle, dict[str, bytes]]":
    """Return a bundle and its files: of a folder as they lie, of a registered version as they were registered."""
    from models.bundle import BUNDLED, SHIPPED, bundle_files, load_bundle
    from models.exchange.copies import read_files
    from models.registry.history import resolve
    from models.registry.opening import open_registry

    folder = SHIPPED.get(source) or Path(source)
    if folder.is_dir():
        return load_bundle(folder), read_files(folder)
    registry = open_registry(settings_of(context).models)
    state = registry.state()
    if source == "champion" and "champion" not in state.holders:
        return load_bundle(BUNDLED), read_files(BUNDLED)
    bundle = registry.load(resolve(state, source))
    return bundle, bundle_files(bundle)


def _mlflow_files(bundle: "Bundle") -> dict[str, bytes]:
    try:
        from models.exchange.mlflow import mlflow_files
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    return mlflow_files(bundle)


def _retrained(
    parent: "Bundle",
    data: Path,
    base: Sequence[Path],
    test: Path | None,
    progress: Callable[[str, int, int], None],
) -> "Retraining":
    try:
        from models.retraining.retrain import RetrainingSettings, retrain
    except ModuleNotFoundError as error:
        raise _missing(error) from error
    settings = RetrainingSettings(datetime.now(UTC).date(), package_version("roadwatch"))
    old = [picture for path in base for picture in _pictures(path)]
    tested = [] if test is None else _pictures(test)
    return retrain(parent, _pictures(data), settings, progress, replay=old, tested=tested)


def _missing(error: ModuleNotFoundError) -> ConfigurationError:
    return ConfigurationError("models", [f"{error.name} is missing; pip install 'roadwatch[retrain]'"])


def _worse(found: "Retraining") -> str:
    return (
        f"these labels bring nothing: pictures held back have a log loss of {found.log_loss_after:.3f} with a new head,"
        f" and {found.log_loss_before:.3f} with the old one ({found.before.overall.n} pictures, {_shares(found)});"
        " give more labels, or --force"
    )


def _gain(parent: str, found: "Retraining") -> str:
    return f"From {parent}, on {found.before.overall.n} new labels, held back in turn: {_shares(found)}."


def _shares(found: "Retraining") -> str:
    return f"accuracy {found.before.overall.accuracy:.3f} before, {found.after.overall.accuracy:.3f} after"


def _finish(
    context: typer.Context,
    bundle: "Bundle",
    out: Path | None,
    register: bool,
    reason: str,
    as_json: bool,
    told: Mapping[str, object],
) -> None:
    """Register where asked to, and say what is where."""
    number = _registered(context, bundle, reason) if register else None
    place = None if out is None else str(out)
    if as_json:
        print_json({"version": bundle.version, "bundle": place, "entry": number, **told})
        return
    console.print(f"{bundle.version}: {', '.join(bundle.labels)}. {_figures(bundle.card.evaluation)}", highlight=False)
    if place:
        console.print(f"It is in {place}.", highlight=False)
    if register:
        console.print(f"It is registered; next: roadwatch models qualify {bundle.version}", highlight=False)


def _registered(context: typer.Context, bundle: "Bundle", reason: str) -> int:
    from models.registry.opening import open_registry
    from roadwatch.announcing import announce, whoami
    from runtime.service import configure_logs

    settings = settings_of(context)
    configure_logs(settings.service)
    entry = open_registry(settings.models).register(bundle, at=datetime.now(UTC), by=whoami(), reason=reason)
    announce(settings, entry)
    return entry.number


def _figures(evaluation: "Evaluation") -> str:
    score = evaluation.overall
    if not score.n:
        return "Nobody has measured it: give --test, or qualify it."
    return f"Accuracy {score.accuracy:.3f} ({score.low:.3f} to {score.high:.3f}) on {score.n} pictures."


COMMANDS: dict[str, Callable[..., None]] = {"import": import_model, "export": export_model}
