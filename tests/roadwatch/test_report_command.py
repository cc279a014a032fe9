"""`roadwatch report` on the command line, with a recording for a cluster."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from roadwatch.cli import app
from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.records import DayReport, Record
from tests.support.records import a_frame
from tests.support.replays import entry, recorded
from tests.support.reports import a_bad_day, a_report, days_before

Run = Callable[..., Any]
PICTURE = cv2.imencode(".jpg", np.full((90, 120, 3), 90, np.uint8))[1].tobytes()


def _recording(folder: Path, *reports: DayReport) -> None:
    """Reports, and the frame of the first that is to be looked at."""
    worst = a_bad_day().cameras[1].worst[0]
    frame = a_frame(100, "gate-north", frame_id=worst.frame_id, captured_at=worst.captured_at, picture=PICTURE)
    kept: dict[str, list[Record]] = {"reports": [*reports], "frames": [frame]}
    recorded(folder, {(topic, 0): [entry(each, n) for n, each in enumerate(all_of)] for topic, all_of in kept.items()})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs it in a folder with the recording `live` of fourteen days, the last in two revisions."""
    _recording(tmp_path / "live", a_bad_day(), *days_before(), a_report())
    monkeypatch.chdir(tmp_path)
    environment = {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "COLUMNS": "80"}

    def call(*arguments: str, recording: str = "live") -> Any:
        given = ["--recording", recording] if recording else []
        done = CliRunner().invoke(app, ["report", *arguments, *given], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return call


def test_a_day_is_shown_with_how_sure_its_figures_are(run: Run) -> None:
    said = run("show", "2026-11-23")
    assert "Right on 454 of 506 labelled vehicles: 89.7\u00a0% (95 % interval 86.8 to 92.1)." in said
    for words in (
        "Fog at gate-north",
        "31 labels came late",
        "said truck",
        "light dim",
        "magnetic",
        "inference",
    ):
        assert words in said


def test_the_latest_is_shown_where_no_day_is_named(run: Run) -> None:
    assert run("show").startswith("Monday, 23 November 2026, revision 2")


def test_json_is_the_record(run: Run) -> None:
    told = run("show", "latest", "--json")
    assert (told["day"], told["revision"], told["starts_at"]) == ("2026-11-23", 2, "2026-11-22T23:00:00+00:00")
    assert told["cameras"][1]["findings"][0]["signal"] == "contrast"


def test_a_line_a_day_fits_on_eighty_columns(run: Run) -> None:
    lines = run("list", "--from", "2026-11-20").splitlines()
    assert [line[:10] for line in lines[2:]] == ["2026-11-20", "2026-11-21", "2026-11-22", "2026-11-23"]
    assert max(map(len, lines)) <= 80


def test_days_as_json_hold_accuracy_with_its_interval(run: Run) -> None:
    first, *_, last = run("list", "--json")
    assert first["accuracy"] is None
    assert last["accuracy"]["low"] < last["accuracy"]["value"] < last["accuracy"]["high"]


def test_a_week_is_that_of_the_newest_report_unless_it_is_named(run: Run) -> None:
    assert (run("week", "--json")["from"], run("week", "2026-W46", "--json")["from"]) == ("2026-11-23", "2026-11-09")


def test_several_days_are_summed_up_however_they_are_named(run: Run) -> None:
    told = run("range", "--from", "2026-11-16", "--to", "2026-11-22", "--json")
    assert told == run("show", "2026-W47", "--json") == run("show", "2026-11-16..2026-11-22", "--json")
    assert "7 reports" in run("show", "2026-W47")


def test_a_page_holds_pictures_and_says_which_are_gone(run: Run, tmp_path: Path) -> None:
    assert run("export").strip() == "report-2026-11-23.html"
    page = (tmp_path / "report-2026-11-23.html").read_text(encoding="utf-8")
    assert page.count('src="data:image/jpeg;base64,') == 1
    assert page.count("picture no longer kept") == 4


def test_several_days_are_a_page_too(run: Run, tmp_path: Path) -> None:
    run("export", "2026-W47")
    page = (tmp_path / "report-2026-11-16..2026-11-22.html").read_text(encoding="utf-8")
    assert "<h1>2026-11-16 to 2026-11-22</h1>" in page


def test_json_is_exported_as_it_is_shown(run: Run, tmp_path: Path) -> None:
    run("export", "latest", "--to", "day.json")
    assert json.loads((tmp_path / "day.json").read_text(encoding="utf-8")) == run("show", "--json")


def test_what_is_shown_is_neither_markup_nor_tells_the_terminal_anything(run: Run, tmp_path: Path) -> None:
    report = a_bad_day()
    camera = replace(report.cameras[0], camera_id="[red]\x1b[2J")
    _recording(tmp_path / "foreign", replace(report, cameras=(camera,)))
    said = run("show", recording="foreign")
    assert "[red]�[2J" in said
    assert "\x1b" not in said


def test_a_day_that_is_not_there_says_which_are(run: Run) -> None:
    with pytest.raises(
        ConfigurationError, match="no report of 2026-12-24; there are reports of 2026-11-10 to 2026-11-23"
    ):
        run("show", "2026-12-24")


def test_without_reports_it_says_when_there_will_be_one(run: Run, tmp_path: Path) -> None:
    _recording(tmp_path / "empty")
    assert "no report yet: the monitor makes one when a day has closed" in run("list", recording="empty")
    assert run("list", "--json", recording="empty") == []
    with pytest.raises(ConfigurationError, match="no report yet"):
        run("export", recording="empty")


def test_a_file_of_another_kind_or_place_is_refused(run: Run) -> None:
    with pytest.raises(ConfigurationError, match=r"report\.pdf: neither a page"):
        run("export", "--to", "report.pdf")
    with pytest.raises(ConfigurationError, match="No such file or directory"):
        run("export", "--to", "nowhere/report.html")


def test_without_a_broker_it_says_what_to_do(run: Run) -> None:
    with pytest.raises(BrokerUnavailableError, match=r"kafka\.bootstrap_servers"):
        run("show", recording="")


def test_a_recording_without_frames_has_no_pictures(run: Run, tmp_path: Path) -> None:
    recorded(tmp_path / "bare", {("reports", 0): [entry(a_bad_day(), 0)]})
    run("export", "--to", "bare.html", recording="bare")
    assert (tmp_path / "bare.html").read_text(encoding="utf-8").count("picture no longer kept") == 5


def test_days_may_be_words_wherever_a_day_is_asked_for(run: Run) -> None:
    told = run("range", "--from", "2026-11-22", "--to", "latest", "--json")
    assert (told["from"], told["to"]) == ("2026-11-22", "2026-11-23")
    assert told == run("show", "2026-11-22..latest", "--json")
    assert [line["day"] for line in run("list", "--from", "latest", "--json")] == ["2026-11-23"]


@pytest.mark.parametrize("command", ["list", "range"])
def test_days_the_wrong_way_round_are_refused(run: Run, command: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--to(?s:.)*2026-11-20"):
        run(command, "--from", "2026-11-22", "--to", "2026-11-20")


@pytest.mark.parametrize("option", ["--from", "--to"])
def test_the_option_that_names_no_day_is_blamed(run: Run, option: str) -> None:
    days = {"--from": "2026-11-20", "--to": "2026-11-22", option: "soon"}
    with pytest.raises(
        ConfigurationError, match=f"^{option}(?s:.)*'soon' is no day; write latest, yesterday, or a day"
    ):
        run("range", *(word for pair in days.items() for word in pair))
