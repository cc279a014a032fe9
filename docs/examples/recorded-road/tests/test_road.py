"""What three recorded days say of this road's model and rules."""

from pathlib import Path

import pytest

from roadwatch.testing import BacktestRecording, Outcome, ReplayRecording
from runtime.settings import Settings
from runtime.spans import read_all
from schemas.topics import LABELS, OBSERVATIONS, TELEMETRY

ROAD = Path(__file__).parents[1]
RECORDING = ROAD / "recording"
RULES = ROAD / "rules.toml"

CLEAR, FOGGY, DUSKY = "2026-03-02", "2026-03-03", "2026-03-04"


@pytest.fixture(scope="module")
def outcome(backtest_recording: BacktestRecording) -> Outcome:
    """The three days under the rules that are in force."""
    return backtest_recording(RECORDING, rules=RULES)


def test_on_a_clear_day_nearly_every_vehicle_is_told_rightly(outcome: Outcome) -> None:
    scores = outcome.reports[CLEAR].scores
    assert scores.labelled >= 50
    assert scores.accuracy is not None
    assert scores.accuracy > 0.95


def test_a_clear_day_raises_no_alert(outcome: Outcome) -> None:
    assert not outcome.raised(day=CLEAR)


def test_fog_is_noticed_on_the_bridge_and_nowhere_else(outcome: Outcome) -> None:
    """One alert, which names the cause and when it began."""
    (alert,) = outcome.raised(day=FOGGY)
    assert (alert.rule, alert.camera_id, alert.cause) == ("incident", "bridge", "fog")
    assert f"{alert.since:%H}" == "04"


def test_a_floor_of_four_in_five_would_have_alerted_on_the_dusky_day(
    backtest_recording: BacktestRecording, outcome: Outcome
) -> None:
    """What would a stricter rule have cost us? One mail in three days."""
    stricter = backtest_recording(RECORDING, rules=RULES, monitor={"min_accuracy": 0.8})
    assert not outcome.raised(rule="accuracy")
    assert [alert.day for alert in stricter.raised(rule="accuracy")] == [DUSKY]


@pytest.mark.parametrize(
    ("camera", "life"),
    [
        ("bridge", [("fog", "open", FOGGY), ("fog", "resolved", DUSKY)]),
        ("harbour", [("dark", "open", DUSKY)]),
    ],
)
def test_each_camera_has_an_alert_for_its_bad_day(outcome: Outcome, camera: str, life: list[tuple[str, ...]]) -> None:
    """Fog lifts in the night; the dusk is still there when the recording ends."""
    alerts = outcome.raised(rule="incident", camera=camera)
    assert [(alert.cause, alert.state, alert.day) for alert in alerts] == life


def test_a_real_kafka_gives_the_same_answer(
    replay_recording: ReplayRecording, roadwatch_cluster: Settings, outcome: Outcome
) -> None:
    """The recording sent to topics of its own, folded by the monitor as it runs in production; nothing is put aside."""
    assert replay_recording(RECORDING, rules=RULES, cluster=roadwatch_cluster) == outcome
    kafka = roadwatch_cluster.kafka
    for topic in (OBSERVATIONS, LABELS, TELEMETRY):
        assert not list(read_all(kafka, kafka.names.dead_letters_of(topic)))
