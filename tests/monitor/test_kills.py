"""A monitor that is killed anywhere, and reads again from anywhere before, tells what it tells undisturbed."""

import random
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from monitor.folding import take_label, take_observations
from monitor.merging import take_camera_day, take_settled, waiting_until
from monitor.outcomes import Outcome, Position
from schemas.codec import Codec
from schemas.records import CameraDay, Label, Record
from schemas.topics import CAMERA_DAYS, LABELS, OBSERVATIONS
from tests.monitor.recorded import RULES, Logged, corrections, fed, live, offline, recorded, told
from tests.monitor.world import milliseconds, policy, write

POLICIES = {"patient": policy(label_patience=timedelta(days=2)), "without patience": policy()}
Values = dict[str, bytes]


@dataclass
class Killed:
    """A monitor's tables and their changelogs, and the topics it writes."""

    name: str
    rng: random.Random
    sent: list[Record] = field(default_factory=list)
    camera_days: list[tuple[CameraDay, int]] = field(default_factory=list)

    def run(self, stream: list[Logged]) -> None:
        """Fold each record, and begin again at an earlier one now and then."""
        saved: list[Values] = [{}]
        while len(saved) <= len(stream):
            offset = len(saved) - 1
            outcome = self.fold(saved[-1], stream[offset], offset)
            values = dict(saved[-1])
            self.keep(outcome)
            if self.rng.random() < 0.02:
                kept = self.rng.randint(0, len(outcome.writes) - 1)
                outcome.writes = dict(list(outcome.writes.items())[:kept])
                write(values, outcome)
                saved[-1] = values
                del saved[max(1, len(saved) - self.rng.choice((0, 0, 5))) :]
            else:
                write(values, outcome)
                saved.append(values)

    def fold(self, values: Values, logged: Logged, offset: int) -> Outcome:
        """What a record does."""
        at, rules = milliseconds(logged.at), POLICIES[self.name]
        if isinstance(logged.record, Label):
            return take_label(rules, values, logged.record, Position(LABELS.name, offset, at))
        return take_observations(
            rules, values, logged.record, Position(OBSERVATIONS.name, offset, at, labels_read=True)
        )

    def keep(self, outcome: Outcome) -> None:
        """Put outputs on their topics."""
        for place, record in enumerate(outcome.outputs):
            self.sent.append(record)
            if isinstance(record, CameraDay):
                self.camera_days.append((record, outcome.logged_ms[place]))

    def merge(self) -> None:
        """Read the camera-days, and begin again at times with the state that was reached."""
        saved: list[Values] = [{}]
        while (offset := len(saved) - 1) < len(self.camera_days):
            camera_day, logged_ms = self.camera_days[offset]
            values = dict(saved[-1])
            write(values, take_camera_day(values, Codec(), camera_day, Position(CAMERA_DAYS.name, offset, logged_ms)))
            saved.append(values)
            if self.rng.random() < 0.1:
                values = saved[-1]
                del saved[max(1, len(saved) - self.rng.randint(1, 5)) :]
                saved[-1] = values
        until_ms = waiting_until(saved[-1])
        assert until_ms is not None
        self.sent += take_settled(RULES, Codec(), saved[-1], until_ms).outputs


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("seed", range(6))
def test_kills_change_no_report_and_no_alert(seed: int, name: str) -> None:
    """Outputs may come twice, and are then the same; any part of a record's writes may have survived."""
    stream = live(corrections(chain) for chain in recorded(seed % 2, promises=name == "patient"))
    steady, expected = offline(POLICIES[name]), []
    for logged in stream:
        expected += fed(steady, logged)
    killed = Killed(name, random.Random(seed))
    killed.run(stream)
    killed.merge()
    assert told(killed.sent) == told(expected + steady.settle())
