"""`roadwatch record`: a group whose first argument may be a folder; its times and durations."""

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from roadwatch.cli import app
from roadwatch.commands.record.times import duration, instant
from schemas.errors import ConfigurationError
from tests.support.entries import a_recording


@pytest.mark.parametrize("line", ["record", "record --help", "record -h", "record FOLDER --help"])
def test_the_options_of_recording_are_in_the_help(line: str) -> None:
    said = CliRunner().invoke(app, line.split()).output
    assert "--follow" in said
    assert "FOLDER" in said


@pytest.mark.parametrize(
    "line",
    [
        "record {} --topic nothing",
        "record --topic nothing {}",
        "record keep {} --topic nothing",
        "record --topic=nothing {}",
    ],
)
def test_a_folder_is_recorded_into_wherever_it_stands(line: str, tmp_path: Path) -> None:
    """It is refused here for its topic, before anything is made."""
    result = CliRunner().invoke(app, line.format(tmp_path / "r").split())
    assert isinstance(result.exception, ConfigurationError)
    assert "no topic 'nothing'; there are frames, " in str(result.exception)
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("line", ["record {}", "record verify nothing --salvage {}"])
def test_a_recording_is_not_made_in_a_zip_file(line: str, tmp_path: Path) -> None:
    """Or in any other file; a folder whose name ends so would be taken for one."""
    (tmp_path / "notes").touch()
    for name, said in (("day.zip", "record merge"), ("notes", "is a file")):
        result = CliRunner().invoke(app, line.format(tmp_path / name).split())
        assert isinstance(result.exception, ConfigurationError)
        assert said in str(result.exception)
    assert not (tmp_path / "day.zip").exists()


@pytest.mark.parametrize("limit", ["8", "unlimited"])
def test_a_salvage_is_there_whole_or_not_at_all(tmp_path: Path, limit: str) -> None:
    """Half a salvage would be taken for all that could be saved."""
    day = a_recording(tmp_path / "day", entries=2000)
    (day / "recording.json").write_text("{")
    command = f"ulimit -f {limit}; exec {sys.executable} -m roadwatch record verify {day} --salvage {tmp_path / 'kept'}"
    found = subprocess.run(["/bin/bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    whole = {"day", "kept"} if limit == "unlimited" else {"day"}
    assert (found.returncode, {path.name for path in tmp_path.iterdir()}) == (1, whole)
    assert ("kept: cannot be written: File too large\n" in found.stderr) == (limit == "8")


def test_a_named_command_is_that_command() -> None:
    assert "--follow" not in CliRunner().invoke(app, ["record", "verify", "--help"]).output


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("2026-11-23", datetime(2026, 11, 22, 23, tzinfo=UTC)),
        ("2026-11-23T06:30+01:00", datetime(2026, 11, 23, 5, 30, tzinfo=UTC)),
        ("2026-11-23T06:30:00.5Z", datetime(2026, 11, 23, 6, 30, 0, 500_000, tzinfo=UTC)),
    ],
)
def test_times_have_their_zone_and_days_the_roads(text: str, meant: datetime) -> None:
    assert instant(text, "Europe/Berlin", "--from") == meant


@pytest.mark.parametrize("text", ["", "noon", "2026-13-01", "2026-11-23T06:30"])
def test_what_is_no_time_is_said(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--from: 1 to mend"):
        instant(text, "UTC", "--from")


@pytest.mark.parametrize(
    ("text", "meant"),
    [("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400), ("0.5s", 0.5)],
)
def test_durations(text: str, meant: float) -> None:
    assert duration(text, "--for") == timedelta(seconds=meant)


@pytest.mark.parametrize("text", ["", "90", "0s", "-1m", "1y", "1h30m"])
def test_what_is_no_duration_is_said(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"--for: 1 to mend"):
        duration(text, "--for")
