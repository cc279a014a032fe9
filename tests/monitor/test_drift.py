"""What every detector must do, and what the signals feed them."""

import random
from datetime import UTC, datetime, timedelta

import pytest

from monitor.drift import Adwin, Detector, SnapshotError
from monitor.signals import BRIGHTNESS, CONFIDENCE, Found, Watches
from schemas.times import to_us

DETECTORS: list[type[Detector]] = [Adwin]
START = datetime(2026, 3, 2, tzinfo=UTC)


def confidences(seed: int, n: int, mean: float) -> list[float]:
    """Skewed as confidences are."""
    rng = random.Random(seed)
    return [rng.betavariate(12 * mean, 12 * (1 - mean)) / CONFIDENCE.unit for _ in range(n)]


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_fall_is_found_at_a_known_value(kind: type[Detector]) -> None:
    """The stream is seeded: the index is exact."""
    detector = kind()
    found = [
        i for i, value in enumerate(confidences(1, 300, 0.93) + confidences(2, 300, 0.75)) if detector.update(value)
    ]
    assert found == [335]


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_stationary_stream_raises_no_alarm(kind: type[Detector]) -> None:
    """In fifty thousand values."""
    detector = kind()
    assert not any(detector.update(value) for value in confidences(3, 50_000, 0.93))


@pytest.mark.parametrize("kind", DETECTORS)
def test_a_restored_detector_continues_identically(kind: type[Detector]) -> None:
    """Taken down to its snapshot after every value, it says the same."""
    steady, stream = kind(), confidences(4, 200, 0.9) + confidences(5, 200, 0.7)
    restored: Detector = kind()
    for value in stream:
        restored = kind.restore(restored.snapshot())
        assert restored.update(value) == steady.update(value)
    assert restored.snapshot() == steady.snapshot()


@pytest.mark.parametrize("kind", DETECTORS)
@pytest.mark.parametrize("damage", [{"state": "AAAA"}, {"river": "0.0"}, {"sum": ""}])
def test_a_damaged_snapshot_is_refused(kind: type[Detector], damage: dict[str, str]) -> None:
    """Never handed to River, which would abort."""
    with pytest.raises(SnapshotError):
        kind.restore({**kind().snapshot(), **damage})


def test_a_signal_that_cannot_be_restored_begins_anew_and_says_so() -> None:
    """The rest of the camera's state is kept."""
    plain = Watches.fresh().snapshot()
    plain["confidence"]["detector"] = {**plain["confidence"]["detector"], "sum": ""}
    assert Watches.restore(plain).reset == ("confidence: its checksum does not match",)


def brightness_days(levels: list[float], step: timedelta = timedelta(minutes=10)) -> list[Found]:
    """Watch pictures of days that brighten towards noon, each day at its own level."""
    watches, rng, found = Watches.fresh(), random.Random(6), []
    for i in range(len(levels) * int(timedelta(days=1) / step)):
        at = START + i * step
        value = levels[(at - START).days] + 3 * at.hour * (24 - at.hour) / 12 + rng.gauss(0, 3)
        found.append(watches.add(BRIGHTNESS, to_us(at), value))
    return [hit for hit in found if hit]


def test_daylight_is_no_drift() -> None:
    """A swing of 36 grey levels each day is usual from the second day on."""
    assert brightness_days([100.0] * 10) == []


def test_a_veil_over_the_picture_is_a_drift_within_the_day() -> None:
    """40 levels brighter than usual at that hour, in either direction harmful."""
    first = brightness_days([100.0, 100.0, 140.0])[0].drift
    assert (first.signal, first.worse, first.detected_at.date().isoformat()) == ("brightness", True, "2026-03-04")
    assert first.after - first.before > 15


def test_rising_confidence_does_no_harm() -> None:
    """ADWIN finds improvements too; they are not worse."""
    watches = Watches.fresh()
    stream = [0.6] * 200 + [0.9] * 200
    hits = [watches.add(CONFIDENCE, i, value) for i, value in enumerate(stream)]
    assert [hit.drift.worse for hit in hits if hit] == [False]


def test_an_old_value_is_not_fed() -> None:
    """Detectors see event-time order."""
    watches = Watches.fresh()
    watches.add(CONFIDENCE, 10, 0.9)
    before = watches.snapshot()
    watches.add(CONFIDENCE, 9, 0.1)
    assert watches.snapshot() == before
