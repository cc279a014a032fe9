"""Backtests: equal to the live run with its model and rules, and telling where they differ with others."""

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from html.parser import HTMLParser
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from models.bundle import load_bundle
from monitor.offline import OfflineMonitor
from monitor.policies import policy, rules_of
from producers.recordings.recording import Selection
from roadwatch.backtesting.feeding import Feed
from roadwatch.backtesting.trying import Request, Result, backtest
from roadwatch.backtesting.variants import CURRENT, RECORDED, chosen_models, chosen_rules
from runtime.settings import ModelSettings, MonitorSettings, Settings
from schemas.errors import ConfigurationError, ModelError, RecordingError
from schemas.records import Alert, AlertAction, Frame, Label, Observations, Record, Telemetry
from schemas.times import EPOCH, MILLISECOND
from tests.monitor.recorded import Logged as Recorded
from tests.monitor.recorded import corrections, fed, live, offline, recorded, told
from tests.monitor.world import START, traffic
from tests.monitor.world import policy as policy_with
from tests.support.backtests import (
    Logged,
    as_received_by_monitor,
    filmed_days,
    judged,
    live_run,
    measured_days,
    observed_days,
    tiny,
    write_recording,
)

MONITOR = MonitorSettings(min_labels=5)

POLICIES = {
    "patient": policy_with(label_patience=timedelta(days=2)),
    "hasty": policy_with(label_patience=timedelta(hours=2)),
    "without patience": policy_with(),
}

Try = Callable[..., Result]


