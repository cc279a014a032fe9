"""The pytest plugin: the example's tests pass, and a project that does not use it is left alone."""

import os
import subprocess
import sys
import textwrap
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from roadwatch.testing import BacktestRecording, Outcome, ReplayRecording, plugin
from runtime.settings import KafkaSettings
from schemas.errors import ConfigurationError, RecordingError
from tests.support.backtests import filmed_days, tiny, write_recording
from tests.support.brokers import TestBroker

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "recorded-road"
RECORDING, RULES = EXAMPLE / "recording", EXAMPLE / "rules.toml"

ALONE = ("-p", "no:cacheprovider", "-p", "no:asyncio", "-p", "no:timeout")
"Nothing is written beside the tests, and no plugin that a user may not have says anything."


@pytest.fixture(scope="session")
def roadwatch_broker(broker: TestBroker) -> KafkaSettings:
    """The suite's own, as a user would name a cluster of theirs."""
    return KafkaSettings(bootstrap_servers=broker.bootstrap_servers)


def _pytest(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run the tests in a folder as their owner would."""
    return subprocess.run(
        [sys.executable, "-m", "pytest", *ALONE, *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1", **environment},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )


def _written(folder: Path, test: str) -> Path:
    (folder / "test_it.py").write_text(textwrap.dedent(test), encoding="utf-8")
    return folder


def test_pytest_finds_the_plugin_where_roadwatch_is_installed() -> None:
    """Registered in pyproject.toml; after a change there, install anew."""
    assert [entry.value for entry in entry_points(group="pytest11", name="roadwatch")] == [plugin.__name__]


@pytest.mark.integration
def test_the_tests_of_the_example_pass(broker: TestBroker) -> None:
    """They use every fixture; a replay through Kafka gives what a backtest gives."""
    ran = _pytest(EXAMPLE, ROADWATCH_TEST_SERVERS=broker.bootstrap_servers)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_a_project_that_does_not_use_it_is_untouched(tmp_path: Path) -> None:
    """Strict, with warnings as errors; and nothing of Roadwatch's own weight is imported."""
    folder = _written(
        tmp_path,
        """
        import sys

        def test_alone(request):
            assert not {"runtime", "schemas", "monitor", "confluent_kafka", "faust", "numpy"} & set(sys.modules)
            assert not [name for name in request.fixturenames if "roadwatch" in name or "recording" in name]
        """,
    )
    ran = _pytest(folder, "-W", "error", "--strict-config", "--strict-markers")
    assert ran.returncode == 0, ran.stdout + ran.stderr


def test_without_a_kafka_the_reason_stands_in_one_message(tmp_path: Path) -> None:
    """No jars in the cache and no network to fetch them: not a traceback, but what to do."""
    folder = _written(tmp_path, "def test_it(roadwatch_broker): ...")
    ran = _pytest(folder, ROADWATCH_CACHE=str(tmp_path / "empty"), ROADWATCH_MAVEN="http://127.0.0.1:1")
    assert ran.returncode == 1
    assert "no Kafka for this test" in ran.stdout
    assert "ROADWATCH_TEST_SERVERS=host:port" in ran.stdout
    assert "Traceback" not in ran.stdout


@pytest.mark.integration
def test_topics_of_a_cluster_are_gone_afterwards(tmp_path: Path, broker: TestBroker) -> None:
    """Each test has a prefix of its own; a second test sees nothing of the first."""
    folder = _written(
        tmp_path,
        """
        from runtime.admin import TopicAdmin

        SEEN = []

        def test_first(roadwatch_cluster):
            assert not TopicAdmin(roadwatch_cluster.kafka).faults()
            SEEN.append(roadwatch_cluster.kafka.topic_prefix)

        def test_second(roadwatch_cluster):
            assert not [name for name in TopicAdmin(roadwatch_cluster.kafka).existing() if name.startswith(SEEN[0])]
        """,
    )
    ran = _pytest(folder, ROADWATCH_TEST_SERVERS=broker.bootstrap_servers)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _said(outcome: Outcome) -> list[object]:
    """Predictions without what two runs may differ in: timings, and where the frame lies."""
    return [(frame.frame_id, frame.label, frame.probabilities, frame.statistics) for frame in outcome.predictions]


@pytest.mark.integration
def test_recorded_pictures_are_classified_anew(
    tmp_path: Path, backtest_recording: BacktestRecording, replay_recording: ReplayRecording
) -> None:
    """By a processor on Kafka as in this process."""
    recording = write_recording(tmp_path / "recording", filmed_days(days=1, vehicles=6))
    model = tiny(tmp_path / "model", "tiny-1")
    tested, replayed = backtest_recording(recording, model=model), replay_recording(recording, model=model)
    assert _said(replayed) == _said(tested)
    assert len(_said(tested)) == len({frame.frame_id for frame in tested.predictions}) > 12
    assert replayed.passages == tested.passages
    assert replayed.reports.keys() == tested.reports.keys()


def test_cameras_of_a_recording_can_be_chosen(backtest_recording: BacktestRecording) -> None:
    outcome = backtest_recording(RECORDING, rules=RULES, cameras=["bridge"])
    assert {passage.camera_id for passage in outcome.passages} == {"bridge"}
    assert {camera.camera_id for report in outcome.reports.values() for camera in report.cameras} == {"bridge"}


def test_outcomes_of_the_same_are_equal_and_of_other_rules_are_not(backtest_recording: BacktestRecording) -> None:
    outcome = backtest_recording(RECORDING, rules=RULES)
    assert backtest_recording(str(RECORDING), rules=str(RULES)) == outcome
    assert backtest_recording(RECORDING, rules=RULES, monitor={"min_accuracy": 0.8}) != outcome


def test_the_newest_revision_of_a_day_counts(backtest_recording: BacktestRecording) -> None:
    """Whatever the order in which they are seen, and what a restart sent twice counts once."""
    outcome = backtest_recording(RECORDING, rules=RULES)
    records = [*outcome.reports.values(), *outcome.alerts, *outcome.passages]
    assert Outcome.of([*records, *reversed(records)]) == outcome


@pytest.mark.parametrize(
    ("arguments", "error", "said"),
    [
        ({"path": "nowhere"}, RecordingError, "nowhere: no such recording"),
        ({"monitor": {"min_acuracy": 0.9}}, ConfigurationError, "min_acuracy"),
        ({"rules": "nowhere.toml"}, ConfigurationError, "no such file"),
        ({"model": "bundled"}, RecordingError, "holds no"),
    ],
)
def test_mistakes_are_named_without_our_own_lines(
    backtest_recording: BacktestRecording, arguments: dict[str, object], error: type[Exception], said: str
) -> None:
    given = {"path": RECORDING, **arguments}
    with pytest.raises(error, match=said) as caught:
        backtest_recording(**given)  # type: ignore[arg-type]
    assert len(caught.traceback.filter(caught)) == 1
