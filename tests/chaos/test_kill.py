"""Services die in the middle of the stream, and nothing is lost or doubled."""

import os
import signal
from collections import Counter
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from monitor.inbox import KeptMail, read_mails
from roadwatch.demo.run import LocalRun, RunOptions
from roadwatch.demo.scenario import write_simulation
from roadwatch.demo.state import RunState
from roadwatch.ledger import read_ledger
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.records import Alert, DayReport, Record
from schemas.topics import ALERTS, REPORTS, Topic

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(400)]

KILLS = (("processor", 40), ("monitor", 80), ("mailer", 120), ("monitor", 200), ("processor", 240), ("mailer", 280))
"Which service is killed once so many frames were predicted."


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """The demo's stream, run to its end with six services killed on the way; the broker still runs."""
    folder = tmp_path_factory.mktemp("chaos")
    options = RunOptions(folder, partial(write_simulation, folder, passages_per_day=16))
    with LocalRun(options, lambda _done, _total: None) as run:
        killed = _follow_and_kill(run)
        assert killed == len(KILLS)
        yield run


def _follow_and_kill(run: LocalRun) -> int:
    killed = 0
    for state in run.follow():
        killed += _kill_when_due(run, state, KILLS[killed:])
    return killed


def _kill_when_due(run: LocalRun, state: RunState, left: tuple[tuple[str, int], ...]) -> int:
    if not left or state.frames < left[0][1]:
        return 0
    pid = run.pids().get(left[0][0])
    if pid is None:
        return 0
    os.kill(pid, signal.SIGKILL)
    return 1


def _records(run: LocalRun, topic: Topic) -> list[Record]:
    kafka = run.settings.kafka
    return [Codec().decode(record.value, topic.record) for record in read_all(kafka, kafka.names.of(topic))]


def _alert_of(mail: KeptMail) -> str:
    lines = Path(mail.path).read_text(encoding="utf-8").splitlines()
    return next(line for line in lines if line.startswith("X-Roadwatch-Alert-Id:"))


def test_each_frame_has_exactly_one_prediction(finished: LocalRun) -> None:
    ledger = read_ledger(finished.settings.kafka)
    assert ledger.balanced
    assert (ledger.predicted, ledger.waiting) == (ledger.frames, 0)


def test_each_day_has_one_report_a_revision(finished: LocalRun) -> None:
    reports = Counter((r.day, r.revision) for r in _records(finished, REPORTS) if isinstance(r, DayReport))
    assert set(reports.values()) == {1}
    assert {day for day, _ in reports} == {"2026-03-02", "2026-03-03", "2026-03-04"}


def test_each_alert_has_one_mail(finished: LocalRun) -> None:
    alerts = [alert.alert_id for alert in _records(finished, ALERTS) if isinstance(alert, Alert)]
    mails = Counter(_alert_of(mail) for mail in read_mails(finished.inbox))
    assert len(alerts) == len(set(alerts)) == len(mails) > 0
    assert set(mails.values()) == {1}
