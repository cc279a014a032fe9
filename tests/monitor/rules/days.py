"""Days' reports, made of counts."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

from monitor.breaches import Judgement
from monitor.metrics import cells, scores
from monitor.rules import History, Rules, judge
from monitor.rules.rule import Rule
from monitor.rules.table import parse_rules
from monitor.windows import Calendar
from schemas.records import CameraScores, DayReport, Finding, Scores, SliceScores, Tally

Counts = tuple[int, int]
"Right, and labelled."
FIRST = date(2026, 3, 2)


def day_number(number: int) -> str:
    """Days from the first on, which has the number 0."""
    return (FIRST + timedelta(days=number)).isoformat()


def a_report(
    number: int, cameras: Mapping[str, Counts], slices: Iterable[SliceScores] = (), **changes: Any
) -> DayReport:
    """The report on a day on which cars were taken for cars and for trucks; `changes` take the place of its fields."""
    starts_at, ends_at = Calendar("UTC").bounds(day_number(number))
    made = DayReport(
        day=day_number(number),
        timezone="UTC",
        revision=1,
        starts_at=starts_at,
        ends_at=ends_at,
        scores=_scores([*cameras.values()]),
        cameras=tuple(CameraScores(name, _scores([counts]), ()) for name, counts in sorted(cameras.items())),
        absent=(),
        model_versions=("v1",),
        slices=tuple(slices),
    )
    return replace(made, **changes)


def a_slice(named: str, gap: float, n: int = 100, *, discovered: bool = True) -> SliceScores:
    """A slice such as `hour=07`, so much off all others."""
    dimension, value = named.split("=")
    ends = {"gap": gap, "gap_low": gap - 0.1, "gap_high": gap + 0.1}
    return SliceScores(
        dimension, value, {"car": n}, n, 0.9 + gap, 0.0, 1.0, truths={"car": n}, discovered=discovered, **ends
    )


def a_finding(report: DayReport, hour: int = 7, **changes: Any) -> Finding:
    """The brightness at camera a, gone up at an hour."""
    at = report.starts_at + timedelta(hours=hour)
    ends = {"before": 120.0, "after": 180.0, "samples": 90, "worse": True, "example": None, "note": ""}
    made = Finding(f"a:brightness:{hour}", "drift", "a", "brightness", "adwin", at, at, None, **ends)
    return replace(made, **changes)


def with_findings(report: DayReport, *findings: Finding) -> DayReport:
    """The report, with these at its first camera."""
    first, *others = report.cameras
    return replace(report, cameras=(replace(first, findings=findings), *others))


def rules_of(*rows: Mapping[str, Any]) -> Rules:
    """Rules as their rows in TOML say, each of an accuracy of 60 % on 10 labels where it says no other."""
    usual = {"name": "rule", "metric": "accuracy", "min_n": 10}
    made = [{**usual, **({} if "reference" in row else {"threshold": 0.6}), **row} for row in rows]
    return parse_rules({"rules": made}, "rules.toml", 0.6, 50)


def a_rule(**row: Any) -> Rule:
    """One such rule."""
    (rule,) = rules_of(row)
    return rule


def judged(rules: Rules, reports: Iterable[DayReport]) -> list[Judgement]:
    """What rules say of each report, one after the other."""
    history = History()
    return [judge(rules, report, history) for report in reports]


def broken(rules: Rules, reports: Iterable[DayReport]) -> list[list[str]]:
    """Subjects that each report breaks."""
    return [[breach.subject for breach in judgement.breaches] for judgement in judged(rules, reports)]


def _scores(counts: list[Counts]) -> Scores:
    right, labelled = (sum(each[place] for each in counts) for place in (0, 1))
    return scores(
        Tally(
            frames=1000 if labelled else 0,
            passages={"car": 200} if labelled else {},
            vehicle_cells=cells({("car", "car"): right, ("car", "truck"): labelled - right}),
        )
    )
