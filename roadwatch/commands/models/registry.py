"""`roadwatch models list`, `show`, `register`, `promote`, `rollback`, `withdraw`, `history` and `diff`."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from roadwatch.context import AsJson, console, print_json, settings_of
from runtime.settings import Settings
from schemas.errors import ConfigurationError, ModelRegistryError

if TYPE_CHECKING:
    from models.bundle import About
    from models.registry.history import Entry, State, Step
    from models.registry.store import Registry

Alias = Literal["champion", "challenger"]

Version = Annotated[
    str,
    typer.Argument(help="A version, the beginning of one, 'champion' or 'challenger'.", show_default=False),
]
Shown = Annotated[
    str,
    typer.Argument(help="A version, the beginning of one, 'champion', 'challenger', 'bundled' or 'fast'."),
]
Reason = Annotated[str, typer.Option(help="Why; it stays in the history.")]

CHALLENGER_SHARE = 0.25
"Of live traffic: enough for thousands of paired labels a week, at a quarter of the cost."


def register(
    context: typer.Context,
    folder: Annotated[Path, typer.Argument(help="A bundle's folder, 'bundled' or 'fast'.", show_default=False)],
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Put a bundle into the registry, after it was read whole, tried on made pictures, and found to answer."""
    from models.bundle import load_bundle
    from processors.classifier import Classifier

    bundle = load_bundle(_folder(folder))
    Classifier.load(bundle)
    settings, registry = _open(context)
    entry = registry.register(bundle, at=datetime.now(UTC), by=_by(), reason=reason)
    _tell(settings, entry, as_json)


def list_versions(context: typer.Context, as_json: AsJson = False) -> None:
    """List the registered versions: how each was qualified, and who is champion and challenger."""
    from roadwatch.registry_views import version_rows, versions_table

    _, registry = _open(context)
    rows = version_rows(registry.state())
    if as_json:
        print_json(rows)
    elif rows:
        console.print(versions_table(rows, registry.address))
    else:
        console.print(f"Nothing is registered in {registry.address}: the model that ships serves, {_shipped()}.")


def show(context: typer.Context, version: Shown = "champion", as_json: AsJson = False) -> None:
    """Show a version's card, what became of it, and its lines of the history."""
    from rich.markdown import Markdown

    from models.bundle import SHIPPED
    from roadwatch.registry_views import as_plain, history_table, state_lines

    _, registry = _open(context)
    name = _meant(registry.state(), version)
    entries = [entry for entry in registry.history() if entry.step.version == name]
    about = _about(registry, name)
    if as_json:
        print_json({"card": as_plain(about.card), "history": [as_plain(entry) for entry in entries]})
        return
    console.print(Markdown(about.card.to_markdown()))
    if name in SHIPPED:
        console.print("It comes with the distribution.")
        return
    console.print(*state_lines(registry.state(), name), sep="\n")
    console.print(history_table(registry.history(), name))


