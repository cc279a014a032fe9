"""A part's figures against the lines of the table that name them."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from models.qualification.figures import Fault, Figure, Measured, Part, figure
from models.qualification.thresholds import Threshold

Answer = Literal["met", "missed", "not judged"]

NOT_RUN = Fault("this part was not run")


@dataclass(frozen=True, slots=True)
class Check:
    """One figure against one bound."""

    figure: str
    "The figure's name; the pattern where nothing was measured that it names."
    wanted: str
    "In words, such as `at least 0.9 by its low end`."
    seen: float | None
    "What was compared: value or end; None: it was not measured."
    n: int | None
    "Of how many; None: does not apply."
    answer: Answer
    "Whether it is good enough."
    why: str = ""
    "Why it is missed or not judged, where the number alone does not say so."


@dataclass(frozen=True, slots=True)
class PartJudgement:
    """One part's verdict."""

    part: Part
    "Which."
    approved: bool
    "It was run, no check is missed, and there is no fault."
    checks: tuple[Check, ...]
    "In the order of the table."
    faults: tuple[Fault, ...]
    "What must not happen, and did."

    @property
    def missed(self) -> tuple[Check, ...]:
        """The checks that are missed."""
        return tuple(check for check in self.checks if check.answer == "missed")


@dataclass(frozen=True, slots=True)
class _Demand:
    """One bound of a line, for one figure."""

    words: str
    "What is wanted."
    seen: float | None
    "What is compared."
    least: float = float("-inf")
    "The least that meets it."
    most: float = float("inf")
    "The most that does."
    unjudged: str = ""
    "Why it is not judged; empty: it is."


def check_part(
    part: Part, lines: tuple[Threshold, ...], ours: Measured | None, champions: Measured | None, has_champion: bool
) -> PartJudgement:
    """Return a part's verdict; `ours` None: it was not run, `champions` None: not for the champion."""
    if ours is None:
        checks = tuple(_nothing(line, NOT_RUN.what, has_champion) for line in lines)
        return PartJudgement(part, False, checks, (NOT_RUN,))
    checks = tuple(check for line in lines for check in _line(line, ours, champions, has_champion))
    approved = not ours.faults and all(check.answer != "missed" for check in checks)
    return PartJudgement(part, approved, checks, ours.faults)


def matches(pattern: str, name: str) -> bool:
    """Say whether a figure's name is what a line names; `*` stands for one word between dots."""
    return re.fullmatch(re.escape(pattern).replace(r"\*", r"[^.]+"), name) is not None


def _line(line: Threshold, ours: Measured, champions: Measured | None, has_champion: bool) -> Iterator[Check]:
    found = [figure for figure in ours.figures if matches(line.figure, figure.name)]
    if not found:
        yield _nothing(line, "nothing was measured that this names", has_champion)
    for each in found:
        beside = figure(champions, each.name) if champions else None
        for demand in _demands(line, each, beside, has_champion):
            yield _check(line, each, demand, has_champion)


def _nothing(line: Threshold, why: str, has_champion: bool) -> Check:
    wanted = ", ".join(demand.words for demand in _demands(line, Figure(line.figure, None), None, has_champion))
    spared = line.optional or (line.only_with_champion and not has_champion)
    return Check(line.figure, wanted, None, None, "not judged" if spared else "missed", why)


def _demands(line: Threshold, ours: Figure, beside: Figure | None, has_champion: bool) -> Iterator[_Demand]:
    seen = {"value": ours.value, "low": ours.low, "high": ours.high}[line.use]
    end = "" if line.use == "value" else f" by its {line.use} end"
    if line.min is not None:
        yield _Demand(f"at least {line.min:g}{end}", seen, least=line.min)
    if line.max is not None:
        yield _Demand(f"at most {line.max:g}{end}", seen, most=line.max)
    champion = beside.value if beside else None
    unjudged = "" if champion is not None else _no_ratio(has_champion)
    if line.min_ratio_to_champion is not None:
        words = _times(line.min_ratio_to_champion, champion)
        yield _Demand(
            f"at least {words}", ours.value, least=line.min_ratio_to_champion * (champion or 0), unjudged=unjudged
        )
    if line.max_ratio_to_champion is not None:
        words = _times(line.max_ratio_to_champion, champion)
        yield _Demand(
            f"at most {words}", ours.value, most=line.max_ratio_to_champion * (champion or 0), unjudged=unjudged
        )


def _times(ratio: float, champion: float | None) -> str:
    known = "" if champion is None else f" {champion:.3g}"
    return f"{ratio:g} × the champion's{known}"


def _no_ratio(has_champion: bool) -> str:
    return "it was not measured of the champion" if has_champion else "there is no champion"


def _check(line: Threshold, ours: Figure, demand: _Demand, has_champion: bool) -> Check:
    answer, why = _answer(line, ours, demand, has_champion)
    return Check(ours.name, demand.words, demand.seen, ours.n, answer, why)


def _answer(line: Threshold, ours: Figure, demand: _Demand, has_champion: bool) -> tuple[Answer, str]:
    if line.only_with_champion and not has_champion:
        return "not judged", "there is no champion"
    if demand.unjudged:
        return "not judged", demand.unjudged
    if line.ignore_below_n is not None and ours.n is not None and ours.n < line.ignore_below_n:
        return "not judged", f"of {ours.n}; below {line.ignore_below_n} it is not judged"
    if line.min_n is not None and (ours.n is None or ours.n < line.min_n):
        return "missed", f"of {ours.n or 0}; at least {line.min_n} are wanted"
    if demand.seen is None:
        return ("not judged" if line.optional else "missed"), "it could not be measured"
    return ("met" if demand.least <= demand.seen <= demand.most else "missed"), ""
