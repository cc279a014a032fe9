"""Figures meet thresholds: approved or not, part by part, and what to improve."""

from dataclasses import dataclass

from models.qualification.advice import advise
from models.qualification.checks import PartJudgement, check_part
from models.qualification.figures import PARTS, Measurements, Part, of_part
from models.qualification.thresholds import Thresholds


@dataclass(frozen=True, slots=True)
class Judgement:
    """Whether a version is good enough."""

    version: str
    "The candidate."
    approved: bool
    "Every part is."
    parts: tuple[PartJudgement, ...]
    "All six, in the order of PARTS."
    advice: tuple[str, ...]
    "What to improve, in sentences, part by part; empty: nothing needs to be."
    thresholds_sha256: str
    "Of the table that it was judged by."

    @property
    def refused(self) -> tuple[Part, ...]:
        """The parts that are not approved."""
        return tuple(part.part for part in self.parts if not part.approved)


def judge(thresholds: Thresholds, measurements: Measurements) -> Judgement:
    """Return the verdict: a part is approved when every threshold on it is met and it has no fault.

    A figure that a threshold names and that was not measured misses it; a part that was not run is not approved.
    """
    parts = tuple(_part(part, thresholds, measurements) for part in PARTS)
    return Judgement(
        version=measurements.subject.version,
        approved=all(part.approved for part in parts),
        parts=parts,
        advice=tuple(advise(parts, measurements)),
        thresholds_sha256=thresholds.sha256,
    )


def _part(part: Part, thresholds: Thresholds, measurements: Measurements) -> PartJudgement:
    return check_part(
        part,
        tuple(line for line in thresholds.lines if line.part == part),
        of_part(measurements.candidate, part),
        of_part(measurements.champion, part),
        measurements.subject.champion is not None,
    )
