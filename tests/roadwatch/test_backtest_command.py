"""`roadwatch backtest` on the command line."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.bundle import load_bundle
from roadwatch.backtesting import trying
from roadwatch.cli import app
from runtime.settings import MonitorSettings
from schemas.errors import ConfigurationError, RecordingError
from schemas.records import Frame
from tests.support.backtests import filmed_days, live_run, tiny, write_recording

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs it without a Kafka, in a folder with the recording `day` and the models `a` and `b`."""
    tiny(tmp_path / "a", "tiny-a")
    tiny(tmp_path / "b", "tiny-b", scale=-0.1)
    frames = filmed_days()
    torn = [
        replace(each, record=replace(each.record, picture=b"no picture"))
        for each in frames[:1]
        if isinstance(each.record, Frame)
    ]
    write_recording(
        tmp_path / "day", [*frames, *torn, *live_run(frames, load_bundle(tmp_path / "a"), MonitorSettings())]
    )
    monkeypatch.chdir(tmp_path)
    environment = {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "COLUMNS": "120"}

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["backtest", *arguments], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return call


def test_it_says_who_is_better_and_where_the_page_is(run: Run, tmp_path: Path) -> None:
    said = run("day", "--model", "a", "--model", "b")
    assert said.startswith("tiny-a is better: right on 24 of 24 labelled vehicles (100.0 %), tiny-b on 0 (0.0 %).")
    assert "roadwatch-data/backtest/day/index.html" in said
    assert (tmp_path / "roadwatch-data" / "backtest" / "day" / "index.html").read_text().startswith("<!doctype html>")


def test_json_is_what_lies_beside_the_page(run: Run, tmp_path: Path) -> None:
    plain = run("day", "--model", "a", "--out", str(tmp_path / "out"), "--json")
    assert plain == json.loads((tmp_path / "out" / "backtest.json").read_text())
    assert plain["counts"]["unreadable pictures"] == 1
    assert [variant["name"] for variant in plain["variants"]] == ["tiny-a, current"]


def test_the_registry_is_left_as_it_was(run: Run, tmp_path: Path) -> None:
    run("day", "--model", "champion", "--to", "2026-03-02T06:00Z")
    assert not (tmp_path / "roadwatch-data" / "registry").exists()


def test_a_torn_recording_is_refused_with_what_to_do(run: Run, tmp_path: Path) -> None:
    segment = next((tmp_path / "day" / "frames").glob("*.avro"))
    segment.write_bytes(segment.read_bytes()[:-100])
    with pytest.raises(RecordingError, match=r"torn.*roadwatch record verify"):
        run("day", "--model", "a")
    shutil.rmtree(tmp_path / "day")
    with pytest.raises(RecordingError, match="no such recording"):
        run("day")


def test_times_that_are_none_or_the_wrong_way_round_are_refused(run: Run) -> None:
    with pytest.raises(ConfigurationError, match="'noon' is no time"):
        run("day", "--from", "noon")
    with pytest.raises(ConfigurationError, match="is not after --from"):
        run("day", "--from", "2026-03-03", "--to", "2026-03-02")


def test_ctrl_c_leaves_no_page(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(trying, "compared", interrupted)
    run("day", "--model", "a", "--out", str(tmp_path / "out"))
    assert not (tmp_path / "out").exists()


def test_a_folder_that_can_never_be_made_is_refused_before_anything_is_read(run: Run, tmp_path: Path) -> None:
    """The recording is not even there."""
    (tmp_path / "file").touch()
    with pytest.raises(ConfigurationError, match=r"--out: .*\n.*file is no folder"):
        run("nowhere", "--out", "file/page")


def test_a_folder_that_cannot_be_written_is_named(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigurationError, match="--out"):
        run("day", "--out", str(tmp_path / "file" / "out"))
