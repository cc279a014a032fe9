"""`roadwatch record info` and `verify` on a terminal and in a script."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from producers.recordings.writing import RecordingWriter
from roadwatch.cli import app
from schemas.codec import schema_of
from schemas.records import Prediction
from tests.support.entries import a_recording


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["record", *map(str, arguments)])


@pytest.fixture
def day(tmp_path: Path) -> Path:
    """Two segments of 30 entries to each of four chains."""
    return a_recording(tmp_path / "day")


def test_info_says_what_a_recording_holds(day: Path) -> None:
    found = run("info", day)
    assert found.exit_code == 0
    assert "Recorded from 'test' by test 1" in found.output
    assert "Not complete" not in found.output


def test_info_says_what_is_odd(day: Path) -> None:
    with RecordingWriter.resume(day) as writer:
        writer.schema_number("labels", schema_of(Prediction))
        writer.gap("frames", 1, 70, 79)
    output = run("info", day).output
    assert "Not complete" in output
    assert "labels: schemas of another version: 1 of 2." in output
    assert "frames, partition 1: offsets 70 to 79 are missing." in output


def test_info_is_whole_on_a_narrow_terminal(day: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "50")
    output = run("info", day).output
    assert "…" not in output
    assert "records" in output


def test_info_as_json(day: Path) -> None:
    told = json.loads(run("info", day, "--json").stdout)
    assert (told["records"], told["complete"], told["unsealed"]) == (240, True, [])
    assert told["topics"][0]["schemas"] == ["as ours"]
    assert told["topics"][0]["logged_ms"] == [1_772_452_800_000, 1_772_452_800_590]


def test_verify_exits_0_for_a_sound_recording(day: Path) -> None:
    found = run("verify", day)
    assert found.exit_code == 0
    assert "Sound: 240 entries are whole, 8 of 8 files" in found.output


def test_verify_says_what_is_wrong_and_keeps_what_is_whole(day: Path, tmp_path: Path) -> None:
    torn = day / "labels" / "1-0001.avro"
    size = torn.stat().st_size
    torn.write_bytes(torn.read_bytes()[:-1])
    found = run("verify", day, "--salvage", tmp_path / "kept")
    assert found.exit_code == 1
    assert f"labels/1-0001.avro: torn at byte {size - 1} of {size}: 28 entries are whole, to byte" in found.output
    assert "2 are lost, offsets 58 to 59" in found.output
    assert "Kept 238 entries in" in found.output
    assert run("verify", tmp_path / "kept").exit_code == 0


def test_verify_as_json(day: Path, tmp_path: Path) -> None:
    (day / "recording.json").write_text("{")
    told = json.loads(run("verify", day, "--json", "--salvage", tmp_path / "kept").stdout)
    assert not told["sound"]
    assert "torn or no recording's index" in told["index"]
    assert told["salvaged"]["records"] == 240


def test_a_strangers_recording_cannot_write_on_the_terminal(day: Path) -> None:
    (day / "\x1b[2J").touch()
    (day / "b\udcff").touch()
    found = run("verify", day)
    assert found.exit_code == 0
    assert "\x1b" not in found.output
