"""A recorded stream read as one backlog gives the reports and alerts, to the byte, that it gave as it happened."""

import random
import time
from collections.abc import Iterable
from datetime import timedelta
from itertools import groupby

import pytest

from monitor.offline import OfflineMonitor
from runtime.clients import Outgoing, Writer
from runtime.offsets import Offsets
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.errors import BrokerError
from schemas.records import Alert, CameraDay, Label, Observations, Record, Tally, Telemetry
from schemas.replayed import logged_at_header
from schemas.topics import LABELS, OBSERVATIONS, PASSAGES, REPORTS, TELEMETRY, Topic
from tests.monitor.recorded import (
    CAMERAS,
    DAYS,
    HOUR,
    Chain,
    Logged,
    corrections,
    fed,
    live,
    offline,
    recorded,
    shuffled,
    told,
)
from tests.monitor.world import START, Bus, milliseconds, policy
from tests.support.monitors import judging, monitor, sent, told_on_topics

pytestmark = pytest.mark.integration

PATIENCE = {"patient": timedelta(days=2), "hasty": timedelta(hours=2), "without patience": timedelta(0)}
TOPICS = {Observations: OBSERVATIONS, Label: LABELS, Telemetry: TELEMETRY}
QUARTER = HOUR / 4


def stream(seed: int, *, promises: bool = True) -> list[Chain]:
    """Days of four cameras, their labels, late and corrected, and the word of their devices."""
    return [*map(corrections, recorded(seed, promises=promises)), *map(device, CAMERAS)]


def device(camera_id: str) -> Chain:
    """A device's word each quarter of an hour; that of the south is too hot for half a day."""
    return [_measured(camera_id, n) for n in range(DAYS * 96)]


def _measured(camera_id: str, number: int) -> Logged:
    at = START + number * QUARTER
    hot = camera_id == "south" and 130 <= number < 180
    counted = {"pictures": 900 * number, "frames": 40 * number, "dropped": {}, "reconnects": 0}
    state = "ended" if number == DAYS * 96 - 1 else "running"
    telemetry = Telemetry(camera_id, at, state, 88.0 if hot else 21.0 + number % 3, 1001.0 + number % 2, (), **counted)
    return Logged(at + timedelta(seconds=3, milliseconds=CAMERAS.index(camera_id)), telemetry)


def replay(settings: Settings, stream: Iterable[Logged]) -> None:
    """Send all of it at once, as a replay does."""
    with Writer(settings.kafka, Codec()) as writer:
        for logged in stream:
            headers = [logged_at_header(milliseconds(logged.at))]
            writer.send(TOPICS[type(logged.record)], logged.record.camera_id, logged.record, headers)
        writer.flush()


def as_it_happened(live_monitor: OfflineMonitor, stream: list[Logged]) -> dict[str, bytes]:
    """What a monitor told that kept up: what was logged in one millisecond is merged together."""
    found: list[Record] = []
    for _, together in groupby(stream, key=lambda logged: logged.at):
        for logged in together:
            found += taken(live_monitor, logged)
        found += live_monitor.settle()
    return told(found)


def taken(live_monitor: OfflineMonitor, logged: Logged) -> list[Record]:
    """What follows at once."""
    if isinstance(logged.record, Telemetry):
        return live_monitor.telemetry(logged.record, logged.at)
    return fed(live_monitor, logged)


def wait_for(settings: Settings, topic: Topic, least: int, timeout_s: float = 120) -> None:
    """Until so many records are on a topic."""
    deadline = time.monotonic() + timeout_s
    while len(sent(settings, topic)) < least:
        assert time.monotonic() < deadline, f"{topic.name} has no {least} records after {timeout_s:.0f} s"
        time.sleep(0.3)


def revisions(expected: dict[str, bytes]) -> int:
    """How many reports there are to be."""
    return sum("revision" in key for key in expected)


