"""A recorded stream for tests: some days of several cameras and their labels, and when each record was logged."""

import random
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from monitor.cameras import Policy
from monitor.offline import OfflineMonitor
from monitor.rules.table import shipped_rules
from schemas.codec import Codec
from schemas.observations import pack
from schemas.records import Alert, DayReport, Label, Observations, Prediction, Record
from tests.monitor.world import CLASSES, START, batches, traffic

CAMERAS = ("east", "north", "south", "west")
DAYS = 3
HOUR = timedelta(hours=1)
RULES = shipped_rules(0.9, 10)
"So strict that some days alert."


@dataclass(frozen=True, slots=True)
class Logged:
    """A record and when it was logged."""

    at: datetime
    "When."
    record: Observations | Label
    "What."


Chain = list[Logged]
"The records of one camera and topic, in the order of their partition."


def recorded(seed: int, *, promises: bool = True) -> list[Chain]:
    """Each camera's observations and labels. One is hours behind, one a day; labels are late, frames come again."""
    return [chain for i, camera in enumerate(CAMERAS) for chain in _camera(camera, seed, i, promises)]


def _camera(camera: str, seed: int, number: int, promises: bool) -> tuple[Chain, Chain]:
    rng = random.Random(f"{camera}{seed}")
    stream = traffic(camera, DAYS, seed, wrong=0.15, every=timedelta(minutes=40))
    seen = [_unsure(p) if number == 2 and p.captured_at > START + 40 * HOUR else p for p in stream.predictions]
    behind = timedelta(hours=(5, 0, 0, 30)[number], seconds=number)
    parts = [_with_stragglers(rng, part, seen) for part in batches(rng, seen)]
    frames = [
        Logged(max(p.captured_at for p in part) + behind, batch) for part in parts for batch in pack(part, CLASSES)
    ]
    labels = [_late(rng, label, behind) for label in stream.labels if promises or label.complete_until is None]
    return _rising(frames), _rising(sorted(labels, key=lambda logged: logged.at))


def _unsure(p: Prediction) -> Prediction:
    """So that a detector finds a drift."""
    return (
        replace(p, confidence=0.55, probabilities={name: 0.55 if name == p.label else 0.45 for name in CLASSES})
        if p.label
        else p
    )


def _with_stragglers(rng: random.Random, part: list[Prediction], stream: list[Prediction]) -> list[Prediction]:
    """Some batches end with a frame of up to a day before, which is late or not, and may be another's number."""
    if rng.random() < 0.8 or part[-1].kind == "end":
        return part
    old = rng.choice([p for p in stream if p.sequence <= part[-1].sequence][-200:])
    return [*part, replace(old, passage_id=None, crossed_at=None, kind="sample")]


def _late(rng: random.Random, label: Label, behind: timedelta) -> Logged:
    """Logged soon, or after its day's promise; a correction now and then bears a later time."""
    late = timedelta(hours=rng.choice((0, 0, 0, 0, 3, 30)) if label.label else 0)
    return Logged(label.labelled_at + behind + late + timedelta(seconds=rng.randint(1, 50)), label)


def _rising(chain: Sequence[Logged]) -> Chain:
    """Logged one after the other, a few milliseconds apart."""
    at, found = chain[0].at, []
    for logged in chain:
        at = max(at + timedelta(milliseconds=7), logged.at)
        found.append(Logged(at, logged.record))
    return found


def corrections(chain: Chain) -> Chain:
    """A chain of labels with a correction after each tenth, given later."""
    found = []
    for i, logged in enumerate(chain):
        found.append(logged)
        if i % 10 == 0 and isinstance(logged.record, Label) and logged.record.label:
            label = logged.record
            other = replace(label, label="truck", label_id=f"{label.label_id}!", labelled_at=label.labelled_at + HOUR)
            found.append(Logged(logged.at + timedelta(milliseconds=3), other))
    return found


def live(chains: Iterable[Chain]) -> list[Logged]:
    """All records in the order in which they were logged."""
    return sorted((logged for chain in chains for logged in chain), key=lambda logged: logged.at)


def shuffled(rng: random.Random, chains: Iterable[Chain]) -> Iterator[Logged]:
    """All records, chains interleaved in long and short runs: one topic or camera may be read days ahead."""
    left = [list(reversed(chain)) for chain in chains]
    while left := [chain for chain in left if chain]:
        chain = rng.choice(left)
        for _ in range(min(rng.choice((1, 5, 100, 10_000)), len(chain))):
            yield chain.pop()


def offline(policy: Policy) -> OfflineMonitor:
    """A monitor without Kafka."""
    return OfflineMonitor(policy, RULES)


def fed(monitor: OfflineMonitor, logged: Logged) -> list[Record]:
    """Take a record in."""
    if isinstance(logged.record, Label):
        return monitor.label(logged.record, logged.at)
    return monitor.observations(logged.record, logged.at)


def told(records: Iterable[Record]) -> dict[str, bytes]:
    """Reports and alerts, as bytes, by what tells them apart: of an alert, each state that it was told in, in order."""
    codec, found = Codec(), {}
    alerts: dict[str, list[bytes]] = {}
    for record in records:
        if isinstance(record, DayReport):
            found[f"{record.day} revision {record.revision}"] = codec.encode(record)
        elif isinstance(record, Alert) and (data := codec.encode(record)) not in alerts.setdefault(record.alert_id, []):
            alerts[record.alert_id].append(data)
    found |= {f"{name} told {i}": data for name, each in alerts.items() for i, data in enumerate(each)}
    return dict(sorted(found.items()))
