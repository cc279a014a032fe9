"""Services die in the middle of the stream, and nothing is lost or doubled."""

import os
import signal
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import datetime
from functools import partial
from heapq import merge
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import pytest

from monitor.inbox import KeptMail, read_mails
from monitor.offline import OfflineMonitor
from monitor.policies import policy, rules_of
from roadwatch.demo.run import LocalRun, RunOptions
from roadwatch.demo.scenario import Filming, write_simulation
from roadwatch.demo.state import RunState
from roadwatch.ledger import read_ledger
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.records import Alert, DayReport, Label, Observations, Record, Telemetry
from schemas.times import from_ms
from schemas.topics import ALERTS, LABELS, OBSERVATIONS, REPORTS, TELEMETRY
from tests.monitor.recorded import told
from tests.support.monitors import sent, told_on_topics

pytestmark = [pytest.mark.integration, pytest.mark.chaos, pytest.mark.timeout(400)]

KILLS = (("processor", 40), ("monitor", 80), ("mailer", 120), ("monitor", 200), ("processor", 240), ("mailer", 280))
"Which service is killed once so many frames were predicted."


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRun]:
    """The demo's stream, run to its end with six services killed on the way; the broker still runs."""
    folder = tmp_path_factory.mktemp("chaos")
    options = RunOptions(folder, partial(write_simulation, folder, filming=Filming(passages_per_day=16)))
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


def _alert_of(mail: KeptMail) -> str:
    lines = Path(mail.path).read_text(encoding="utf-8").splitlines()
    return next(line.partition(": ")[2] for line in lines if line.startswith("X-Roadwatch-Alert-Id:"))


def test_each_frame_has_exactly_one_prediction(finished: LocalRun) -> None:
    ledger = read_ledger(finished.settings.kafka)
    assert ledger.balanced
    assert (ledger.predicted, ledger.waiting) == (ledger.frames, 0)


def test_each_day_has_one_report_a_revision(finished: LocalRun) -> None:
    reports = Counter((r.day, r.revision) for r in sent(finished.settings, REPORTS) if isinstance(r, DayReport))
    assert set(reports.values()) == {1}
    assert {day for day, _ in reports} == {"2026-03-02", "2026-03-03", "2026-03-04"}


def test_each_alert_has_one_mail(finished: LocalRun) -> None:
    """Whatever becomes of it, and however often it is told: to the demo's team, when it opens."""
    alerts = [alert for alert in sent(finished.settings, ALERTS) if isinstance(alert, Alert)]
    opened = {alert.alert_id for alert in alerts if alert.state == "open" and alert.severity != "info"}
    assert opened
    assert Counter(_alert_of(mail) for mail in read_mails(finished.inbox)) == Counter(opened)


def test_what_was_told_is_what_follows_from_the_stream(finished: LocalRun) -> None:
    """To the byte, every revision and all of each alert's life: as a monitor tells it that nobody has killed."""
    settings = finished.settings.monitor
    monitor = OfflineMonitor(policy(settings), rules_of(settings))
    told_offline: list[Record] = []
    for _, together in groupby(_logged(finished), key=itemgetter(0)):
        for logged_ms, record in together:
            told_offline += _taken(monitor, record, from_ms(logged_ms))
        told_offline += monitor.settle()
    assert told_on_topics(finished.settings) == told(told_offline)


def _logged(run: LocalRun) -> Iterator[tuple[int, Record]]:
    """What the monitor reads, in the order in which it was logged."""
    kafka, chains = run.settings.kafka, defaultdict[tuple[str, int], list[tuple[int, Record]]](list)
    for topic in (OBSERVATIONS, LABELS, TELEMETRY):
        for received in read_all(kafka, kafka.names.of(topic)):
            record = Codec().decode(received.value, topic.record)
            chains[topic.name, received.partition].append((received.timestamp_ms, record))
    return merge(*chains.values(), key=itemgetter(0))


def _taken(monitor: OfflineMonitor, record: Record, logged_at: datetime) -> list[Record]:
    match record:
        case Observations():
            return monitor.observations(record, logged_at)
        case Label():
            return monitor.label(record, logged_at)
        case Telemetry():
            return monitor.telemetry(record, logged_at)
    raise TypeError(f"the monitor reads no {type(record).__name__}")
