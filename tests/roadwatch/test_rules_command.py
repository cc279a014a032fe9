"""`roadwatch rules` on the command line."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from monitor.rules import shipped_rules
from producers.recordings.recording import Selection
from roadwatch.backtesting.trying import Request, backtest
from roadwatch.backtesting.variants import chosen_models, chosen_rules
from roadwatch.cli import app
from roadwatch.testing.rules import monitor_settings
from runtime.settings import MonitorSettings, Settings
from schemas.errors import ConfigurationError
from schemas.records import Record
from tests.monitor.rules.days import Counts, a_report
from tests.support.backtests import observed_days, write_recording
from tests.support.replays import entry, recorded

Run = Callable[..., Any]

STRICT = '[[rules]]\nname = "strict"\nmetric = "accuracy"\nscope = "camera"\nthreshold = 0.95\nmin_n = 10\n'


def _record(folder: Path, *days: Mapping[str, Counts], revision: int = 1) -> None:
    """A recording of the reports on days in a row."""
    reports: list[Record] = [a_report(number, counts, revision=revision) for number, counts in enumerate(days)]
    recorded(folder, {("reports", 0): [entry(report, number) for number, report in enumerate(reports)]})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs it in a folder with `strict.toml` and the recording `live`: a is bad from the second to the third of four."""
    (tmp_path / "strict.toml").write_text(STRICT)
    good, bad = {"a": (99, 100), "b": (99, 100)}, {"a": (60, 100), "b": (99, 100)}
    _record(tmp_path / "live", good, bad, bad, good)
    monkeypatch.chdir(tmp_path)
    environment = {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "COLUMNS": "120"}

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["rules", *arguments], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return call


def test_a_sound_table_is_said_to_be_sound(run: Run) -> None:
    assert run("check", "strict.toml") == "strict.toml: 1 rule, no fault.\n"
    assert run("check", "strict.toml", "--json") == {"faults": [], "rules": ["strict"]}
    assert run("check").startswith("The rules that ship: 11 rules")


def test_the_rules_in_force_are_those_of_the_settings(run: Run, tmp_path: Path) -> None:
    (tmp_path / "roadwatch.toml").write_text('[monitor]\nrules_file = "strict.toml"\n')
    assert run("check", "--json")["rules"] == ["strict"]


