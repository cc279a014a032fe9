"""Requests and the queue on a terminal and as JSON."""

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from models.archive.examples import Asked, Example
from roadwatch.labelling.queue import Question, Queue
from roadwatch.labelling.requesting import Requested

FIRST_SHOWN = 10
"Examples on a terminal; JSON has all."
MEANS = {
    "random": "drawn at random: the day's accuracy stays unbiased",
    "uncertain": "the model is least sure of them",
    "disagreement": "the frames of the passage say different classes",
    "models disagree": "champion and challenger say different classes",
    "outlier": "unlike the other pictures",
    "slice": "in a slice that was found to be worse",
    "failed": "like others that failed",
}
GAP = Text("")


def request_view(found: Requested) -> RenderableType:
    """Return what was asked for, and what to do next."""
    request = found.request
    whose = "asked" if found.is_new else f"was asked before, by {request.by} at {request.asked_at:%Y-%m-%d %H:%M} UTC"
    head = (
        f"{request.request_id}: {len(request.asked)} labels of {request.population} examples of {request.day}, {whose}."
    )
    return Group(Text(head), GAP, _whys(found), GAP, _examples(found), GAP, *map(Text, notes(found)), Text(NEXT))


NEXT = (
    "Next: 'roadwatch label export labels.csv' (or --format coco, label-studio) writes them with their pictures;"
    " 'roadwatch label import FILE' takes the answers back."
)


def notes(found: Requested) -> list[str]:
    """What could not be asked, a sentence each."""
    said = []
    if found.is_early:
        said.append(
            f"The day was not over: the labels speak for its vehicles up to {found.request.asked_at:%H:%M} UTC. Ask again"
            f" after {found.ends:%Y-%m-%d %H:%M} UTC with another --seed, for those that came later."
        )
    if found.gone:
        said.append(
            f"{len(found.gone)} more vehicles and single frames of the day could not be chosen: their pictures are no"
            f" longer on the cluster ({_few(found.gone)}). The labels speak for the {found.request.population} others."
        )
    if found.lost:
        said.append(
            f"{len(found.lost)} were chosen, and their pictures went before they were read: {_few(found.lost)}."
        )
    return said


def request_plain(found: Requested) -> dict[str, Any]:
    """Return it as plain JSON."""
    request = asdict(found.request)
    return {
        **request,
        "new": found.is_new,
        "early": found.is_early,
        "why": dict(found.by_why()),
        "gone": found.gone,
        "lost": found.lost,
    }


def _whys(found: Requested) -> Table:
    table = _table("labels", "why", "which means")
    for why, count in found.by_why().most_common():
        table.add_row(str(count), why, MEANS.get(why, ""))
    return table


def _examples(found: Requested) -> Table:
    table = _table("example", "why", "stands for", "the model says", "sure")
    for asked in found.request.asked[:FIRST_SHOWN]:
        table.add_row(escape(asked.example_id), asked.why, f"{asked.weight:.3g}", *_said(asked, found))
    if (rest := len(found.request.asked) - FIRST_SHOWN) > 0:
        table.add_row(f"… and {rest} more", "", "", "", "")
    return table


def _said(asked: Asked, found: Requested) -> tuple[str, str]:
    example: Example | None = found.examples.get(asked.example_id)
    if example is None:
        return "–", "–"
    return escape(example.predicted or "nothing"), f"{example.confidence:.2f}"


def queue_view(queue: Queue, open_questions: Sequence[Question]) -> RenderableType:
    """Return what is open, by day and the first of it."""
    days = _table("day", "asked", "open", "why")
    for day, counts in queue.by_day().items():
        whys = ", ".join(f"{n} {why}" for why, n in counts.most_common() if why not in ("asked", "open"))
        days.add_row(day, str(counts["asked"]), str(counts["open"]), whys or "–")
    first = _table("example", "day", "why", "stands for")
    for question in open_questions[:FIRST_SHOWN]:
        first.add_row(escape(question.example_id), question.day, question.why, f"{question.weight:.3g}")
    rest = len(open_questions) - FIRST_SHOWN
    more = [Text(f"… and {rest} more; --json names all")] if rest > 0 else []
    listed = [first, *more] if open_questions else [Text("Nothing is open.")]
    return Group(days, GAP, *listed, *_contradictions(queue))


def _contradictions(queue: Queue) -> list[Text]:
    count = len(queue.truths.contradicted)
    said = f"{count} labelled examples are contradicted: sources of the same weight say different classes."
    return [Text(f"{said} See docs/labelling.md.")] if count else []


def queue_plain(queue: Queue, open_questions: Sequence[Question]) -> dict[str, Any]:
    """Return it as plain JSON."""
    return {
        "open": [asdict(question) for question in open_questions],
        "days": {day: dict(counts) for day, counts in queue.by_day().items()},
        "contradicted": queue.truths.contradicted,
        "withdrawn": queue.truths.withdrawn,
    }


def _few(names: Sequence[str], most: int = 5) -> str:
    rest = len(names) - most
    return ", ".join(names[:most]) + (f" and {rest} more" if rest > 0 else "")


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    return table
