"""The page of a day's report, and that of several: it needs nothing else, hides nothing, and is drawn where it should be."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta

import cv2
import numpy as np
import pytest

from models.bundle import BUNDLED, load_bundle
from monitor.signals import SIGNALS
from roadwatch.reporting import plots, rows
from roadwatch.reporting.cards import UNKNOWN, cards
from roadwatch.reporting.days import Span
from roadwatch.reporting.figures import plain
from roadwatch.reporting.page import day_page, range_page
from roadwatch.reporting.pictures import HEIGHT, small_pictures
from roadwatch.reporting.ranges import day_line, summary
from roadwatch.reporting.strips import Axis, share_axis
from runtime.settings import ModelSettings
from schemas.records import DayReport, SignalScores
from tests.support.reports import MONDAY, a_bad_day, a_finding, a_report, days_before

HOSTILE = "<script>alert('x')</script>"
FETCHED = re.compile(r"""@import|url\(|(?:src|href|action|data)="(?!data:image/jpeg;base64,|#)""")
"What a page would fetch."


def a_page(report: DayReport | None = None, pictures: dict[str, bytes] | None = None) -> str:
    return day_page(report or a_bad_day(), days_before(), pictures or {}, {})


def a_range_page() -> str:
    return range_page(summary(Span(MONDAY - timedelta(days=14), MONDAY), [*days_before(), a_bad_day()]))


@pytest.mark.parametrize("made", [a_page, a_range_page])
def test_a_page_needs_nothing_else(made: Callable[[], str]) -> None:
    page = made()
    assert "http" not in page
    assert "<script" not in page
    assert not FETCHED.findall(page)


def test_a_page_says_how_sure_its_figures_are() -> None:
    page = a_page()
    assert "Right on 454 of 506 labelled vehicles: 89.7\u00a0%" in page
    assert "95 % interval 86.8 to 92.1" in page
    assert "88.8 to 92.8, without labels" in page


def test_a_page_tells_alerts_changes_findings_devices_and_frames() -> None:
    page = a_page()
    for words in ("Fog at gate-north", "31 labels came late", "ramp-east", "dusk, as every day", "pressure, hPa"):
        assert words in page
    assert page.count("picture no longer kept") == 5


def test_a_page_of_a_day_without_anything_is_made() -> None:
    nobody = a_report(cameras={"gate": (0, 0, 0, 0)}, stages=(), labels={})
    page = day_page(nobody, [], {}, {})
    assert "No vehicle is labelled" in page
    assert "Nothing." in page


def test_names_that_are_markup_are_shown_as_they_are() -> None:
    report = a_bad_day()
    worst = replace(report.cameras[1].worst[0], frame_id=HOSTILE, predicted=HOSTILE)
    found = replace(report.cameras[1].findings[0], camera_id=HOSTILE, signal=HOSTILE, note=HOSTILE)
    camera = replace(report.cameras[1], camera_id=HOSTILE, findings=(found,), worst=(worst,))
    page = a_page(replace(report, cameras=(camera,), changes=(HOSTILE,), model_versions=(HOSTILE,)))
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page


def test_the_same_report_makes_the_same_page() -> None:
    assert a_page() == a_page()


def test_a_page_holds_the_report_as_json() -> None:
    (document,) = re.findall(r"<pre>(.*?)</pre>", a_page(), re.DOTALL)
    told = json.loads(document.replace("&#34;", '"').replace("&#39;", "'"))
    assert told == json.loads(json.dumps(plain(a_bad_day())))


def test_pictures_are_embedded() -> None:
    worst = a_bad_day().cameras[1].worst[0].frame_id
    assert 'src="data:image/jpeg;base64,/9g="' in a_page(pictures={worst: b"\xff\xd8"})


def test_a_model_that_ships_has_a_card_and_another_says_why_not() -> None:
    version = load_bundle(BUNDLED).version
    found = cards(ModelSettings(registry="/nowhere/at/all"), [version, "road-0-0"])
    assert found["road-0-0"] == UNKNOWN
    page = day_page(a_report(), [], {}, found)
    assert "Tells cars from trucks" in page
    assert f"No card: {UNKNOWN}" in page


