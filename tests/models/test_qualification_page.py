"""A verdict is told: in sentences, as JSON, and as a page that needs nothing else."""

import re
from dataclasses import replace
from functools import cache
from html.parser import HTMLParser

import numpy as np
import pytest

from models.qualification.accuracy import measure_accuracy
from models.qualification.cases import error_cases
from models.qualification.consistency import agreement, measure_consistency
from models.qualification.errors import measure_errors
from models.qualification.figures import Curve, Fault, Figure, Measured, Measurements, Part
from models.qualification.judgement import Judgement, judge
from models.qualification.latency import measure_latency
from models.qualification.page import comparison_page, page
from models.qualification.report import comparison_json, parse_report, to_json
from models.qualification.robustness import measure_robustness
from models.qualification.scalability import ScaleRun, measure_scalability
from models.qualification.thresholds import load_thresholds
from schemas.errors import ConfigurationError, ModelError
from tests.models.qualified import by_brightness, measured, measurements, pictures, verdicts


@cache
def qualified() -> Measurements:
    """Return all six parts of a model that goes by brightness."""
    some = pictures(12)
    said = by_brightness([picture.image for picture in some])
    cases = error_cases()
    robust, champions = measure_robustness(by_brightness, some, champion=by_brightness)
    consistent = measure_consistency(by_brightness, some)
    return measurements(
        measure_accuracy(some, replace(said, probabilities=said.probabilities[:, ::-1])),
        measure_errors(cases, {case.name: case.wanted[0] for case in cases}),
        replace(consistent, figures=(*consistent.figures, agreement("runs", said, said))),
        measure_latency(np.linspace(5, 50, 200).tolist(), 50, 50),
        robust,
        measure_scalability([ScaleRun(1, 1, 200, 250), ScaleRun(2, 2, 300, 500)]),
        champion=(champions,),
    )


def judged(found: Measurements) -> tuple[Judgement, Measurements]:
    """Return what the table that comes along says of it."""
    return judge(load_thresholds(), found), found


def advice(part: Part, *figures: Figure, curves: tuple[Curve, ...] = (), faults: tuple[Fault, ...] = ()) -> str:
    """Return the sentences about one part."""
    found = replace(measured(part, *figures, curves=curves), faults=faults)
    return "\n".join(judged(measurements(found))[0].advice)


def test_json_comes_back_as_it_went() -> None:
    """Pictures, intervals and verdicts included."""
    report = judged(qualified())
    assert parse_report(to_json(*report)) == report


@pytest.mark.parametrize("raw", [b"", b"{}", b"[1]", b'{"format": 2}', b"\xff"])
def test_other_json_is_refused(raw: bytes) -> None:
    with pytest.raises(ModelError, match="qualification report"):
        parse_report(raw)


def test_a_model_that_knows_nothing_is_told_to_look_at_its_labels() -> None:
    """Also which pictures to look at."""
    said = verdicts(np.tile([0.1, 0.2, 0.8, 0.9], 75))
    found = measurements(measure_accuracy(pictures(300), said))
    told = "\n".join(judged(found)[0].advice)
    assert "no better than always saying the commonest class (0.5)" in told
    assert "Look at its surest mistakes first: 1.jpg (car at 0.80)" in told


def test_the_worst_slice_is_named_where_it_is_surely_worse() -> None:
    figures = [Figure("accuracy", 0.9, 0.88, 0.92, 1000), Figure("accuracy.toll", 0.7, 0.62, 0.77, 150)]
    told = advice("accuracy", *figures, Figure("accuracy.bridge", 0.88, 0.8, 0.95, 200))
    assert "Worst slice by source: toll, right in 0.7 of 150 pictures, 0.9 over all" in told
    assert "bridge" not in told


def test_the_class_that_is_missed_is_named_with_what_it_is_called() -> None:
    figures = [Figure("recall.car", 0.98, 0.96, 0.99, 500), Figure("recall.truck", 0.8, 0.75, 0.84, 300)]
    told = advice(
        "accuracy", Figure("accuracy", 0.8, 0.7, 0.9, 800), *figures, Figure("confusion.truck.car", 60, n=300)
    )
    assert "truck is missed more often than car: recall 0.8 of 300 against 0.98 of 500; 60 were called car" in told


def test_the_corruption_is_named_with_the_severity_from_which_it_hurts() -> None:
    points = ((0.0, 0.97), (1.0, 0.95), (2.0, 0.9), (3.0, 0.8), (4.0, 0.6), (5.0, 0.5))
    fog = Curve("accuracy under corruption", "fog", "severity", "accuracy", points)
    told = advice("robustness", Figure("accuracy.clean", 0.97), Figure("corruption.fog", 1.5, 1.2, 1.9), curves=(fog,))
    assert "fog hurts from severity 3 on: accuracy 0.8 there, 0.5 at 5, 0.97 on clean pictures" in told
    assert "Worse than the champion under: fog (1.50 times its errors)" in told


