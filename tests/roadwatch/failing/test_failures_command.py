"""`roadwatch failures`: what is asked for wrongly is said before anything is read."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from roadwatch.cli import app
from schemas.errors import BrokerUnavailableError, ConfigurationError

Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs it in a folder, with no broker."""
    monkeypatch.chdir(tmp_path)
    environment = {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "COLUMNS": "80"}

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["failures", *arguments], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return call


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("tuesday",), "'tuesday' is no day"),
        (("2026-11-31",), "'2026-11-31' is no day"),
        (("2026-W47",), "is more than a day"),
        (("2026-11-23", "--alert", "accuracy:2026-11-23"), "an alert has its day; leave out 2026-11-23"),
    ],
)
def test_a_day_that_is_none_is_named(run: Run, arguments: tuple[str, ...], fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        run(*arguments)


def test_a_seed_below_nought_is_refused_before_anything_is_read() -> None:
    done = CliRunner().invoke(app, ["failures", "2026-11-23", "--seed", "-1"], env={"COLUMNS": "80"})
    assert done.exit_code == 2
    assert "Invalid value for '--seed'" in done.stderr


def test_a_folder_that_cannot_be_written_is_said_first(run: Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises(ConfigurationError, match="file: File exists"):
        run("2026-11-23", "--out", "file")


def test_nothing_is_left_behind_where_nothing_was_found(run: Run, tmp_path: Path) -> None:
    with pytest.raises(BrokerUnavailableError):
        run("2026-11-23", "--out", "pages")
    assert list(tmp_path.iterdir()) == []


def test_a_broker_that_is_away_is_named(run: Run) -> None:
    with pytest.raises(BrokerUnavailableError, match=r"127\.0\.0\.1:1"):
        run("2026-11-23")
