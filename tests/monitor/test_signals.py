"""What the signals of a camera make of its pictures, vehicles and errors: findings, from begin to end."""

import json
import math
import random
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

import pytest

from monitor.causes import PARTLY
from monitor.signals import CONFIDENCE, ERRORS, PictureValues, Tallies, Watches
from schemas.records import Finding
from schemas.times import to_us

START = datetime(2026, 3, 2, tzinfo=UTC)
DAY, STEP = timedelta(days=1), timedelta(minutes=10)
Change = Callable[[datetime, PictureValues, bytes], tuple[PictureValues, bytes]]


def sketch(shift: int = 0) -> bytes:
    """A scene of 16 × 9 cells, seen from a little to the right."""
    rng = random.Random(2)
    rows = [[rng.randrange(200) for _ in range(20)] for _ in range(9)]
    return bytes(luma for row in rows for luma in row[shift : shift + 16])


def pictures(days: float, change: Change | None = None, since: float = 3.4) -> Iterator[tuple[Finding, ...]]:
    """Watch whole pictures, one each ten minutes, from START; nights are dark, and what changes does so at `since`."""
    watches, rng = Watches.fresh(), random.Random(6)
    for number in range(int(days * DAY / STEP)):
        at = START + number * STEP
        values, scene = usual(rng, at), sketch()
        if change and at >= START + since * DAY:
            values, scene = change(at, values, scene)
        yield watches.see_picture("gate", f"gate:e:{number}", to_us(at), values, scene)


def usual(rng: random.Random, at: datetime) -> PictureValues:
    """Of a road that darkens between eight and nine, and is light again between five and six."""
    day = min(max(min(at.hour + at.minute / 60 - 5, 21 - at.hour - at.minute / 60), 0.0), 1.0)
    chance = rng.gauss(1, 0.04)
    return PictureValues((30 + 90 * day) * chance, (12 + 28 * day) * chance, (150 + 1100 * day) * chance, 1.0 - day / 2)


def found(steps: Iterable[tuple[Finding, ...]]) -> list[Finding]:
    """All findings, in order."""
    return [finding for step in steps for finding in step]


def begun(findings: Iterable[Finding]) -> dict[str, Finding]:
    """The first of each signal."""
    firsts: dict[str, Finding] = {}
    for finding in findings:
        firsts.setdefault(finding.signal, finding)
    return firsts


