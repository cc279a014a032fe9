"""A camera that falls silent is missed, by the others' time alone."""

from dataclasses import replace
from datetime import timedelta

from monitor.presence import Presence
from schemas.records import CameraDay, Finding, Tally
from tests.monitor.world import START, milliseconds

HOUR = timedelta(hours=1)
MONDAY = "2026-03-02"


def news(camera: str, hour: float, revision: int = 0) -> CameraDay:
    """What a camera says at an hour of Monday."""
    ends_at = START + timedelta(days=1)
    return CameraDay(camera, MONDAY, "UTC", revision, START, ends_at, Tally(), seen_until=START + timedelta(hours=hour))


def heard(*told: tuple[str, float], presence: Presence | None = None, pace: float = 1.0) -> list[Finding]:
    """What follows from news at these hours, logged as they come, so many times as fast."""
    presence, found = presence or Presence(), list[Finding]()
    for camera, hour in told:
        logged_ms = milliseconds(START + timedelta(hours=hour / pace))
        found += [finding for day in presence.see(news(camera, hour), logged_ms) for finding in day.findings]
        presence = Presence.restore(presence.snapshot())
    return found


def together(first: int, last: int) -> list[tuple[str, float]]:
    """Two cameras, each hour."""
    return [(camera, hour) for hour in range(first, last) for camera in ("north", "south")]


def test_one_that_says_nothing_is_missed_once() -> None:
    """Three hours behind; since its last word."""
    (found,) = heard(*together(0, 5), *(("north", hour) for hour in range(5, 12)))
    assert (found.camera_id, found.signal, found.until) == ("south", "silent", None)
    assert found.since == START + 4 * HOUR


def test_one_that_dies_before_its_pace_is_known_is_missed() -> None:
    """It has spoken once, or for ten minutes: the others say what is usual."""
    for said in ([("south", 0.1)], [("south", 0.1), ("south", 0.27)]):
        (found,) = heard(*said, *(("north", hour) for hour in range(1, 9)))
        assert (found.camera_id, found.signal, found.since) == ("south", "silent", START + 0.1 * HOUR)


def test_whoever_is_gone_for_forty_days_is_forgotten() -> None:
    """Unless it goes on, be it with what was filmed last year."""
    presence, found = Presence(), list[Finding]()
    old = news("east", -9000)
    for hour in range(41 * 24):
        told = [news("west", hour), replace(old, seen_until=old.seen_until + hour * HOUR if old.seen_until else None)]
        for day in [*told, news("south", hour)][: 3 if hour < 9 else 2]:
            found += [each for news_ in presence.see(day, milliseconds(START + hour * HOUR)) for each in news_.findings]
    assert [each.camera_id for each in found] == ["south"]
    assert [*presence.cameras] == ["west", "east"]


def test_one_that_is_back_is_missed_no_longer() -> None:
    """The same finding, over."""
    begun, over = heard(*together(0, 5), *(("north", hour) for hour in range(5, 12)), ("south", 11.5))
    assert (over.finding_id, over.until) == (begun.finding_id, START + timedelta(hours=11.5))


def test_one_that_was_missed_and_then_ends_is_missed_no_longer() -> None:
    """Its last picture was its last news: it says that it has ended, and nothing else."""
    presence, found = Presence(), list[Finding]()
    for camera, hour in [*together(0, 5), *(("north", hour) for hour in range(5, 12))]:
        told = presence.see(news(camera, hour), milliseconds(START + hour * HOUR))
        found += [finding for day in told for finding in day.findings]
    ended = presence.see(news("south", 4, revision=1), milliseconds(START + 12 * HOUR))
    found += [finding for day in ended for finding in day.findings]
    assert [finding.until for finding in found] == [None, START + 4 * HOUR]
    assert presence.going_on == ("north",)


def test_whoever_has_closed_its_day_is_not_missed() -> None:
    """Its source has ended."""
    presence = Presence()
    heard(*together(0, 5), presence=presence)
    closed = [*presence.see(news("south", 5, revision=1), milliseconds(START + 5 * HOUR))]
    later = [*presence.see(news("north", 20), milliseconds(START + 20 * HOUR))]
    assert (closed, later) == ([], [])


def test_a_replay_may_be_hours_ahead_for_seconds() -> None:
    """Twelve hours of event time in half a second."""
    assert heard(*together(0, 5), *(("north", hour) for hour in range(5, 17)), pace=100_000) == []


def test_two_quiet_hours_are_not_missed() -> None:
    assert heard(*together(0, 5), ("north", 5), ("north", 6), ("south", 6.5), *together(7, 12)) == []


def device(revision: int, hour: float) -> CameraDay:
    """What south's device says at an hour after Monday's midnight."""
    return replace(news("south", hour, revision), part="device")


def after(*said: CameraDay) -> Presence:
    """Two cameras, five hours of Monday, and what was said then."""
    presence = Presence()
    for one in (*(news(camera, hour) for camera, hour in together(0, 5)), *said):
        assert one.seen_until
        for _ in presence.see(one, milliseconds(one.seen_until)):
            pass
        presence = Presence.restore(presence.snapshot())
    return presence


def test_a_source_that_has_ended_does_not_go_on_though_its_day_waits_for_labels() -> None:
    """Its device has closed the day before it is over."""
    assert after().going_on == ("north", "south")
    assert after(device(0, 3), device(1, 5)).going_on == ("north",)


def test_a_source_that_has_closed_its_days_does_not_go_on() -> None:
    assert after(news("south", 5, revision=1)).going_on == ("north",)


def test_a_device_that_closes_its_day_at_midnight_goes_on() -> None:
    assert after(device(1, 24.2)).going_on == ("north", "south")


def test_a_source_that_begins_again_goes_on() -> None:
    assert after(device(1, 5), device(0, 6)).going_on == ("north", "south")


def test_pictures_after_its_device_has_ended_are_of_a_source_that_goes_on() -> None:
    assert after(device(1, 5), news("south", 6)).going_on == ("north", "south")


def test_one_that_is_missed_already_does_not_go_on() -> None:
    """It was told by name."""
    assert after(*(news("north", hour) for hour in range(5, 12))).going_on == ("north",)