@pytest.mark.parametrize("name", PATIENCE)
def test_a_backlog_tells_what_was_told_live(settings: Settings, name: str) -> None:
    """Three days of four cameras, interleaved in a partition as nobody could foresee; killed in the middle."""
    settings, chains = judged(settings, PATIENCE[name]), stream(5, promises=name == "patient")
    expected = as_it_happened(offline(policy(label_patience=PATIENCE[name])), live(chains))
    replay(settings, shuffled(random.Random(name), chains))
    with monitor(settings):
        wait_for(settings, PASSAGES, 100)
    with monitor(settings):
        wait_for(settings, REPORTS, revisions(expected))
        time.sleep(2)
    assert told_on_topics(settings) == expected


def judged(settings: Settings, patience: timedelta) -> Settings:
    """With the rules of the offline monitor."""
    return judging(settings, label_patience=patience, min_accuracy=0.9, min_labels=10)


def test_two_monitors_tell_what_one_told_live(settings: Settings) -> None:
    """The stream comes while they run; one of them is killed in the middle, and the other takes over."""
    settings, logged = judged(settings, PATIENCE["patient"]), live(stream(3))
    expected = as_it_happened(offline(policy(label_patience=PATIENCE["patient"])), logged)
    with monitor(settings):
        with monitor(settings):
            replay(settings, logged)
            wait_for(settings, PASSAGES, 100)
        wait_for(settings, REPORTS, revisions(expected))
        time.sleep(2)
    assert told_on_topics(settings) == expected


def test_the_stream_has_what_could_go_wrong() -> None:
    """Late labels make revisions; alerts are opened by rules, pictures, streams and devices, and resolved."""
    expected = as_it_happened(offline(policy(label_patience=PATIENCE["hasty"])), live(stream(5, promises=False)))
    alerts = [Codec().decode(data, Alert) for name, data in expected.items() if " told " in name]
    assert "2026-03-02 revision 2" in expected
    assert {alert.rule for alert in alerts} == {"accuracy", "incident"}
    assert {alert.state for alert in alerts} == {"open", "resolved"}
    assert {finding.kind for alert in alerts for finding in alert.findings} == {"drift", "integrity", "device"}


def test_news_that_a_kill_repeats_open_no_closed_day_again() -> None:
    """A camera that has ended is not missed while another goes on."""
    bus = Bus()
    for hour in range(1, 24):
        hand_in(bus, "east", hour)
        hand_in(bus, "west", hour)
    hand_in(bus, "east", 24, revision=1)
    hand_in(bus, "east", 23)
    for hour in range(24, 48):
        hand_in(bus, "west", hour)
    assert not bus.of(Alert)


def hand_in(bus: Bus, camera_id: str, hour: int, revision: int = 0) -> None:
    """What a camera says that has come so far, of the day that it is in."""
    seen = START + hour * HOUR
    day = START + (0 if revision else hour // 24) * 24 * HOUR
    news = CameraDay(camera_id, f"{day:%Y-%m-%d}", "UTC", revision, day, day + 24 * HOUR, Tally(), seen_until=seen)
    bus.hand_in(news, milliseconds(seen))


def test_the_ends_of_partitions_are_told(settings: Settings) -> None:
    """The offset after the last record; 0 where there was none."""
    name = settings.kafka.names.of(PASSAGES)
    with Writer(settings.kafka, Codec()) as writer:
        writer.send_bytes(Outgoing(settings.kafka.names.of(REPORTS), b"day", b"report", []))
    found = Offsets(settings.kafka).ends([(name, 0), (settings.kafka.names.of(REPORTS), 0)])
    assert found == {(name, 0): 0, (settings.kafka.names.of(REPORTS), 0): 1}


def test_the_ends_of_an_absent_topic_are_refused(settings: Settings) -> None:
    with pytest.raises(BrokerError, match="refused"):
        Offsets(settings.kafka).ends([("nowhere", 0)])