def veil(_at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
    """Fog: grey, flat and soft."""
    return values._replace(contrast=values.contrast * 0.45, sharpness=values.sharpness * 0.1), scene


def grain(_at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
    """A failing sensor."""
    return values._replace(noise=values.noise + 3), scene


def darkness(_at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
    """A lamp that failed, or the lens's hood."""
    return values._replace(brightness=values.brightness * 0.4), scene


def knock(_at: datetime, values: PictureValues, _scene: bytes) -> tuple[PictureValues, bytes]:
    """The camera looks elsewhere."""
    return values, sketch(1)


def clear(_at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
    """A lens that was cleaned."""
    return values._replace(contrast=values.contrast * 2), scene


def test_nights_and_chance_are_no_drift() -> None:
    """For three weeks."""
    assert found(pictures(21)) == []


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (veil, {"contrast": True, "sharpness": True}),
        (grain, {"noise": True}),
        (darkness, {"brightness": True}),
        (knock, {"structure": True}),
        (clear, {"contrast": False}),
    ],
)
def test_what_befalls_the_camera_is_found_within_two_hours(change: Change, expected: dict[str, bool]) -> None:
    """With the signals that tell of it, and whether it does harm; day or night."""
    for since in (3.4, 3.95):
        first = begun(found(pictures(since + 0.1, change, since)))
        assert {name: finding.worse for name, finding in first.items()} == expected
        assert all(finding.found_at - START - since * DAY <= timedelta(hours=2) for finding in first.values())


def test_a_finding_tells_when_it_began_and_what_of() -> None:
    """In the signal's own unit, with the frame at which it was found."""
    (finding,) = begun(found(pictures(3.5, grain))).values()
    at = to_us(finding.found_at)
    assert (finding.finding_id, finding.kind, finding.detector) == (f"gate:noise:{at}", "drift", "page-hinkley")
    assert abs(finding.since - (START + 3.4 * DAY)) <= STEP
    assert (finding.before, finding.after) == (pytest.approx(0.5, abs=0.05), pytest.approx(3.5, abs=0.1))
    assert (finding.until, finding.example) == (None, f"gate:e:{int((finding.found_at - START) / STEP)}")


def test_a_finding_is_over_when_the_picture_is_as_before() -> None:
    """The same record again, with its end, some pictures later."""

    def for_six_hours(at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
        return veil(at, values, scene) if at < START + 3.65 * DAY else (values, scene)

    first, *_, last = [f for f in found(pictures(5, for_six_hours)) if f.signal == "sharpness"]
    assert first.until is None
    assert last.until is not None
    assert timedelta() < last.until - START - 3.65 * DAY <= timedelta(hours=2)
    assert (last.finding_id, last.since, last.after) == (first.finding_id, first.since, first.after)


def test_what_lasts_for_a_week_is_usual() -> None:
    """The finding ends and says why; nothing new is found of what stays."""
    findings = found(pictures(16, knock))
    assert [finding.until is None for finding in findings] == [True, False]
    assert findings[1].until is not None
    assert findings[1].until - findings[1].found_at == timedelta(days=7)
    assert findings[1].note == "it has lasted for a week and counts as usual from now on"


def test_what_comes_each_night_is_usual_after_a_week() -> None:
    """A new street lamp is told of on seven nights."""

    def lamp(at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
        return (values._replace(brightness=90.0) if 1 <= at.hour < 5 else values), scene

    nights = {finding.found_at.date() for finding in found(pictures(20, lamp, since=3.0))}
    assert len(nights) == 7


def test_what_becomes_much_worse_is_another_finding() -> None:
    """The first one ends where the second begins, which is measured against the same before."""

    def twice(at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
        factor = 0.55 if at < START + 3.6 * DAY else 0.15
        return values._replace(contrast=values.contrast * factor), scene

    first, over, second = [f for f in found(pictures(3.8, twice)) if f.signal == "contrast"]
    assert (over.finding_id, over.until) == (first.finding_id, second.found_at)
    assert second.after < 0.5 * first.after
    assert second.before == pytest.approx(first.before, rel=0.05)


def test_of_pictures_that_come_often_one_each_ten_minutes_is_looked_at() -> None:
    """The others say nothing new, and change nothing."""
    watches = Watches.fresh()
    values = PictureValues(120.0, 40.0, 900.0, 0.5)
    watches.see_picture("gate", "gate:e:0", 0, values, sketch())
    before = watches.snapshot()
    watches.see_picture("gate", "gate:e:1", 599_999_999, values, sketch())
    assert watches.snapshot() == before
    watches.see_picture("gate", "gate:e:2", 600_000_000, values, sketch())
    assert watches.snapshot() != before


def test_what_was_not_measured_is_not_watched() -> None:
    """Older processors know neither noise nor sketches."""
    watches = Watches.fresh()
    watches.see_picture("gate", "gate:e:0", 0, PictureValues(120.0, 40.0, 900.0, 0.0), b"")
    assert not {"noise", "structure", "scene"} & {*watches.snapshot()}


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_is_not_taken(value: float) -> None:
    """Neither watched nor counted; nothing is made of less than nothing."""
    watches, tallies = Watches.fresh(), Tallies()
    watches.see_picture("gate", "gate:e:0", 0, PictureValues(*4 * (value,)), sketch())
    watches.see_picture("gate", "gate:e:0", to_us(START), PictureValues(*4 * (-1000.0,)), sketch())
    tallies.picture(*4 * (value,))
    assert "NaN" not in json.dumps(watches.snapshot())
    assert "Infinity" not in json.dumps(watches.snapshot())
    assert tallies.counts() == ()


def passages(change: dict[str, float], before: int = 800, after: int = 400) -> list[Finding]:
    """Watch vehicles, one each five minutes; some of what the model says of them changes."""
    watches, rng, findings = Watches.fresh(), random.Random(8), []
    for number in range(before + after):
        now = change if number >= before else {}
        sure, trucks = 0.95 + now.get("confidence", 0.0), 0.4 + now.get("trucks", 0.0)
        refused = sum(rng.random() < now.get("refused", 0.01) for _ in range(6))
        findings += watches.see_passage(
            "gate",
            f"gate:e:{number}",
            to_us(START + number * timedelta(minutes=5)),
            "truck" if rng.random() < trucks else "car",
            rng.betavariate(12 * sure, 12 * (1 - sure)),
            frames=6 - refused,
            dissenting=sum(rng.random() < 0.03 + now.get("dissent", 0.0) for _ in range(6 - refused)),
            refused=refused,
        )
    return findings


def test_ordinary_vehicles_are_no_drift() -> None:
    """Twelve hundred of them."""
    assert passages({}) == []


@pytest.mark.parametrize(
    ("change", "signal", "rises", "worse"),
    [
        ({"confidence": -0.15}, "confidence", False, True),
        ({"dissent": 0.2}, "flip", True, True),
        ({"refused": 0.4}, "abstention", True, True),
        ({"trucks": 0.4}, "class-mix", True, False),
        ({"trucks": -0.35}, "class-mix", False, False),
    ],
)
def test_what_the_model_says_is_found_to_change(
    change: dict[str, float], signal: str, rises: bool, worse: bool
) -> None:
    """After a day's vehicles at most; the mix of classes harms nothing by itself."""
    first = begun(passages(change))
    assert [*first] == [signal]
    assert (first[signal].after > first[signal].before, first[signal].worse) == (rises, worse)
    assert abs(first[signal].since - START - timedelta(minutes=5 * 800)) < timedelta(hours=8)


def test_the_mix_is_told_with_the_class_that_it_is_about() -> None:
    """Of all whose share changes, one is told."""
    (finding,) = [finding for finding in passages({"trucks": 0.4}) if finding.until is None]
    assert finding.note == "the share of truck"
    assert (finding.before, finding.after) == (pytest.approx(0.4, abs=0.1), pytest.approx(0.8, abs=0.15))


def test_a_better_model_that_becomes_worse_is_found() -> None:
    """What does no harm gives way to what does, and is over then."""
    watches, rng, findings = Watches.fresh(), random.Random(9), []
    for number in range(900):
        mean = (0.6, 0.95, 0.85)[number // 300]
        value = rng.betavariate(12 * mean, 12 * (1 - mean))
        findings += watches.add(CONFIDENCE, number, value, "gate")
    better, over, worse = findings
    assert (better.worse, over.finding_id, worse.worse) == (False, better.finding_id, True)
    assert over.until == worse.found_at
    assert worse.before == pytest.approx(0.95, abs=0.02)


def test_a_harmful_finding_is_the_only_one_while_it_lasts() -> None:
    """However confidence goes on from there."""
    watches, rng, findings = Watches.fresh(), random.Random(9), []
    for number in range(1200):
        mean = 0.95 if number < 600 else 0.75
        findings += watches.add(CONFIDENCE, number, rng.betavariate(12 * mean, 12 * (1 - mean)), "gate")
    assert [finding.until for finding in findings] == [None]


def test_errors_that_rise_are_found() -> None:
    """Some hundred labelled vehicles later, in the order in which they crossed."""
    watches, rng, findings = Watches.fresh(), random.Random(3), []
    for number in range(1000):
        wrong = rng.random() < (0.1 if number < 600 else 0.4)
        findings += watches.see_error("gate", f"gate:e:{number}", number, wrong)
    (finding,) = findings
    assert (finding.signal, finding.worse, finding.example is None) == (ERRORS.name, True, False)


def test_an_old_value_is_not_fed() -> None:
    """Detectors see event-time order."""
    watches = Watches.fresh()
    watches.add(CONFIDENCE, 10, 0.9, "gate")
    before = watches.snapshot()
    watches.add(CONFIDENCE, 9, 0.1, "gate")
    assert watches.snapshot() == before


def test_what_is_restored_goes_on_identically() -> None:
    """Taken down to JSON between all pictures and vehicles, also while findings last, it says the same."""
    steady, restored, rng = Watches.fresh(), Watches.fresh(), random.Random(6)
    for number in range(int(5 * DAY / STEP)):
        at = START + number * STEP
        values = veil(at, usual(rng, at), b"")[0] if number > 500 else usual(rng, at)
        restored = Watches.restore(json.loads(json.dumps(restored.snapshot())))
        said = [
            (
                watches.see_picture("gate", "gate:e:1", to_us(at), values, sketch(number > 600)),
                watches.see_passage("gate", "gate:e:2", to_us(at), "car", 0.9, frames=6, dissenting=0, refused=0),
                watches.see_confidence("gate", "gate:e:3", to_us(at) + 1, None if number % 3 else 0.5),
            )
            for watches in (steady, restored)
        ]
        assert said[0] == said[1]
    assert json.dumps(restored.snapshot()) == json.dumps(steady.snapshot())


def test_a_signal_that_cannot_be_restored_begins_anew_and_says_so() -> None:
    """When it is next used; the rest of the camera's state is kept."""
    watches = Watches.fresh()
    for number in range(40):
        watches.see_passage("gate", "gate:e:1", number, "car", 0.9, frames=6, dissenting=0, refused=0)
    plain = watches.snapshot()
    plain["confidence"]["detector"] = {**plain["confidence"]["detector"], "sum": ""}
    restored = Watches.restore(plain)
    restored.see_passage("gate", "gate:e:1", 40, "car", 0.9, frames=6, dissenting=0, refused=0)
    assert [fault.partition(",")[0] for fault in restored.reset] == [
        "confidence: its checksum does not match: it is damaged"
    ]


def test_what_an_older_version_wrote_begins_anew() -> None:
    """It knew two signals, and other detectors' snapshots."""
    detector = {"river": "0.26.0", "arguments": "[]", "state": "AAAA", "recent": "[]", "sum": "0"}
    older = {name: {"detector": detector, "means": None, "last_us": 5} for name in ("confidence", "brightness")}
    watches = Watches.restore(older)
    watches.see_picture("gate", "gate:e:1", 6, PictureValues(120.0, 40.0, 900.0, 0.5), sketch())
    assert [fault.partition(":")[0] for fault in watches.reset] == ["brightness"]


def test_state_is_small_and_most_of_it_stays_packed() -> None:
    """It is written with every record of the camera: bytes after a week."""
    watches, rng = Watches.fresh(), random.Random(4)
    for number in range(int(7 * DAY / STEP)):
        at = START + number * STEP
        watches.see_picture("gate", f"gate:e:{number}", to_us(at), usual(rng, at), sketch())
        label, sure = rng.choice(["car", "truck"]), rng.betavariate(11, 1)
        watches.see_passage("gate", "gate:e:2", to_us(at), label, sure, frames=6, dissenting=0, refused=0)
    assert len(json.dumps(watches.snapshot())) < 6200


def test_a_day_is_counted_by_signal_and_bucket() -> None:
    """Sums for mean and deviation, buckets for the distribution; of class-mix, the classes."""
    tallies = Tallies()
    for confidence in (0.5, 0.97, 1.0):
        tallies.passage("car", confidence, 1, 4, 4)
    tallies.picture(0.0, 0.0, 0.0, 0.0)
    tallies.picture(255.0, 127.5, 1e9, 200.0)
    counts = {each.signal: each for each in tallies.counts()}
    assert [*counts] == sorted(counts)
    assert (counts["confidence"].count, counts["confidence"].buckets) == (3, {"10": 1, "19": 2})
    assert (counts["confidence"].total, counts["confidence"].squares) == pytest.approx((2.47, 2.1909))
    assert (counts["flip"].buckets, counts["abstention"].buckets) == ({"2": 3}, {"5": 3})
    assert counts["class-mix"].buckets == {"car": 3}
    assert (counts["brightness"].buckets, counts["sharpness"].buckets) == ({"0": 1, "15": 1}, {"0": 1, "23": 1})
    assert counts["noise"].count == 1


def leaf(_at: datetime, values: PictureValues, scene: bytes) -> tuple[PictureValues, bytes]:
    """Something before the upper left of the view."""
    rows = [scene[i * 16 : (i + 1) * 16] for i in range(9)]
    return values, b"".join(bytes([40] * 6) + row[6:] if i < 5 else row for i, row in enumerate(rows))


@pytest.mark.parametrize(("change", "note"), [(leaf, PARTLY), (knock, "")])
def test_a_finding_of_the_scene_says_whether_a_part_is_as_ever(change: Change, note: str) -> None:
    """Until it is over."""
    assert begun(found(pictures(4, change)))["structure"].note == note


def test_what_has_moved_plainly_is_found_with_what_is_proved() -> None:
    """Contrast is found with the brightness that falls with it, though it has moved too little to be proved by itself."""
    watches = Watches.fresh()
    found = [f for i in range(6 * 24 * 3) for f in looked(watches, i, brightness=120.0, contrast=40.0)]
    assert found == []
    later = [f for i in range(6 * 24 * 3, 6 * 24 * 3 + 12) for f in looked(watches, i, brightness=50.0, contrast=29.0)]
    assert {finding.signal for finding in later} == {"brightness", "contrast"}
    assert next(f for f in later if f.signal == "contrast").samples == 3


def looked(watches: Watches, tens: int, brightness: float, contrast: float) -> tuple[Finding, ...]:
    """A whole picture so many times ten minutes after the first."""
    values = PictureValues(brightness, contrast, 900.0, 0.0)
    return watches.see_picture("gate", f"gate:e:{tens}", tens * 600_000_000, values, b"")
