"""What a rule says of a day: the seam between the rules, which judge reports, and the alerts, which tell people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from schemas.records import Severity

Bound = Literal["point", "confidence", "anytime"]
"""What is held against the threshold: the figure itself, the near end of its confidence interval, or the evidence of a
sequence of days that may be looked at after every label."""


@dataclass(frozen=True, slots=True)
class Breach:
    """A rule that is broken on a day."""

    rule: str
    "The rule's name."
    camera_id: str | None
    "The camera that it is broken at; None when it concerns all together."
    slice: str | None
    "The slice that it is broken in, such as `hour=07`; None for whole cameras."
    day: str
    "The day whose report broke it."
    since: datetime
    "When what it tells of began, as far as can be told."
    severity: Severity
    "How bad."
    metric: str
    "What was measured."
    value: float
    "What was seen."
    threshold: float
    "What was allowed."
    samples: int
    "On how many the value rests."
    title: str
    "One line: what and where."
    summary: str
    "What happened, in a few sentences."
    actions: tuple[str, ...]
    "What to do, first things first."

    @property
    def subject(self) -> str:
        """The rule, camera and slice: what stays the same from day to day."""
        return ":".join(filter(None, (self.rule, self.camera_id, self.slice)))


@dataclass(frozen=True, slots=True)
class Judgement:
    """What all rules say of one day's report."""

    breaches: tuple[Breach, ...]
    "Rules that are broken, in the table's order."
    kept: frozenset[str]
    "Subjects (see Breach) whose rules had enough samples to speak, and are kept."
