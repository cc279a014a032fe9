"""Failures as one HTML page that needs nothing else: what they have in common, what each group costs, what would help."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from pathlib import Path
from typing import Final

import jinja2
import numpy as np
from numpy.typing import NDArray

from models.failures.groups import Group, Judged
from models.qualification.charts import Box, Dot, Plot
from models.qualification.page import HERE as BASE
from models.qualification.page import environment
from roadwatch import reporting
from roadwatch.failing.looking import Looked
from roadwatch.failing.session import SINGLE, Failing
from roadwatch.failing.words import REMEDIES, cost, headline, notes, plain, second_line
from roadwatch.reporting.figures import counted, percent, zone_of
from roadwatch.reporting.page import long_day
from roadwatch.reporting.plots import linear
from roadwatch.reporting.strips import Segment
from roadwatch.whole import whole
from schemas.errors import ConfigurationError

HERE: Final = Path(__file__).parent
"Where the template lies."
PAGE: Final = "failures.html"
DOCUMENT: Final = "failures.json"
COLOURS: Final = ("one", "two", "three", "four", "five", "six")
"Of groups, the dearest first; the rest share the last."
OTHERS: Final = "base"
MAP: Final = Box(992, 380, left=8, right=984, top=12, bottom=368)
LEAST: Final = 8
"Embeddings that are worth a map."
MOST_TRAITS: Final = 6
"Of a group, the most telling ones."


@dataclass(frozen=True, slots=True)
class Card:
    """A failure as it is shown."""

    example_id: str
    "Its id."
    camera_id: str
    "Its camera."
    at: datetime
    "When, in the day's zone."
    truth: str
    "What it is."
    said: str | None
    "What the model said; None where it abstained."
    confidence: float
    "How sure it was."
    looked: Looked | None
    "Its picture, and what decided in it; None where no picture is kept."


@dataclass(frozen=True, slots=True)
class GroupRow:
    """A group as it is shown."""

    number: int
    "From 1, the dearest first."
    colour: str
    "In bar and map."
    group: Group
    "What it is."
    cards: tuple[Card, ...]
    "Its most typical members."

    @property
    def more(self) -> int:
        """Members that are not shown."""
        return len(self.group.members) - len(self.cards)


def failures_page(failing: Failing) -> str:
    """Return the page."""
    return (
        _environment()
        .get_template("failures.html")
        .render(
            failing=failing,
            title=long_day(failing.asked.day),
            headline=headline(failing),
            second=second_line(failing),
            groups=group_rows(failing),
            bar=loss_bar(failing),
            map=projection(failing),
            single=_cards(failing, failing.analysis.single[:SINGLE]),
            rest=failing.analysis.single[SINGLE:],
            notes=notes(failing),
            remedies=REMEDIES,
            most_traits=MOST_TRAITS,
            document=json.dumps(plain(failing), indent=1, ensure_ascii=False),
        )
    )


def write_page(failing: Failing, folder: Path) -> Path:
    """Write page and document into a folder and return the page; raises ConfigurationError where that cannot be."""
    page, document = failures_page(failing), json.dumps(plain(failing), indent=1, ensure_ascii=False)
    try:
        for name, text in ((DOCUMENT, f"{document}\n"), (PAGE, page)):
            with whole(folder / name) as draft:
                draft.write(text.encode())
    except OSError as error:
        raise ConfigurationError("--out", [f"{folder} cannot be written: {error.strerror or error}"]) from error
    return folder / PAGE


def group_rows(failing: Failing) -> list[GroupRow]:
    """Return the groups with those of their members that are shown."""
    return [
        GroupRow(number, _colour(number), group, _cards(failing, group.members[: failing.asked.shown]))
        for number, group in enumerate(failing.groups, 1)
    ]


def loss_bar(failing: Failing) -> tuple[Segment, ...]:
    """Return the loss as one bar: a part for each group, the last for single failures."""
    parts = [(_colour(number), group.loss, group.name) for number, group in enumerate(failing.groups, 1)]
    alone = max(0.0, 1 - sum(loss for _, loss, _ in parts))
    found, start = [], 0.0
    for colour, loss, name in (*parts, (OTHERS, alone, "single failures")):
        found.append(Segment(start * 100, loss * 100, colour, f"{name}: {percent(loss)} of the loss"))
        start += loss
    return tuple(segment for segment in found if segment.width > 0.05) if failing.failed else ()


def projection(failing: Failing) -> Plot | None:
    """Return where examples lie as the network sees them, failures over right ones; None of too few."""
    seen = [each for each in failing.judged.values() if each.embedding.size]
    if len(seen) < LEAST or not failing.failed:
        return None
    places = principal([each.embedding for each in seen])
    across, up = (linear(*axis, *ends) for axis, ends in zip(_reach(places), _ends(), strict=True))
    colours = {name: row.colour for row in group_rows(failing) for name in row.group.members}
    found = sorted(zip(seen, places, strict=True), key=lambda pair: pair[0].failed)
    dots = [_dot(each, across(x), up(y), colours.get(each.example.example_id, OTHERS)) for each, (x, y) in found]
    return Plot("How the network sees them", MAP, x_ticks=[], y_ticks=[], dots=dots)


def principal(embeddings: Sequence[NDArray[np.float32]]) -> NDArray[np.float64]:
    """Return N×2: the two directions in which embeddings differ most (principal components), in a fixed sense."""
    rows = np.asarray(embeddings, float)
    rows -= rows.mean(axis=0)
    _, _, axes = np.linalg.svd(rows, full_matrices=False)
    places = rows @ axes[:2].T
    places *= np.where(np.abs(places.min(axis=0)) > places.max(axis=0), -1, 1)
    return np.pad(places, ((0, 0), (0, 2 - places.shape[1])))


def _reach(places: NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(float(axis.min()), float(axis.max())) for axis in places.T]


def _ends() -> tuple[tuple[float, float], tuple[float, float]]:
    return (MAP.left + 8, MAP.right - 8), (MAP.bottom - 10, MAP.top + 8)


def _dot(judged: Judged, x: float, y: float, colour: str) -> Dot:
    example = judged.example
    if not judged.failed:
        return Dot(x, y, 3, "right", f"{judged.truth}, told right: {example.camera_id}, {example.at:%H:%M} UTC")
    return Dot(x, y, 5, colour, f"{judged.truth}, said {example.predicted or 'nothing'}: {example.example_id}")


def _colour(number: int) -> str:
    return COLOURS[min(number, len(COLOURS)) - 1]


def _cards(failing: Failing, names: Sequence[str]) -> tuple[Card, ...]:
    return tuple(_made(failing, names))


def _made(failing: Failing, names: Sequence[str]) -> Iterator[Card]:
    zone = zone_of(failing.timezone)
    for name in names:
        judged = failing.judged[name]
        example = judged.example
        yield Card(
            example_id=name,
            camera_id=example.camera_id,
            at=example.at.astimezone(zone),
            truth=judged.truth,
            said=example.predicted,
            confidence=example.confidence,
            looked=failing.looked.get(name),
        )


@cache
def _environment() -> jinja2.Environment:
    made = environment(HERE)
    made.loader = jinja2.FileSystemLoader([HERE, Path(reporting.__file__).parent, BASE])
    made.filters.update(percent=percent, counted=counted, cost=cost)
    return made
