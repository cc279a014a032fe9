"""A qualification's outcome as one HTML page that needs nothing else: no scripts, no fonts, nothing fetched."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import jinja2

from models.qualification import charts
from models.qualification.checks import PartJudgement, matches
from models.qualification.figures import PARTS, Measured, Measurements, Part, of_part
from models.qualification.judgement import Judgement
from models.qualification.report import Report, figure_names
from models.qualification.tables import CheckRow, Confusion, FigureRow, check_rows, confusion, figure_rows, headline
from schemas.errors import ConfigurationError

HERE: Final = Path(__file__).parent
"Where the templates lie."
TITLES: Final[dict[Part, tuple[str, str]]] = {
    "accuracy": ("Accuracy", "How often it is right on held-out pictures, for whom, and how honest its confidence is."),
    "errors": ("Errors", "Whether pictures that are hard to take are each handled, and none ends the processor."),
    "consistency": ("Consistency", "Whether the same vehicle is given the same answer."),
    "latency": ("Latency", "How long a frame takes from capture to prediction, through Kafka, at a given load."),
    "robustness": (
        "Robustness",
        "What is left of its accuracy under 17 corruptions of five severities, asked of the model alone.",
    ),
    "scalability": ("Scalability", "How frames per second and memory grow with partitions and workers."),
}

COLOURS: Final = ("one", "two", "three")
"Of versions that are judged; `base` is what they are compared with."

FOREST: Final = ("accuracy", "accuracy.*", "accuracy.size.*", "accuracy.brightness.*", "recall.*")
"Shares that are drawn with their intervals."


@dataclass(frozen=True, slots=True)
class Section:
    """One part on the page."""

    part: Part
    "Which."
    title: str
    "Its heading."
    question: str
    "What it asks."
    judged: tuple[PartJudgement, ...]
    "A verdict for each version that is judged."
    measured: tuple[Measured | None, ...]
    "The measurements, of each version that is shown."
    headlines: tuple[tuple[str, str], ...]
    "The number that stands for it, for each version that is judged, and what it is."
    checks: tuple[CheckRow, ...]
    "Figures against thresholds, of the first version that is judged."
    rows: tuple[FigureRow, ...]
    "All figures."
    forest: charts.Forest | None
    "Shares with their intervals; None: the part has none to draw."
    confusions: tuple[Confusion | None, ...]
    "What was said of what, for each version that is shown."
    plots: tuple[charts.Plot, ...]
    "Large charts."
    panels: tuple[tuple[str, charts.Plot], ...]
    "Small charts with their names."


@dataclass(frozen=True, slots=True)
class Column:
    """A version on the page."""

    colour: str
    "Of its lines."
    version: str
    "Its name."
    role: str
    "What it is here; empty: one of several."
    approved: bool | None
    "Whether it is good enough; None: it is only shown beside the other."


def page(judgement: Judgement, measurements: Measurements) -> str:
    """Return the page: the verdict and what to improve, then the six parts, then what was measured and where."""
    subject = measurements.subject
    columns = [Column("one", subject.version, "candidate", judgement.approved)]
    if measurements.champion and subject.champion:
        columns.append(Column("base", subject.champion, "champion", None))
    sections = [_section(part, [judgement], _of_one(part, measurements)) for part in PARTS]
    return _template("page.html").render(
        judgement=judgement,
        subject=subject,
        columns=columns,
        sections=sections,
        sentence=_sentence(judgement),
        seconds=sum(measured.seconds for measured in measurements.candidate),
    )


def comparison_page(reports: Sequence[Report]) -> str:
    """Return a page with two to four versions side by side, the first being what the others are compared with.

    Raises ConfigurationError for fewer or more.
    """
    if not 2 <= len(reports) <= 1 + len(COLOURS):
        raise ConfigurationError("comparison", [f"of {len(reports)} versions: two to {1 + len(COLOURS)} fit on a page"])
    judgements = [judgement for judgement, _ in reports]
    colours = ("base", *COLOURS)
    columns = [
        Column(colour, judged.version, "", judged.approved) for colour, judged in zip(colours, judgements, strict=False)
    ]
    sections = [_section(part, judgements, _of_several(part, colours, reports)) for part in PARTS]
    subjects = [measurements.subject for _, measurements in reports]
    return _template("comparison.html").render(
        judgements=judgements,
        subjects=subjects,
        columns=columns,
        sections=sections,
        same_data=len({subject.data_sha256 for subject in subjects}) == 1,
        same_thresholds=len({judged.thresholds_sha256 for judged in judgements}) == 1,
    )


def _of_one(part: Part, measurements: Measurements) -> charts.Series:
    champions = of_part(measurements.champion, part)
    ours = ("one", of_part(measurements.candidate, part))
    return (ours, ("base", champions)) if champions else (ours,)


def _of_several(part: Part, colours: Sequence[str], reports: Sequence[Report]) -> charts.Series:
    measured = (of_part(measurements.candidate, part) for _, measurements in reports)
    return tuple(zip(colours, measured, strict=False))


def _section(part: Part, judgements: Sequence[Judgement], series: charts.Series) -> Section:
    title, question = TITLES[part]
    judged = tuple(each for judgement in judgements for each in judgement.parts if each.part == part)
    measured = tuple(each for _, each in series)
    beside = measured[1] if len(judgements) == 1 and len(measured) > 1 else None
    return Section(
        part=part,
        title=title,
        question=question,
        judged=judged,
        measured=measured,
        headlines=tuple(headline(part, each) for each in measured[: len(judgements)]),
        checks=tuple(check_rows(judged[0], measured[0], beside)),
        rows=tuple(figure_rows(measured, judged)),
        forest=charts.forest(series, _drawn(measured)) if part == "accuracy" else None,
        confusions=tuple(confusion(each) for each in measured),
        plots=_plots(part, series),
        panels=tuple(charts.corruption_panels(series)) if part == "robustness" else (),
    )


def _drawn(measured: Sequence[Measured | None]) -> list[str]:
    names = figure_names(measured)
    return [name for pattern in FOREST for name in names if matches(pattern, name)]


def _plots(part: Part, series: charts.Series) -> tuple[charts.Plot, ...]:
    makers = {
        "accuracy": (charts.reliability(series),),
        "latency": (charts.latency(series),),
        "scalability": (
            charts.scaling(series, "frames per second", ideal=True),
            charts.scaling(series, "memory", ideal=False),
        ),
    }
    return tuple(plot for plot in makers.get(part, ()) if plot)


def _sentence(judgement: Judgement) -> str:
    """Say which parts it was refused for."""
    refused = judgement.refused
    if not refused:
        return "All six parts meet their thresholds."
    named = " and ".join([", ".join(refused[:-1]), refused[-1]] if len(refused) > 1 else refused)
    approved = len(judgement.parts) - len(refused)
    return f"Refused for {named}. {COUNTS[approved]} of the six parts are approved."


COUNTS: Final = ("None", "One", "Two", "Three", "Four", "Five", "Six")


@cache
def environment(folder: Path = HERE) -> jinja2.Environment:
    """What renders the pages of a folder, with this one's base and macros; everything is escaped."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader([folder, HERE]),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters["picture"] = lambda jpeg: f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}"
    made.filters["sentence"] = lambda text: f"{text[:1].upper()}{text[1:]}."
    made.filters["words"] = lambda name: name.replace("_", " ")
    return made


def _template(name: str) -> jinja2.Template:
    return environment().get_template(name)
