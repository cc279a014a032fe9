"""A rule: what must not happen, and how bad it is when it does."""

import re
from dataclasses import dataclass
from typing import Annotated, Final, Literal, NamedTuple

from pydantic import Field

from monitor.breaches import Bound
from monitor.rules.measures import Measure, Place, measure_of, place_of
from monitor.statistics.sequences import ALPHA
from schemas.records import Severity

IN_A_ROW: Final = 28
"Days on which a rule can ask to be broken, at most."
LOOKS_BACK: Final = 90
"Days of a window or of a reference, at most."

Name = Annotated[str, Field(strict=True, pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
Text = Annotated[str, Field(strict=True, min_length=1, max_length=2000)]
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Margin = Annotated[float, Field(strict=True, ge=0, allow_inf_nan=False)]
Count = Annotated[int, Field(strict=True, ge=1)]
Window = Annotated[int, Field(strict=True, ge=1, le=LOOKS_BACK)]
InARow = Annotated[int, Field(strict=True, ge=1, le=IN_A_ROW)]
Chance = Annotated[float, Field(strict=True, ge=1e-6, le=0.2)]

ReferenceKind = Literal["first_days", "before", "qualification"]
REFERENCE: Final = re.compile(r"(first_days|before):([1-9]\d?)|(qualification):(0\.\d+|1\.0+|0|1)/([1-9]\d{0,8})")


class Reference(NamedTuple):
    """What a figure is compared with, where that is no fixed threshold."""

    kind: ReferenceKind
    "The first days that are known, the days before the window, or what the model reached in its qualification."
    days: int = 0
    "How many; 0 for a qualification."
    value: float = 0.0
    "Of a qualification."
    n: int = 0
    "Pictures that it rests on."


@dataclass(frozen=True, slots=True)
class Rule:
    """A line of the table."""

    name: Name
    "What its alerts are called."
    metric: str
    "What it looks at; see measures."
    min_n: Count
    "On fewer it says nothing; a reference must rest on as many."
    threshold: Number | None = None
    "How far the figure may go; None where it is compared with a reference."
    reference: str | None = None
    "What it may not be worse than: `first_days:14`, `before:28`, `qualification:0.972/500`."
    margin: Margin = 0.0
    "How much worse than its reference it may be, in the metric's unit."
    scope: str = "all"
    "All cameras together, each `camera`, each `slice`, or the slices of one dimension, such as `hour`."
    window: Window = 1
    "Days that it looks at; the report's own is the last. Tables leave it out for all that evidence looks back on."
    bound: Bound = "point"
    "What is held against the threshold."
    alpha: Chance = ALPHA
    "Of `anytime` rules: the chance of a false alarm in 90 days."
    for_days: InARow = 1
    "Days in a row on which it has to be broken."
    severity: Severity = "warning"
    "How bad it is."
    unless: tuple[str, ...] = ()
    "Rules further up that say it already, about the same or about all cameras together."
    title: Text | None = None
    "Template of one line; None: made from the metric."
    summary: Text | None = None
    "Template of a few sentences; None: made from the metric."

    @property
    def measure(self) -> Measure:
        """What its metric is."""
        found = measure_of(self.metric)
        assert found is not None  # noqa: S101  # no table holds another
        return found

    @property
    def place(self) -> Place:
        """Where it looks."""
        found = place_of(self.scope)
        assert found is not None  # noqa: S101  # as above
        return found

    @property
    def weighs_days(self) -> bool:
        """Whether the days of its window are evidence, one after the other, and not added."""
        return self.bound == "anytime" and self.measure.sums == "share"

    @property
    def beside(self) -> Reference | None:
        """What it compares with; None for a fixed threshold."""
        return reference_of(self.reference) if self.reference is not None else None


Rules = tuple[Rule, ...]
"In the order of their table."


def reference_of(text: str) -> Reference | None:
    """What a rule means by its reference; None for what means nothing."""
    found = REFERENCE.fullmatch(text)
    if found is None:
        return None
    if found[3]:
        return Reference("qualification", value=float(found[4]), n=int(found[5]))
    return Reference("before" if found[1] == "before" else "first_days", days=int(found[2]))