def test_all_faults_of_settings_and_rules_are_told_at_once(run: Run, tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(f"[monitor]\nmin_labels = 0\n{STRICT}{STRICT}treshold = 5\n")
    with pytest.raises(ConfigurationError) as caught:
        run("check", "bad.toml")
    assert caught.value.where == "bad.toml"
    assert [fault.split(":")[0] for fault in caught.value.faults] == [
        "monitor.min_labels",
        *["rule 'strict' (number 2)"] * 2,
    ]


def test_settings_beside_rules_are_said_to_be_for_backtests(run: Run, tmp_path: Path) -> None:
    (tmp_path / "both.toml").write_text(f"[monitor]\nmin_labels = 5\n{STRICT}")
    assert "Its [monitor] table (min_labels) is for backtests" in run("check", "both.toml")


def test_a_rule_is_explained_in_words_and_numbers(run: Run) -> None:
    said = run("explain", "--rule", "accuracy")
    assert "It fires (critical) when it is below 60%, on 50 labelled vehicles or more." in said
    assert "18.61%" in said
    assert "camera-accuracy" not in said
    (plain,) = run("explain", "--rule", "accuracy-sure", "--json")
    assert {"truth": 0.4, "n": 500, "days": 1} in plain["catches"]


def test_a_rule_that_there_is_not_is_told(run: Run) -> None:
    with pytest.raises(ConfigurationError, match="no rule 'nobody'; strict"):
        run("explain", "strict.toml", "--rule", "nobody")


def test_a_backtest_says_what_rules_would_have_raised_and_when(run: Run) -> None:
    """Days in a row are one trouble."""
    plain = run("backtest", "strict.toml", "current", "--recording", "live", "--json")
    assert len(plain["days"]) == 4
    (trouble,) = plain["troubles"]["strict"]
    assert (trouble["rule"], trouble["camera"], trouble["days"]) == ("strict", "a", ["2026-03-03", "2026-03-04"])
    assert plain["troubles"]["current"] == []
    said = run("backtest", "strict.toml", "--recording", "live")
    assert "strict: 1 trouble in 4 days, from 2026-03-02 to 2026-03-05." in said
    assert "2026-03-03 to 2026-03-04" in said


def test_only_the_troubles_of_some_days_are_told(run: Run) -> None:
    backtest = ("backtest", "strict.toml", "--recording", "live", "--json")
    assert run(*backtest, "--from", "2026-03-05")["troubles"] == {"strict": []}
    assert len(run(*backtest, "--from", "2026-03-04", "--to", "2026-03-04")["troubles"]["strict"]) == 1
    with pytest.raises(ConfigurationError, match="--from"):
        run(*backtest, "--from", "yesterday")


def test_days_that_no_report_tells_of_are_not_judged(run: Run) -> None:
    """Nothing is said of days that were not there, and of those that were not asked for."""
    backtest = ("backtest", "strict.toml", "--recording", "live")
    assert "0 troubles in 1 day, from 2026-03-05 to 2026-03-05" in run(*backtest, "--from", "2026-03-05")
    assert run(*backtest, "--to", "2026-03-03", "--json")["days"] == ["2026-03-02", "2026-03-03"]
    there = "there are reports of 2026-03-02 to 2026-03-05"
    with pytest.raises(ConfigurationError, match=f"--from.*\n.*no report of the days from 2026-04-01 on; {there}"):
        run(*backtest, "--from", "2026-04-01")
    with pytest.raises(ConfigurationError, match=f"--to.*\n.*no report of the days to 2026-03-01; {there}"):
        run(*backtest, "--to", "2026-03-01")
    with pytest.raises(ConfigurationError, match="2026-03-02 is before 2026-03-04, which --from says"):
        run(*backtest, "--from", "2026-03-04", "--to", "2026-03-02")


def test_a_window_is_explained_by_the_labels_of_a_day(run: Run, tmp_path: Path) -> None:
    """Seven days of 15 labels are a window of 105, the first that has a hundred."""
    week = '[[rules]]\nname = "week"\nmetric = "accuracy"\nthreshold = 0.7\nmin_n = 100\nwindow = 7\n'
    (tmp_path / "week.toml").write_text(week)
    (tmp_path / "day.toml").write_text(week.replace("window = 7", "window = 1").replace("100", "105"))
    (weekly,), (daily,) = run("explain", "week.toml", "--json"), run("explain", "day.toml", "--json")
    first, alone = weekly["false_alarms"][0], daily["false_alarms"][0]
    assert (first["n"], alone["n"]) == (15, 105)
    assert first["chance"] == alone["chance"]
    assert "over the labels of its 7 days" in run("explain", "week.toml")


def test_windows_in_a_row_have_no_chance_that_could_be_told(run: Run, tmp_path: Path) -> None:
    """They overlap: the chance of one is not that of all."""
    (tmp_path / "both.toml").write_text(STRICT + "window = 7\nfor_days = 2\n")
    assert "No chance of a false alarm can be told" in run("explain", "both.toml")


def test_without_reports_there_is_nothing_to_judge(run: Run, tmp_path: Path) -> None:
    recorded(tmp_path / "empty", {("labels", 0): []})
    with pytest.raises(ConfigurationError, match="roadwatch backtest empty --rules FILE"):
        run("backtest", "strict.toml", "--recording", "empty")


def test_a_file_of_rules_serves_backtests_and_tests(tmp_path: Path) -> None:
    """With settings beside, without, and settings alone as ever."""
    (tmp_path / "both.toml").write_text(f"[monitor]\nmin_labels = 5\n{STRICT}")
    (tmp_path / "settings.toml").write_text("[monitor]\nmin_accuracy = 0.9\n")
    both, settings = chosen_rules([str(tmp_path / "both.toml"), str(tmp_path / "settings.toml")], Settings())
    assert (both.settings.min_labels, [rule.name for rule in both.rules]) == (5, ["strict"])
    assert settings.rules == shipped_rules(0.9, 50)
    tried = monitor_settings(tmp_path / "both.toml", {"min_labels": 7}, MonitorSettings(group="test"))
    assert (tried.min_labels, tried.rules_file, tried.group) == (7, tmp_path / "both.toml", "test")


def test_faults_of_rules_are_named_before_a_recording_is_read(tmp_path: Path) -> None:
    (tmp_path / "bad.toml").write_text(STRICT.replace("0.95", "95"))
    with pytest.raises(ConfigurationError, match=r"rule 'strict': threshold = 95\.0: accuracy is a share, 0 to 1"):
        chosen_rules([str(tmp_path / "bad.toml")], Settings())
    with pytest.raises(ConfigurationError, match="rule 'strict'"):
        monitor_settings(tmp_path / "bad.toml", None, MonitorSettings())


def test_a_recording_is_folded_with_the_rules_of_a_file(tmp_path: Path) -> None:
    """`roadwatch backtest` raises their alerts."""
    (tmp_path / "strict.toml").write_text(STRICT)
    observed = observed_days(days=2, wrong=0.6)
    recording = write_recording(tmp_path / "bad", observed)
    settings = Settings()
    rules = chosen_rules([str(tmp_path / "strict.toml"), "current"], settings)
    request = Request(recording, chosen_models([], settings.models), rules, Selection(), settings.processor)
    strict, current = backtest(request, lambda _what, _done, _total: None).comparison.ran
    assert "strict" in {alert.rule for alert in strict.alerts.values()}
    assert "strict" not in {alert.rule for alert in current.alerts.values()}