@pytest.fixture(scope="module")
def road(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two models, tiny-a and tiny-b, and two days on which tiny-a served."""
    folder = tmp_path_factory.mktemp("road")
    tiny(folder / "a", "tiny-a")
    tiny(folder / "b", "tiny-b", scale=-0.1)
    frames = filmed_days()
    write_recording(folder / "day", [*frames, *live_run(frames, load_bundle(folder / "a"), MONITOR)])
    write_recording(folder / "frames", frames)
    (folder / "strict.toml").write_text("[monitor]\nmin_accuracy = 1.0\nmin_labels = 1\n")
    return folder


@pytest.fixture
def tried(road: Path, tmp_path: Path) -> Try:
    """Runs a backtest of a recording in that folder, with models by their folders there."""
    settings = Settings(monitor=MONITOR, models=ModelSettings(registry=str(tmp_path / "registry")))

    def call(recording: str, *models: str, rules: tuple[str, ...] = (), **selection: Any) -> Result:
        found = [name if name in (RECORDED, "bundled") else str(road / name) for name in models]
        files = [name if name == CURRENT else str(road / name) for name in rules]
        request = Request(
            road / recording,
            chosen_models(found, settings.models),
            chosen_rules(files, settings),
            Selection(**selection),
            settings.processor,
        )
        return backtest(request, lambda _what, _done, _total: None)

    return call


@pytest.mark.parametrize("model", ["a", RECORDED])
def test_the_live_runs_model_and_rules_give_its_reports_to_the_byte(tried: Try, model: str) -> None:
    days = tried("day", model).comparison.live
    assert [day.day for day in days] == ["2026-03-02", "2026-03-03"]
    assert all(day.equal for day in days)


def test_alerts_stand_beside_those_of_the_live_run(tried: Try, tmp_path: Path) -> None:
    observed = observed_days(days=2, wrong=0.6)
    write_recording(tmp_path / "bad", [*observed, *judged(observed, MONITOR)])
    strict, current = tried(str(tmp_path / "bad"), rules=("strict.toml", CURRENT)).comparison.live_alerts
    assert current.same
    assert current.equal == 1
    assert strict.differ == ("accuracy:2026-03-02",)


def test_an_alert_stands_beside_the_live_one_as_each_was_told_last(tried: Try, tmp_path: Path) -> None:
    """Two bad days are one alert, told at the end of each."""
    observed = observed_days(days=2, wrong=0.6)
    write_recording(tmp_path / "bad", [*observed, *judged(observed, MONITOR)])
    outcome = tried(str(tmp_path / "bad")).comparison.outcome
    (live,), (backtest,) = outcome.live.alerts.values(), outcome.ran[0].alerts.values()
    assert (live.alert_id, live.day) == ("accuracy:2026-03-02", "2026-03-03")
    assert backtest == live


def test_an_alert_that_was_told_after_the_last_report_is_not_only_the_backtests(tried: Try, tmp_path: Path) -> None:
    """Its last day has no report yet; it differs in that day, and is there on both sides."""
    observed = observed_days(days=2, wrong=0.6)
    said = [
        replace(each, record=replace(each.record, day="2026-03-04")) if isinstance(each.record, Alert) else each
        for each in judged(observed, MONITOR)
    ]
    write_recording(tmp_path / "bad", [*observed, *said])
    (beside,) = tried(str(tmp_path / "bad")).comparison.live_alerts
    assert (beside.differ, beside.only_backtest, beside.only_live) == (("accuracy:2026-03-02",), (), ())


def test_devices_give_the_live_runs_reports_and_alerts_too(tried: Try, tmp_path: Path) -> None:
    """And the figures of all days stay those of the pictures."""
    logged = [*observed_days(days=2), *measured_days(days=2)]
    write_recording(tmp_path / "measured", [*logged, *judged(logged, MONITOR)])
    comparison = tried(str(tmp_path / "measured")).comparison
    assert all(day.equal for day in comparison.live)
    assert comparison.live_alerts[0].same
    assert comparison.outcome.ran[0].reports["2026-03-03"].cameras[0].device.reconnects == 90
    assert "device" in {alert.cause for alert in comparison.outcome.ran[0].alerts.values()}
    assert comparison.ran[0].scores.passages == 288


def test_what_people_said_of_alerts_counts_again(tried: Try, tmp_path: Path) -> None:
    """An alert that somebody was at is not told as open, neither by itself nor in a report."""
    at = START + timedelta(days=1, hours=12)
    said = [AlertAction("acknowledge", name, "anne", at, None, "") for name in ("accuracy:2026-03-02", "nothing")]
    logged = [*observed_days(days=2, wrong=0.6), *(Logged(at, action) for action in said)]
    write_recording(tmp_path / "said", [*logged, *judged(logged[:-1], MONITOR)])
    comparison = tried(str(tmp_path / "said")).comparison
    assert comparison.ran[0].alerts["accuracy:2026-03-02"].by == "anne"
    assert comparison.ran[0].reports["2026-03-03"].alerts[0].state == "acknowledged"
    assert comparison.live_alerts[0].same
    assert all(day.equal for day in comparison.live)


def test_the_same_again_gives_the_same_but_for_its_cost(tried: Try) -> None:
    first, second = (tried("day", "a", "b", rules=(CURRENT, "strict.toml")).plain for _ in range(2))
    assert {**first, "cost": None} == {**second, "cost": None}


def test_a_better_model_is_named_and_the_vehicles_that_tell_are_shown(tried: Try) -> None:
    result = tried("day", "a", "b")
    assert result.plain["answer"][0].startswith("tiny-a is better: right on 24 of 24 labelled vehicles (100.0 %)")
    assert result.plain["vehicles"]["differ"] == 24
    assert result.plain["vehicles"]["examples"][0]["said"].keys() == {"tiny-a", "tiny-b"}
    assert result.html.count("data:image/jpeg;base64,") == 24


def test_two_rule_sets_raise_different_alerts(tried: Try) -> None:
    alerts = tried("day", "b", RECORDED, rules=(CURRENT, "strict.toml")).plain["alerts"]
    raised = {alert["alert_id"]: alert["raised_by"] for alert in alerts}
    assert raised["accuracy:2026-03-02"] == ["tiny-b, current", "tiny-b, strict"]


def test_what_differs_from_the_live_report_is_named_field_by_field(tried: Try) -> None:
    day = tried("day", "b").comparison.live[0]
    fields = {field.field: (field.live, field.backtest) for field in day.fields}
    assert not day.equal
    assert fields["scores.accuracy"] == (1.0, 0.0)
    assert fields["model_versions.0"] == ("tiny-a", "tiny-b")
    assert fields["intervals.accuracy.value"] == (1.0, 0.0)


def test_without_recorded_predictions_frames_are_enough_and_latencies_are_not_measured(tried: Try) -> None:
    plain = tried("frames", "a").plain
    assert plain["latencies"] == "not measured"
    assert plain["variants"][0]["scores"]["accuracy"] == 1.0
    assert plain["variants"][0]["scores"]["latency_p50_ms"] <= 0.01
    assert plain["live"]["days"] == []


def test_frames_alone_and_frames_with_recorded_predictions_are_said_the_same_of(tried: Try) -> None:
    alone, with_live = (tried(name, "a").plain["variants"][0] for name in ("frames", "day"))
    assert alone["scores"]["confusion"] == with_live["scores"]["confusion"]
    assert alone["passages"] == with_live["passages"]


def test_a_model_that_ships_can_be_tried_beside_the_recorded_predictions(tried: Try) -> None:
    names = [variant["name"] for variant in tried("day", RECORDED, "bundled").plain["variants"]]
    assert names[0] == "recorded, current"
    assert names[1].startswith("road-")


def test_recorded_predictions_serve_where_there_are_no_observations(road: Path, tried: Try, tmp_path: Path) -> None:
    day = traffic("gate", 1, 1)
    predictions = [Logged(each.captured_at + timedelta(milliseconds=9), each) for each in day.predictions]
    labels = [Logged(each.labelled_at, each) for each in day.labels]
    write_recording(tmp_path / "predictions", [*predictions, *labels])
    assert tried(str(tmp_path / "predictions")).plain["variants"][0]["passages"] == 72


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("settle_after", [50, 100_000])
@pytest.mark.parametrize("seed", range(3))
def test_joining_records_changes_no_report(name: str, settle_after: int, seed: int) -> None:
    """Whatever waits to be joined, the monitor says what it says when it keeps up with each record."""
    logged = _hard_days(seed, promises=name == "patient")
    feed, sent = _feed(offline(POLICIES[name]), settle_after)
    _give(feed, logged)
    assert _told_at_once(offline(POLICIES[name]), logged).items() <= told(sent).items()


def test_what_is_ahead_of_the_clock_is_joined_with_nothing() -> None:
    logged = [replace(each, at=each.at - timedelta(hours=1)) for each in observed_days(days=1)]
    feed, sent = _feed(OfflineMonitor(policy(MONITOR), rules_of(MONITOR)))
    _give(feed, logged)
    assert told(sent) == told(each.record for each in judged(logged, MONITOR))
    assert feed.refused[0] > 0


def test_a_camera_and_a_span_can_be_chosen(tried: Try) -> None:
    noon = 1_772_452_800_000_000
    assert tried("day", "a", to_us=noon).plain["counts"]["frames"] < tried("day", "a").plain["counts"]["frames"]
    with pytest.raises(
        RecordingError, match="nothing in it is of these cameras and this span; its records tell of 2026"
    ):
        tried("day", "a", cameras=frozenset({"nowhere"}))


def test_without_labels_nobody_is_better(tried: Try, road: Path, tmp_path: Path) -> None:
    write_recording(tmp_path / "dark", [each for each in filmed_days() if isinstance(each.record, Frame)])
    result = tried(str(tmp_path / "dark"), "a", "b")
    assert result.plain["answer"][0] == "Nobody can say who is right: no vehicle is labelled."
    assert result.plain["variants"][0]["scores"]["accuracy"] is None


def test_what_the_recording_lacks_is_said(tried: Try, tmp_path: Path) -> None:
    write_recording(tmp_path / "blind", filmed_days(), pictures=False)
    write_recording(tmp_path / "labels", [each for each in filmed_days() if isinstance(each.record, Label)])
    for recording, model, message in (
        ("frames", RECORDED, "name a model with --model"),
        (str(tmp_path / "blind"), "a", "without their pictures"),
        (str(tmp_path / "labels"), "a", "holds no frames"),
        (str(tmp_path / "nothing"), "a", "no such recording"),
    ):
        with pytest.raises(RecordingError, match=message):
            tried(recording, model)


def test_models_that_are_not_there_or_named_twice_are_refused(tried: Try) -> None:
    with pytest.raises(ModelError, match=r"--model .*nobody: no version"):
        tried("day", "nobody")
    with pytest.raises(ConfigurationError, match="tiny-a is named twice"):
        tried("day", "a", "a")
    with pytest.raises(ConfigurationError, match="5 are named: 4 fit side by side"):
        tried("day", *"abcde")


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("[monitor]\nmin_acuracy = 0.7\n", "monitor.min_acuracy: not known here; the nearest: min_accuracy"),
        ("[monitor]\nmin_accuracy = 7\ntimezone = 'Mars/North'\n", "no time zone 'Mars/North'"),
        ("[mail]\nport = 25\n", "no \\[monitor\\] table"),
        ("min_accuracy\n", "not TOML"),
    ],
)
def test_faults_of_a_rules_file_are_named(tried: Try, tmp_path: Path, text: str, fault: str) -> None:
    (tmp_path / "rules.toml").write_text(text)
    with pytest.raises(ConfigurationError, match=fault):
        tried("day", rules=(str(tmp_path / "rules.toml"),))


def test_a_rules_file_changes_what_it_names_and_nothing_else(tried: Try) -> None:
    rules = tried("day", rules=(CURRENT, "strict.toml")).plain["rules"]
    changed = {name for name, value in rules["strict"].items() if value != rules["current"][name]}
    assert changed == {"min_accuracy", "min_labels"}


def test_the_page_is_well_formed_needs_nothing_else_and_escapes_names(tried: Try, tmp_path: Path) -> None:
    observed = observed_days(("<b>north</b>",), days=2, wrong=0.6)
    write_recording(tmp_path / "a&b<i>", [*observed, *judged(observed, MONITOR)])
    html = tried(str(tmp_path / "a&b<i>")).html
    page = _Page(html)
    assert page.open == []
    assert page.fetched == []
    assert "<b>north" not in html
    assert "a&amp;b&lt;i&gt;" in html


def test_the_document_keeps_its_schema(tried: Try) -> None:
    plain = json.loads(json.dumps(tried("day", "a", "b").plain))
    assert list(plain) == [
        "format",
        "version",
        "recording",
        "answer",
        "variants",
        "days",
        "alerts",
        "vehicles",
        "live",
        "rules",
        "counts",
        "latencies",
        "cost",
    ]
    assert plain["cost"]["cpu_s"].keys() == {"reading", "decoding", "inference", "columns", "monitor", "comparing"}
    assert plain["days"][0]["figures"]["tiny-a, current"].keys() >= {
        "accuracy",
        "f1",
        "labelled",
        "flip_rate",
        "alerts",
    }


def _feed(monitor: OfflineMonitor, settle_after: int = 100_000) -> tuple[Feed, list[Record]]:
    sent: list[Record] = []
    return Feed([monitor], lambda _number, record: sent.append(record), settle_after), sent


def _hard_days(seed: int, *, promises: bool) -> list[Recorded]:
    """Cameras that are behind, late labels, corrections, frames that come again."""
    return live(corrections(chain) for chain in recorded(seed, promises=promises))


def _told_at_once(monitor: OfflineMonitor, logged: list[Recorded]) -> dict[str, bytes]:
    """What a monitor tells that takes each record by itself, and settles after each millisecond."""
    sent: list[Record] = []
    for _, together in groupby(logged, key=lambda each: (each.at - EPOCH) // MILLISECOND):
        for each in together:
            sent += fed(monitor, each)
        sent += monitor.settle()
    return told(sent)


def _give(feed: Feed, logged: Sequence[Logged | Recorded]) -> None:
    newest_ms = -1
    for each in sorted(logged, key=lambda each: each.at):
        at_ms = (each.at - EPOCH) // MILLISECOND
        if at_ms > newest_ms:
            feed.settle()
        newest_ms = at_ms
        if isinstance(each.record, Observations):
            feed.observations(as_received_by_monitor(each.record), [at_ms] * len(each.record.sequences))
        elif isinstance(each.record, Label):
            feed.label(each.record, at_ms)
        elif isinstance(each.record, Telemetry):
            feed.telemetry(each.record, at_ms)
    feed.finish()


class _Page(HTMLParser):
    """Finds what is left open, and what a browser would fetch."""

    ALONE = ("meta", "link", "img", "br", "hr", "col", "input", "line", "circle", "polyline", "polygon")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.fetched: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in self.ALONE:
            self.open.append(tag)
        addresses = [value or "" for name, value in attrs if name in ("src", "href")]
        self.fetched += [value for value in addresses if not value.startswith(("data:", "#"))]

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.ALONE:
            assert self.open.pop() == tag
