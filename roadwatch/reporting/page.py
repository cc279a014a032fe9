"""A day's report, or several, as one HTML page that needs nothing else: no scripts, no fonts, nothing fetched."""

import json
from collections.abc import Mapping, Sequence
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final

import jinja2

from models.card import Card
from models.qualification.charts import Plot
from models.qualification.page import environment
from roadwatch.reporting import plots, rows
from roadwatch.reporting.figures import (
    accuracy,
    alerts_by_severity,
    confusion_table,
    counted,
    findings_of,
    headline,
    meanings,
    percent,
    plain,
    points,
    signal_name,
)
from roadwatch.reporting.ranges import DayLine, Summary, day_line
from schemas.records import DayReport

BEFORE: Final = 13
"Days before the reported one that its page shows."


def day_page(
    report: DayReport,
    before: Sequence[DayReport],
    pictures: Mapping[str, bytes],
    cards: Mapping[str, Card | str],
) -> str:
    """A day's page; `before` are reports of days before it, in order, `pictures` its worst frames' by their ids."""
    colours, mix = rows.mix_rows(report, before)
    share = accuracy(report)
    return _rendered(
        "day.html",
        report=report,
        title=long_day(report.day),
        share=share,
        headline=headline(share),
        severities=alerts_by_severity(report),
        found=findings_of(report),
        **_trends([day_line(each) for each in (*before, report)]),
        cameras=rows.camera_rows(report),
        confusion=confusion_table(report.scores.confusion),
        classes=rows.class_rows(report.scores.classes, report.intervals),
        reliability=plots.reliability(report.reliability),
        colours=colours,
        mix=mix,
        slices=rows.slice_rows(report),
        behind=[each for each in report.slices if each.discovered],
        hours=plots.hours([each for each in report.slices if each.dimension == "hour"], report.scores.accuracy),
        findings=rows.finding_rows(report),
        signals=rows.signal_grids(report),
        meanings=meanings(report),
        sensors=rows.sensor_grid(report),
        stages=rows.stage_rows(report),
        worst=rows.worst_rows(report, pictures),
        cards=cards,
        document=json.dumps(plain(report), indent=1),
    )


def range_page(told: Summary) -> str:
    """The page of several days."""
    colours, mix = rows.mix_by_day(told.lines)
    return _rendered(
        "range.html",
        told=told,
        title=f"{told.span}",
        headline=headline(told.accuracy),
        **_trends(told.lines),
        days=rows.share_table(told.lines, told.accuracy),
        cameras=rows.share_table(told.cameras, told.accuracy),
        confusion=confusion_table(told.confusion),
        classes=rows.class_rows(told.classes, ()),
        colours=colours,
        mix=mix,
        document=json.dumps(told.plain, indent=1),
    )


def long_day(day: str) -> str:
    """`Monday, 23 November 2026`."""
    at = date.fromisoformat(day)
    return f"{at:%A}, {at.day} {at:%B %Y}"


def _trends(lines: Sequence[DayLine]) -> dict[str, Plot | None]:
    """The accuracy over the days, as wide as a desk has it, and as a phone does."""
    return {"trend": plots.trend(lines), "narrow": plots.trend(lines, plots.NARROW)}


def _rendered(name: str, **values: Any) -> str:
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> jinja2.Environment:
    made = environment(Path(__file__).parent)
    made.filters.update(percent=percent, points=points, counted=counted, signal=signal_name)
    return made
