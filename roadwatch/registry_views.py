"""The registry on a terminal and as JSON: versions, history, differences."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import date, datetime
from typing import Any, TypedDict

from rich.markup import escape
from rich.table import Table

from models.registry.difference import Line
from models.registry.history import Entry, State, Step, VersionState, overriding

MOST_FIGURES = 2
MINUTES = "%Y-%m-%d %H:%M"


class VersionRow(TypedDict):
    """A version in the list."""

    version: str
    registered: str
    by: str
    qualified: str | None
    aliases: list[str]
    share: float | None
    accuracy: float | None


def version_rows(state: State) -> list[VersionRow]:
    """Return the versions, in the order of registration."""
    return [_version_row(state, version, known) for version, known in state.versions.items()]


def versions_table(rows: Iterable[VersionRow], address: str) -> Table:
    """Return the list for a terminal."""
    table = _table(f"Versions in {address}", "version", "registered", "by", "qualified", "alias", "accuracy")
    for row in rows:
        cells = (row["registered"][:16].replace("T", " "), row["by"], row["qualified"] or "-")
        table.add_row(row["version"], *cells, _aliases(row), _number(row["accuracy"]))
    return table


def state_lines(state: State, version: str) -> list[str]:
    """Return what became of a version."""
    known = state.versions[version]
    roles = [f"{alias} since {state.holders[alias].since:{MINUTES}}" for alias in known.aliases]
    return [f"Qualified: {_qualification(known) or 'never'}.", f"Serves as: {', '.join(roles) or 'nothing'}."]


def history_table(entries: Sequence[Entry], version: str | None = None) -> Table:
    """Return the history for a terminal, of one version or of all; promotions past the qualification are marked."""
    past = overriding(entries)
    table = _table("History (UTC)", "", "when", "what, by whom, and why")
    for entry in entries:
        if version in (None, entry.step.version):
            table.add_row(*_history_row(entry, override=entry.number in past))
    return table


def overview(state: State, at: datetime | None) -> str:
    """Return who has which alias, now or then."""
    when = f"At {at.isoformat()}" if at else "Now"
    roles = [f"{holder.version} is {alias}" for alias, holder in state.holders.items()]
    return f"{when}: {len(state.versions)} versions; {', '.join(roles) or 'nobody is champion'}."


def difference_table(lines: Iterable[Line], a: str, b: str) -> Table:
    """Return two versions side by side; what differs is bold."""
    table = _table("", "", a, b)
    for line in lines:
        table.add_row(*map(escape, (line.what, line.a, line.b)), style="" if line.same else "bold")
    return table


def sentence(entry: Entry) -> str:
    """Return what was done."""
    return f"{entry.number}: {escape(entry.step.version)} was {_what(entry.step)}."


def as_plain(value: Any) -> dict[str, Any]:
    """Return a dataclass for JSON: times in ISO 8601, what is None left out."""
    plain: dict[str, Any] = _plain(asdict(value))
    return plain


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value.isoformat() if isinstance(value, date) else value


def _version_row(state: State, version: str, known: VersionState) -> VersionRow:
    step = known.registered.step
    return VersionRow(
        version=version,
        registered=step.at.isoformat(),
        by=step.by,
        qualified=_qualification(known),
        aliases=list(known.aliases),
        share=state.holders["challenger"].share if "challenger" in known.aliases else None,
        accuracy=_accuracy(known),
    )


def _qualification(known: VersionState) -> str | None:
    return None if known.qualified is None else "approved" if known.approved else "refused"


def _accuracy(known: VersionState) -> float | None:
    """Return the accuracy of the newest qualification, or else the card's."""
    for entry in (known.qualified, known.registered):
        if entry is not None and "accuracy" in (entry.step.figures or {}):
            return (entry.step.figures or {})["accuracy"]
    return None


def _aliases(row: VersionRow) -> str:
    share = "" if row["share"] is None else f" ({row['share']:.0%})"
    return ", ".join(alias + (share if alias == "challenger" else "") for alias in row["aliases"])


def _number(value: float | None) -> str:
    return "-" if value is None else f"{value:.3f}"


def _history_row(entry: Entry, *, override: bool) -> tuple[str, ...]:
    """Return what was done on a line of its own, and who, why and on which figures below it."""
    step = entry.step
    what = f"[bold]{escape(step.version)}[/] {_what(step)}" + (", not qualified" if override else "")
    below = (f"{step.by}: {step.reason}" if step.reason else step.by, _figures(step))
    return str(entry.number), f"{step.at:{MINUTES}}", "\n".join([what, *(escape(line) for line in below if line)])


def _figures(step: Step) -> str:
    """Return the first figures: a qualification has dozens, which its report shows."""
    figures = step.figures or {}
    shown = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in list(figures.items())[:MOST_FIGURES]]
    return ", ".join(shown) + (", …" if len(figures) > MOST_FIGURES else "")


def _what(step: Step) -> str:
    if step.action == "qualified":
        return "approved" if step.approved else "refused"
    if step.action == "rolled_back":
        return f"made {step.alias} again, by rolling back"
    if step.action == "withdrawn" and step.alias == "champion":
        return "withdrawn as champion: the model that ships serves"
    alias = f" to {step.alias}" if step.action == "promoted" else " as challenger" if step.alias else ""
    return step.action + alias + (f" at {step.share:.0%}" if step.share is not None else "")


def _table(title: str, *columns: str) -> Table:
    table = Table(title=title or None)
    for column in columns:
        table.add_column(column, overflow="fold", no_wrap=column in ("version", "when"))
    return table
