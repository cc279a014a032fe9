"""Groups of failures on a terminal."""

from collections.abc import Iterator

from rich.console import Group as Together
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from models.failures.groups import Group
from roadwatch.context import printable
from roadwatch.failing.session import Failing
from roadwatch.failing.words import REMEDIES, cost, headline, notes, second_line
from roadwatch.reporting.figures import percent

GAP = Text("")


def failures_view(failing: Failing) -> RenderableType:
    """Return what failed, in groups, and what would help each."""
    about = [_text(failing.asked.about, "dim")] if failing.asked.about else []
    head = [*about, Text(f"{failing.asked.whose}: {headline(failing)}.", "bold")]
    if not failing.failed:
        return Together(*head, *map(_text, notes(failing)))
    groups = (GAP, *_groups(failing), GAP) if failing.groups else ()
    return Together(*head, _text(second_line(failing)), *groups, *map(_text, notes(failing)))


def _groups(failing: Failing) -> Iterator[RenderableType]:
    table = Table(box=None, header_style="bold", pad_edge=False)
    table.add_column("")
    table.add_column("failures that are alike", overflow="fold")
    for heading in ("failed", "of the loss", "costs", "failure rate"):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("what would help", overflow="fold")
    for number, group in enumerate(failing.groups, 1):
        table.add_row(str(number), _text(group.name), *_figures(group), _remedies(group))
    if single := failing.analysis.single:
        table.add_row(
            "", "single failures", str(len(single)), percent(1 - sum(g.loss for g in failing.groups), 0), "", "", ""
        )
    yield table
    yield GAP
    for number, group in enumerate(failing.groups, 1):
        yield from (_text(f"{number}  {REMEDIES[each.remedy]}: {each.text}") for each in group.advice)


def _figures(group: Group) -> tuple[str, ...]:
    return str(len(group.members)), percent(group.loss, 0), cost(group), percent(group.failure_rate, 0)


def _remedies(group: Group) -> str:
    return ", ".join(REMEDIES[each.remedy] for each in group.advice)


def _text(words: str, style: str = "") -> Text:
    return Text(printable(words), style)