def promote(
    context: typer.Context,
    version: Version,
    to: Annotated[Alias, typer.Option(help="What it becomes.")] = "champion",
    share: Annotated[
        float | None,
        typer.Option(help=f"Of a challenger: the share of live traffic it sees; {CHALLENGER_SHARE} if not given."),
    ] = None,
    reason: Reason = "",
    unqualified: Annotated[
        bool, typer.Option("--unqualified", help="Promote it though it is not approved; needs --reason.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make a version champion, which serves, or challenger, which is run beside it in shadow.

    Given again, nothing is recorded a second time, and all are told once more: the first may have been killed before.
    """
    from models.registry.history import Step, promotion, resolve

    settings, registry = _open(context)
    state = registry.state()
    name = resolve(state, version)
    seen = CHALLENGER_SHARE if share is None and to == "challenger" else share
    step = Step("promoted", name, datetime.now(UTC), _by(), reason, to, seen)
    _require_approval(state, step, unqualified=unqualified)
    registry.load(name)
    _tell(settings, promotion(registry.history(), step) or registry.record(step), as_json)


def rollback(
    context: typer.Context,
    alias: Annotated[Alias, typer.Option(help="What goes back.")] = "champion",
    reason: Reason = "",
    as_json: AsJson = False,
) -> None:
    """Give champion back to the version that had it before, or to the model that ships; once more goes further back."""
    settings, registry = _open(context)
    _tell(settings, registry.rollback(alias, at=datetime.now(UTC), by=_by(), reason=reason), as_json)


def withdraw(context: typer.Context, reason: Reason = "", as_json: AsJson = False) -> None:
    """End the challenger's time in shadow: nobody is challenger afterwards."""
    from models.registry.history import Step, resolve

    settings, registry = _open(context)
    name = resolve(registry.state(), "challenger")
    step = Step("withdrawn", name, datetime.now(UTC), _by(), reason, "challenger")
    _tell(settings, registry.record(step), as_json)


def history(
    context: typer.Context,
    version: Annotated[str, typer.Argument(help="Only this version's lines; all if not given.")] = "",
    at: Annotated[
        str, typer.Option(help="Up to this time, and the state then: 2026-11-23T08:00Z; UTC where no zone is given.")
    ] = "",
    as_json: AsJson = False,
) -> None:
    """Say who registered, qualified, promoted and rolled back what, when and why."""
    from models.registry.history import fold, resolve, until
    from roadwatch.registry_views import as_plain, history_table, overview, version_rows

    _, registry = _open(context)
    entries = until(registry.history(), _time(at)) if at else list(registry.history())
    state = fold(entries)
    name = resolve(state, version) if version else None
    if as_json:
        lines = [as_plain(entry) for entry in entries if name in (None, entry.step.version)]
        print_json({"entries": lines, "versions": version_rows(state)})
        return
    console.print(history_table(entries, name))
    console.print(overview(state, _time(at) if at else None))


def diff(context: typer.Context, a: Shown, b: Shown, as_json: AsJson = False) -> None:
    """Show two versions side by side: figures with their intervals, labels, preprocessing, size, lineage."""
    from models.registry.difference import difference
    from roadwatch.registry_views import as_plain, difference_table

    _, registry = _open(context)
    state = registry.state()
    left, right = (_about(registry, _meant(state, name)) for name in (a, b))
    lines = difference(left, right)
    versions = left.manifest.version, right.manifest.version
    if as_json:
        print_json({"a": versions[0], "b": versions[1], "lines": [{**as_plain(x), "same": x.same} for x in lines]})
    else:
        console.print(difference_table(lines, *versions))


def _open(context: typer.Context) -> tuple[Settings, "Registry"]:
    from models.registry.opening import open_registry
    from runtime.service import configure_logs

    settings = settings_of(context)
    configure_logs(settings.service)
    return settings, open_registry(settings.models)


def _by() -> str:
    from roadwatch.announcing import whoami

    return whoami()


def _folder(folder: Path) -> Path:
    from models.bundle import SHIPPED

    return folder if folder.exists() else SHIPPED.get(str(folder), folder)


def _shipped() -> str:
    from models.bundle import BUNDLED, read_manifest

    return read_manifest(BUNDLED).version


def _meant(state: "State", name: str) -> str:
    """Return the version, or the name of one that ships: `bundled` serves while nobody is champion."""
    from models.bundle import SHIPPED
    from models.registry.history import resolve

    if name == "champion" and "champion" not in state.holders:
        return "bundled"
    return name if name in SHIPPED else resolve(state, name)


def _about(registry: "Registry", name: str) -> "About":
    from models.bundle import SHIPPED, load_about

    return load_about(SHIPPED[name]) if name in SHIPPED else registry.about(name)


def _require_approval(state: "State", step: "Step", *, unqualified: bool) -> None:
    """Two things are asked of whoever goes past the qualification: that he says so, and why."""
    if state.versions[step.version].approved or (unqualified and step.reason.strip()):
        return
    raise ModelRegistryError(
        f"{step.version} is not approved: run 'roadwatch models qualify {step.version}', or give --unqualified and"
        " --reason, which stays in the history"
    )


def _time(text: str) -> datetime:
    try:
        at = datetime.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError("--at", [f"{text!r} is no time such as 2026-11-23T08:00Z"]) from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _tell(settings: Settings, entry: "Entry", as_json: bool) -> None:
    """Announce what was recorded, and say both."""
    from roadwatch.announcing import announce
    from roadwatch.registry_views import as_plain, sentence

    told = announce(settings, entry)
    if as_json:
        print_json({**as_plain(entry), "announced": told})
        return
    console.print(sentence(entry), highlight=False)
    if not told:
        poll = f"{settings.models.poll.total_seconds():g} s"
        console.print(f"It is recorded. Nobody was told, for Kafka did not take it: processors look every {poll}.")


COMMANDS: dict[str, Callable[..., None]] = {
    "list": list_versions,
    "show": show,
    "register": register,
    "promote": promote,
    "rollback": rollback,
    "withdraw": withdraw,
    "history": history,
    "diff": diff,
}