def test_a_picture_is_made_small_and_what_is_none_is_left_out() -> None:
    large = cv2.imencode(".jpg", np.zeros((600, 900, 3), np.uint8))[1].tobytes()
    found = small_pictures({"a": large, "b": b"no picture"}, 10**7)
    image = cv2.imdecode(np.frombuffer(found.pop("a"), np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert (image.shape, found) == ((HEIGHT, 240, 3), {})


# What is drawn


def test_days_without_labels_interrupt_nothing_but_have_no_point() -> None:
    """Of three days the middle one has an estimate alone."""
    days = [day_line(each) for each in days_before(13)[4:7]]
    assert [line.accuracy is None for line in days] == [False, True, False]
    drawn = plots.trend(days)
    assert drawn is not None
    assert [dot.colour for dot in drawn.dots].count(plots.OURS) == 2
    assert [dot.colour for dot in drawn.dots].count(plots.ESTIMATED) == 3


def test_one_day_alone_is_no_trend() -> None:
    assert plots.trend([day_line(a_report())]) is None


def test_estimates_with_a_day_missing_between_them_are_two_areas() -> None:
    days = days_before(5)
    drawn = plots.trend([day_line(each) for each in (*days[:2], *days[3:])])
    assert drawn is not None
    assert len(drawn.areas) == 2


def test_every_coordinate_lies_in_the_plot() -> None:
    report = a_bad_day()
    drawn = plots.hours([each for each in report.slices if each.dimension == "hour"], report.scores.accuracy)
    assert drawn is not None
    assert all(drawn.box.left <= dot.x <= drawn.box.right for dot in drawn.dots)
    assert all(drawn.box.top <= dot.y <= drawn.box.bottom for dot in drawn.dots)


def test_a_phone_sees_the_newest_day_with_few_dates_below() -> None:
    """The plot is as wide as a phone: nothing has to be pushed aside."""
    drawn = plots.trend([day_line(each) for each in (*days_before(), a_bad_day())], plots.NARROW)
    assert drawn is not None
    assert drawn.box.width < 400
    assert max(dot.x for dot in drawn.dots) < drawn.box.right
    assert [tick.label for tick in drawn.x_ticks] == ["16 Nov", "23 Nov"]


def test_signals_stand_in_tables_as_narrow_as_a_page() -> None:
    """Those of the pictures apart from those of the model: ten columns beside each other were cut."""
    found = [replace(camera, signals=_all_signals()) for camera in a_bad_day().cameras]
    grids = rows.signal_grids(replace(a_bad_day(), cameras=tuple(found)))
    assert [grid.names for grid in grids] == [
        ("brightness", "contrast", "noise", "sharpness", "structure"),
        ("abstention", "class-mix", "confidence", "errors", "flip"),
    ]
    assert len({grid.axes[0] for grid in grids}) == 1


def test_signals_have_the_words_of_mails_and_are_explained_where_they_are_shown() -> None:
    page = a_page(replace(a_bad_day(), cameras=(replace(a_bad_day().cameras[0], signals=_all_signals()),)))
    for words in ("picture&#39;s grain", "scene&#39;s difference", "share of frames that dissent"):
        assert f"<th>{words}</th>" in page
        assert page.count(f"<b>{words.capitalize()}</b>: ") == 1
    assert 'class="soft meanings"' not in a_page(a_report())


def _all_signals() -> tuple[SignalScores, ...]:
    return tuple(SignalScores(each.name, 140, 0.5, 0.1, 0.4, 1.0, 0.01, True) for each in SIGNALS)


def test_what_is_surely_worse_has_its_own_colour() -> None:
    found = {row.scores.value: row.strip for row in rows.slice_rows(a_bad_day()).rows}
    worse = {name for name, strip in found.items() if strip and strip.colour == plots.BAD}
    assert worse == {"dim", "small", "gate-north/lane-1", "gate-north/lane-2"}


def test_few_labels_do_not_stretch_an_axis() -> None:
    assert share_axis([(0.95, 0.93, 400), (0.9, 0.2, 3)], None).low == share_axis([(0.95, 0.9, 400)], None).low


def test_what_lies_outside_an_axis_is_at_its_end() -> None:
    axis = Axis(0.5, 1.0)
    assert [axis.at(value) for value in (0.2, 0.75, 1.1)] == [0.0, 50.0, 100.0]


def test_a_finding_lasts_to_the_end_of_the_day_or_as_long_as_it_did() -> None:
    found = {row.finding.signal: row for row in rows.finding_rows(a_bad_day()).rows}
    assert (found["clock"].until, found["clock"].strip.high) == ("lasts", 100.0)
    assert (found["contrast"].since, found["contrast"].until) == ("06:00", "09:30")
    assert found["contrast"].strip.low == pytest.approx(25.0)


def test_a_day_on_which_clocks_are_put_back_has_an_hour_more() -> None:
    axis = rows.finding_rows(a_report(date(2026, 10, 25))).axis
    assert [tick.label for tick in axis.ticks] == ["00:00", "06:00", "12:00", "18:00", "24:00"]
    assert axis.ticks[1].at == pytest.approx(28.0)


def test_the_mix_of_classes_has_one_row_for_each_who_knows_it() -> None:
    colours, mix = rows.mix_rows(a_bad_day(), days_before())
    assert list(colours) == ["car", "truck"]
    assert [row.what for row in mix] == ["the model says", "estimated", "labels say", "it said before"]
    assert all(sum(part.width for part in row.segments) == pytest.approx(100.0) for row in mix)


def test_a_slice_that_is_never_right_is_drawn() -> None:
    none_right = replace(a_bad_day().slices[-1], accuracy=0.0, low=0.0, high=0.2)
    (row,) = rows.slice_rows(a_report(slices=(none_right,))).rows
    assert row.strip is not None
    assert row.strip.at == 0.0


def test_what_began_on_an_earlier_day_says_on_which() -> None:
    report = a_report()
    found = a_finding("gate", "clock", report.starts_at - timedelta(hours=6))
    camera = replace(report.cameras[0], findings=(found,))
    (row,) = rows.finding_rows(replace(report, cameras=(camera,))).rows
    assert (row.since, row.strip.low) == ("22 Nov 18:00", 0.0)
