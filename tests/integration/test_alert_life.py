"""An alert's life on a real Kafka: opened by a bad day, acknowledged, kept through kills, taken back by late labels."""

import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monitor.inbox import Inbox, read_mails
from producers.labels import done_of, label_of
from runtime.clients import Writer
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.ids import passage_id
from schemas.observations import pack
from schemas.records import AlertAction, Label, Prediction
from schemas.topics import ALERT_ACTIONS, ALERTS, LABELS, OBSERVATIONS, REPORTS
from tests.monitor.world import CLASSES, START, heartbeat, passage
from tests.support.mailers import ANNE, delivered, has, mailing, with_mail
from tests.support.monitors import judging, monitor, once, sent
from tests.support.waiting import eventually

pytestmark = pytest.mark.integration

VEHICLES = 20
FRAMES = 3
"Of each vehicle: all are called cars."
ALERT = "accuracy:2026-03-02"
DAY = timedelta(days=1)


def truths(cars: int, said_at: datetime) -> list[Label]:
    """What the day's vehicles are: so many cars, then trucks; that is all for now."""
    things = [passage_id("gate", "e", FRAMES * n) for n in range(VEHICLES)]
    labels = ["car" if n < cars else "truck" for n in range(VEHICLES)]
    return [
        label_of(thing, label, source="anna", labelled_at=said_at) for thing, label in zip(things, labels, strict=True)
    ]


def day_of_cars() -> list[Prediction]:
    """A vehicle each half hour."""
    at = (START + n * timedelta(minutes=30) for n in range(VEHICLES))
    return [frame for n, begun_at in enumerate(at) for frame in passage("gate", FRAMES * n, begun_at, ["car"] * FRAMES)]


def observe(settings: Settings, predictions: Iterable[Prediction]) -> None:
    """Send what a processor says of pictures."""
    with Writer(settings.kafka, Codec()) as writer:
        for batch in pack(predictions, CLASSES):
            writer.send(OBSERVATIONS, "gate", batch)


def go_on(settings: Settings, days: int) -> None:
    """A sign of life so many days later closes the day before."""
    observe(settings, [heartbeat("gate", 1000 + days, START + days * DAY + timedelta(hours=1))])


def tell(settings: Settings, labels: list[Label]) -> None:
    """Send labels, and then that there are no more; Kafka stamps records by the millisecond."""
    with Writer(settings.kafka, Codec()) as writer:
        for label in labels:
            writer.send(LABELS, "gate", label)
        writer.flush()
        time.sleep(0.01)
        writer.send(LABELS, "gate", done_of("gate", "anna", datetime.now(UTC)))


def acknowledge(settings: Settings) -> None:
    """Somebody is at it."""
    action = AlertAction("acknowledge", ALERT, "anna", datetime.now(UTC), None, "the lens is being cleaned")
    with Writer(settings.kafka, Codec()) as writer:
        writer.send(ALERT_ACTIONS, ALERT, action)


def life(settings: Settings) -> list[str]:
    """The alert's states, in the order in which they were told; what a kill repeats is the same to the byte."""
    return [alert.state for alert in once(sent(settings, ALERTS)) if alert.alert_id == ALERT]


def reported(settings: Settings) -> list[tuple[str, int, float | None]]:
    """Each day's revisions with their accuracy."""
    return [(report.day, report.revision, report.scores.accuracy) for report in sent(settings, REPORTS)]


def monitored_until(settings: Settings, holds: Callable[[], bool]) -> None:
    """Start a monitor, and kill it as soon as something holds."""
    with monitor(settings):
        assert eventually(holds, 40)


def test_an_alert_lives_through_kills(settings: Settings, tmp_path: Path) -> None:
    """The monitor is killed after each step: nothing is told or mailed twice, and nothing is forgotten."""
    settings, folder = judging(settings, min_labels=VEHICLES), tmp_path / "inbox"
    with Inbox(folder) as inbox, mailing(with_mail(settings, inbox.port, ANNE, resolved=True)):
        tell(settings, truths(8, START + DAY))
        observe(settings, day_of_cars())
        go_on(settings, 1)
        monitored_until(settings, lambda: life(settings) == ["open"])
        acknowledge(settings)
        monitored_until(settings, lambda: life(settings) == ["open", "acknowledged"])
        tell(settings, truths(16, START + 2 * DAY))
        go_on(settings, 2)
        monitored_until(settings, lambda: len(life(settings)) == len(reported(settings)) == 3)
        assert eventually(has(folder, 2))
    assert reported(settings) == [("2026-03-02", 1, 0.4), ("2026-03-02", 2, 0.8), ("2026-03-03", 1, None)]
    assert life(settings) == ["open", "acknowledged", "resolved"]
    assert delivered(settings) == {f"{ALERT}|open|{ANNE}", f"{ALERT}|resolved|{ANNE}"}
    assert len(list(read_mails(folder))) == 2