@pytest.mark.parametrize(
    ("part", "figure", "told"),
    [
        ("consistency", Figure("flip", 0.8, 0.7, 0.9, 100), "train with mirrored pictures"),
        ("consistency", Figure("full_precision", 0.8, 0.7, 0.9, 100), "quantising costs too much"),
        ("consistency", Figure("colour_order", -0.5, -0.6, -0.4, 100), "Swap blue and red"),
        ("latency", Figure("p99_ms", 900.0), "p99_ms 900 (at most 350)"),
        ("latency", Figure("reached_share", 0.5), "the backlog grows"),
        (
            "scalability",
            Figure("frames_per_second.1", 9.0),
            "Too few frames per second",
        ),
        ("scalability", Figure("memory_mb_a_worker.2", 900.0), "Too much memory"),
    ],
)
def test_each_part_says_what_to_do(part: Part, figure: Figure, told: str) -> None:
    assert told in advice(part, figure)


def test_a_hard_picture_is_named() -> None:
    """One that crashed as a fault, one that ended otherwise than wanted with what was."""
    cases = error_cases()
    outcomes = {case.name: case.wanted[0] for case in cases} | {"empty": "crashed", "PNG": "predicted"}
    told = judged(measurements(measure_errors(cases, outcomes)))[0].advice
    assert "The processor ended over a picture: empty." in told
    assert "The hard picture “PNG” became a prediction; it should have become a dead letter." in told


def test_a_version_that_does_not_load_is_told_so_alone() -> None:
    """Not one line for each figure that was not measured."""
    found = measurements(Measured("errors", (), faults=(Fault("it does not load: no graph"),)))
    first, second = judged(found)[0].advice
    assert first == "It does not load: no graph."
    assert second.startswith("Not run: accuracy, consistency, latency, robustness, scalability.")


def test_an_approved_part_is_given_no_advice() -> None:
    table = [part for part in judged(qualified())[0].parts if part.approved]
    assert {part.part for part in table} >= {"errors", "latency", "scalability"}
    assert not any("frames per second" in line for line in judged(qualified())[0].advice)


class Balance(HTMLParser):
    """Finds elements that are not closed, and addresses outside the page."""

    VOID = frozenset({"meta", "img", "br", "col"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.outside: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note the element, and where it points."""
        self.open += [] if tag in self.VOID else [tag]
        self.outside += [v for k, v in attrs if k in {"src", "href"} and v and not v.startswith(("data:", "#"))]

    def handle_endtag(self, tag: str) -> None:
        """Close the last one that was opened."""
        assert self.open.pop() == tag


def whole(html: str) -> None:
    """Assert that a page is whole and needs nothing else."""
    balance = Balance()
    balance.feed(html)
    assert (balance.open, balance.outside) == ([], [])
    assert not re.search(r"<script|@import|url\(|nan\b", html)


def test_a_page_is_whole_and_needs_nothing_else() -> None:
    """It says the verdict, the parts and what to improve."""
    html = page(*judged(qualified()))
    whole(html)
    assert "✗ Not approved" in html
    assert "What to improve" in html
    assert all(f'id="{part.part}"' in html for part in judged(qualified())[0].parts)


def test_a_page_of_nothing_is_whole() -> None:
    """A qualification that ended before its first part still has one."""
    whole(page(*judged(measurements())))


def test_a_page_escapes_what_it_shows() -> None:
    """A picture's name is no markup."""
    said = by_brightness([picture.image for picture in pictures(4)])
    odd = [replace(picture, name="<b>x</b>", source='"><i>') for picture in pictures(4)]
    html = page(*judged(measurements(measure_accuracy(odd, replace(said, probabilities=said.probabilities[:, ::-1])))))
    whole(html)
    assert "<b>x</b>" not in html


def test_versions_stand_side_by_side() -> None:
    """Differences are from the first; a version that lacks a part has dashes."""
    other = judged(
        replace(measurements(*qualified().candidate[:2]), subject=replace(qualified().subject, version="other"))
    )
    html = comparison_page([judged(qualified()), other])
    whole(html)
    assert "other" in html
    with pytest.raises(ConfigurationError, match="of 1 versions: two to 4"):
        comparison_page([other])


def test_differences_come_as_json_too() -> None:
    ours, theirs = (judged(measurements(measured("accuracy", Figure("accuracy", value)))) for value in (0.75, 0.5))
    assert b'"differences": [\n          -0.25\n        ]' in comparison_json([ours, theirs])


def test_a_part_may_be_without_figures() -> None:
    whole(page(*judged(measurements(Measured("latency", (), faults=(Fault("no frame came back"),))))))
