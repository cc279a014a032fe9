"""The same stream in any interleaving, however it is cut and killed, gives the same days."""

import random
from datetime import timedelta

import pytest

from monitor.folding import take_observations
from monitor.outcomes import Position
from schemas.observations import pack
from schemas.records import CameraDay, DayReport, Passage
from schemas.topics import OBSERVATIONS
from tests.monitor.world import CLASSES, NOW, Bus, batches, milliseconds, policy, traffic, write

CAMERAS = ("north", "south", "west")
STREAMS = {camera: traffic(camera, days=3, seed=1, every=timedelta(minutes=40)) for camera in CAMERAS}
PATIENT = policy(label_patience=timedelta(days=2))


def play(seed: int) -> Bus:
    """All streams through one bus, cut and interleaved by the seed."""
    rng, bus = random.Random(seed), Bus(PATIENT)
    queues = [("o", list(batches(rng, STREAMS[c].predictions))) for c in CAMERAS]
    queues += [("l", list(STREAMS[c].labels)) for c in CAMERAS]
    offset = 0
    while any(queue for _, queue in queues):
        kind, queue = rng.choice([entry for entry in queues if entry[1]])
        offset += 1
        if kind == "o":
            bus.observe(queue.pop(0), offset)
        else:
            bus.label(queue.pop(0), offset)
    return bus


def days_of(bus: Bus) -> list[CameraDay]:
    return sorted(bus.closed(), key=lambda day: (day.camera_id, day.day))


def last_reports(bus: Bus) -> dict[str, DayReport]:
    return {report.day: report for report in bus.of(DayReport)}


def test_every_interleaving_gives_the_same_camera_days() -> None:
    """Cameras, labels and batch sizes may fall as they like."""
    expected = days_of(play(0))
    assert len(expected) == 9
    for seed in (1, 2, 3):
        assert days_of(play(seed)) == expected


def test_every_interleaving_ends_in_the_same_reports() -> None:
    """Only the number of revisions tells in which order cameras closed."""
    expected = {day: (r.scores, r.cameras) for day, r in last_reports(play(0)).items()}
    for seed in (1, 2, 3):
        assert {day: (r.scores, r.cameras) for day, r in last_reports(play(seed)).items()} == expected


def test_figures_are_those_of_the_traffic() -> None:
    """Each vehicle is labelled and counted once."""
    bus = play(3)
    assert sum(sum(day.tally.passages.values()) for day in bus.closed()) == len(bus.of(Passage)) == 3 * 3 * 36
    assert sum(cell.count for day in bus.closed() for cell in day.tally.vehicle_cells) == 3 * 3 * 36
    assert sum(day.tally.labels for day in bus.closed()) == 3 * 3 * 36
    assert sum(day.tally.unmatched_labels for day in bus.closed()) == 0


@pytest.mark.parametrize("seed", range(4))
def test_a_kill_anywhere_changes_nothing(seed: int) -> None:
    """State is lost back to any earlier point, any part of one record's writes may have survived, and reading goes back."""
    stream = STREAMS["north"]
    rng = random.Random(seed)
    records = [batch for part in batches(rng, stream.predictions) for batch in pack(part, CLASSES)]
    steady, killed = Bus(PATIENT), Bus(PATIENT)
    for label_offset, label in enumerate(stream.labels):
        steady.label(label, label_offset)
        killed.label(label, label_offset)
    for offset, batch in enumerate(records):
        steady.batch(batch, offset)
    _play_with_kills(rng, killed, records)
    once = {(day.camera_id, day.day): day for day in reversed(killed.closed())}
    assert sorted(once.values(), key=lambda day: day.day) == days_of(steady)
    assert {p.passage_id: p for p in killed.of(Passage)} == {p.passage_id: p for p in steady.of(Passage)}


def _play_with_kills(rng: random.Random, bus: Bus, records: list) -> None:
    saved = [dict(bus.values)]
    offset = 0
    while offset < len(records):
        if rng.random() < 0.1:
            offset = _kill(rng, bus, records, saved, offset)
        bus.batch(records[offset], offset)
        offset += 1
        del saved[offset:]
        saved.append(dict(bus.values))


def _kill(rng: random.Random, bus: Bus, records: list, saved: list, offset: int) -> int:
    """Outputs were sent, the changelog kept some prefix of this record's writes, committed offsets lie further back."""
    kept = rng.randint(max(0, offset - 5), offset)
    values = dict(saved[kept])
    outcome = take_observations(
        PATIENT, values, records[kept], Position(OBSERVATIONS.name, kept, milliseconds(NOW), labels_read=True)
    )
    bus.sent += outcome.outputs
    outcome.writes = dict(list(outcome.writes.items())[: rng.randint(0, len(outcome.writes))])
    write(values, outcome)
    bus.values = values
    return rng.randint(max(0, kept - 5), kept)
