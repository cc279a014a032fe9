"""Camera-days become reports: when, with whom, and what they raise."""

from dataclasses import replace
from datetime import date, timedelta
from itertools import permutations

from monitor.merging import DAYS_KEPT, MEMORY, take_camera_day, take_settled, waiting_until
from monitor.metrics import cells
from monitor.outcomes import Position
from monitor.windows import Calendar
from schemas.codec import Codec
from schemas.records import Alert, CameraDay, ConfidenceBin, DayReport, Finding, Slice, Tally
from tests.monitor.world import START, Bus, write


def camera_day(camera: str, day: str, revision: int = 1, right: int = 9, wrong: int = 1) -> CameraDay:
    """A day of some labelled cars, some of them taken for trucks."""
    starts_at, ends_at = Calendar("UTC").bounds(day)
    tally = Tally(frames=10, vehicle_cells=cells({("car", "car"): right, ("car", "truck"): wrong}))
    return CameraDay(camera, day, "UTC", revision, starts_at, ends_at, tally, (), ("v1",))


def merged(*days: CameraDay) -> Bus:
    """A merger that took these in."""
    bus = Bus()
    for day in days:
        bus.hand_in(day)
    return bus


def reports(bus: Bus) -> list[tuple[str, int, list[str], tuple[str, ...]]]:
    """Day, revision, cameras, absent of each report."""
    found = [record for record in bus.sent if isinstance(record, DayReport)]
    return [(r.day, r.revision, [c.camera_id for c in r.cameras], r.absent) for r in found]


MONDAY, TUESDAY = "2026-03-02", "2026-03-03"


def opened(camera: str, day: str) -> CameraDay:
    """The announcement of a camera's day."""
    return camera_day(camera, day, revision=0, right=0, wrong=0)


def test_a_report_waits_for_every_camera_that_began_the_day() -> None:
    """One report when the last has handed in."""
    bus = merged(opened("a", MONDAY), opened("b", MONDAY), camera_day("b", MONDAY))
    assert reports(bus) == []
    bus.hand_in(camera_day("a", MONDAY))
    assert reports(bus) == [(MONDAY, 1, ["a", "b"], ())]


def test_nothing_waits_for_a_silent_camera() -> None:
    """The others' next day is the signal; the silent one is a revision when it comes."""
    bus = merged(opened("a", MONDAY), opened("b", MONDAY), camera_day("b", MONDAY), camera_day("b", TUESDAY))
    assert reports(bus) == [(MONDAY, 1, ["b"], ()), (TUESDAY, 1, ["b"], ("a",))]
    bus.hand_in(camera_day("a", MONDAY))
    assert reports(bus)[-1] == (MONDAY, 2, ["a", "b"], ())


def test_a_camera_day_that_comes_twice_makes_no_revision() -> None:
    """As after a kill."""
    bus = merged(camera_day("a", MONDAY), camera_day("a", MONDAY), opened("a", MONDAY))
    assert reports(bus) == [(MONDAY, 1, ["a"], ())]


def test_a_bad_day_alerts_once_for_all_cameras() -> None:
    """No alert for the camera beside it, and no other one with the next revision."""
    bus = merged(camera_day("a", MONDAY, right=2, wrong=10), camera_day("b", MONDAY, right=9, wrong=9))
    alert, revised = [record for record in bus.sent if isinstance(record, Alert)]
    assert (alert.alert_id, alert.severity, alert.samples) == ("accuracy:2026-03-02", "critical", 12)
    assert (revised.alert_id, revised.state, revised.samples) == (alert.alert_id, "open", 30)
    assert "2 of 12 labelled vehicles" in alert.summary
    assert alert.report is not None


def test_one_bad_camera_among_good_ones_alerts_for_itself() -> None:
    """The day as a whole is good."""
    days = [opened("a", MONDAY), camera_day("b", MONDAY, right=90), camera_day("a", MONDAY, right=2, wrong=10)]
    bus = merged(opened("b", MONDAY), *days)
    alerts = [record for record in bus.sent if isinstance(record, Alert)]
    assert [(a.alert_id, a.severity, a.camera_id) for a in alerts] == [("camera-accuracy:a:2026-03-02", "warning", "a")]


def test_too_few_labels_raise_no_alert() -> None:
    """Nine, where ten are asked for."""
    assert not merged(camera_day("a", MONDAY, right=0, wrong=9)).of(Alert)


def test_an_alert_tells_since_when_a_drift_may_explain_it() -> None:
    """The earliest harmful drift of the day."""
    at = START + timedelta(hours=7)
    found = Finding(
        "a:brightness:1", "drift", "a", "brightness", "adwin", at, at, None, 120.0, 180.0, 16, True, None, ""
    )
    day = replace(camera_day("a", MONDAY, right=2, wrong=10), findings=(found,))
    incident, alert = merged(day).of(Alert)
    assert isinstance(alert, Alert)
    assert isinstance(incident, Alert)
    assert (incident.rule, incident.camera_id, incident.cause) == ("incident", "a", "unknown")
    assert alert.since == at
    assert "brightness went from 120 to 180 about 07:00 UTC" in alert.summary


def test_the_merger_forgets_days_long_past() -> None:
    """Its state does not grow."""
    bus = Bus()
    for i in range(100):
        bus.hand_in(camera_day("a", (START + timedelta(days=i)).date().isoformat()))
    assert len(bus.merger) == 43  # forty days, and three values of its own
    bus.hand_in(camera_day("b", MONDAY))
    assert reports(bus)[-1][0] != MONDAY


def settled(*handed_in: tuple[int, CameraDay]) -> list[tuple[str, int, list[str], tuple[str, ...]]]:
    """The reports of a merger that read camera-days in this order, with when they were logged, and settled then."""
    values, bus = dict[str, bytes](), Bus()
    for offset, (logged_ms, day) in enumerate(handed_in):
        write(values, take_camera_day(values, Codec(), day, Position("camera-days", offset, logged_ms)))
    bus.sent += take_settled((), Codec(), values, waiting_until(values) or 0).outputs
    return reports(bus)


def test_reports_do_not_depend_on_the_order_of_camera_days() -> None:
    """They are merged in the order in which they were logged: b came after the report on Monday."""
    handed_in = [
        (1, opened("a", MONDAY)),
        (2, camera_day("a", MONDAY)),
        (3, opened("b", MONDAY)),
        (4, camera_day("a", TUESDAY)),
        (5, camera_day("b", MONDAY)),
    ]
    expected = [(MONDAY, 1, ["a"], ()), (TUESDAY, 1, ["a"], ("b",)), (MONDAY, 2, ["a", "b"], ())]
    for order in permutations(handed_in):
        assert settled(*order) == expected


def test_what_was_logged_together_is_merged_together() -> None:
    """One revision for both."""
    first = [(1, camera_day("a", MONDAY))]
    assert settled(*first, (2, camera_day("b", MONDAY)), (2, camera_day("c", MONDAY))) == [
        (MONDAY, 1, ["a"], ()),
        (MONDAY, 2, ["a", "b", "c"], ()),
    ]


def test_nothing_is_merged_that_was_logged_after_the_time_that_is_settled() -> None:
    """It waits, and is merged when that has settled."""
    values: dict[str, bytes] = {}
    for offset, day in enumerate((opened("a", MONDAY), camera_day("a", MONDAY))):
        write(values, take_camera_day(values, Codec(), day, Position("camera-days", offset, 10 * offset)))
    assert waiting_until(values) == 10
    write(values, early := take_settled((), Codec(), values, 9))
    assert early.outputs == []
    write(values, late := take_settled((), Codec(), values, 10))
    assert len(late.outputs) == 1
    assert waiting_until(values) is None


def test_what_is_merged_at_once_is_forgotten_as_if_it_had_come_day_by_day() -> None:
    """A long backlog leaves no more behind than the days that are kept."""
    values: dict[str, bytes] = {}
    first = date.fromisoformat(MONDAY)
    for number in range(2 * DAYS_KEPT):
        day = camera_day("a", f"{first + timedelta(days=number)}")
        write(values, take_camera_day(values, Codec(), day, Position("camera-days", number, number)))
    write(values, take_settled((), Codec(), values, 2 * DAYS_KEPT))
    assert sum(key.endswith(":pictures:a:1") for key in values) == DAYS_KEPT


def sure_day(day: str, revision: int = 1, labelled: int = 0, right: int = 0) -> CameraDay:
    """Five hundred cars of which the model is sure by .95, half of them at night; those by day are labelled right."""
    counts = {("car", "car"): right, ("truck", "car"): labelled - right}
    tally = Tally(
        vehicle_cells=cells(counts),
        confidences=(ConfidenceBin("car", 47, 500, 0.95 * 500, labelled, right),),
        slices=(
            Slice("light", "bright", {"car": 250}, cells({("car", "car"): labelled // 2})),
            Slice("light", "dark", {"car": 250}, cells(counts | {("car", "car"): right - labelled // 2})),
        ),
    )
    return replace(camera_day("a", day), revision=revision, tally=tally)


def believed(bus: Bus) -> list[tuple[str, int, bool]]:
    """Of each report, day, revision, and whether its estimate is to be believed."""
    return [(r.day, r.revision, not r.estimate.breaks) for r in bus.of(DayReport) if r.estimate]  # type: ignore[attr-defined]


def behind(bus: Bus) -> list[list[str]]:
    """Of each report, the slices that were found to be worse."""
    return [[each.value for each in r.slices if each.discovered] for r in bus.of(DayReport)]  # type: ignore[attr-defined]


def test_labels_that_were_asked_for_break_a_sure_estimate() -> None:
    """95 % before them, of a model that is right on 55: the revision says so, and the next day's report."""
    bus = merged(sure_day(MONDAY))
    (first,) = bus.of(DayReport)
    assert first.estimate.accuracy > 0.94  # type: ignore[attr-defined]
    bus.hand_in(sure_day(MONDAY, 2, labelled=100, right=55))
    bus.hand_in(sure_day(TUESDAY))
    assert believed(bus) == [(MONDAY, 1, True), (MONDAY, 2, False), (TUESDAY, 1, False)]
    _, second, _ = bus.of(DayReport)
    assert "of 100 labelled vehicles 55 were right" in second.estimate.breaks  # type: ignore[attr-defined]
    assert "The estimate is not to be believed: labels speak against it." in second.changes  # type: ignore[attr-defined]


def test_the_revision_that_breaks_an_estimate_alerts() -> None:
    """Where accuracy itself is not below its floor: then that is the alert."""
    for right, alert_id in ((64, f"estimate-broken:{MONDAY}"), (55, f"accuracy:{MONDAY}")):
        bus = merged(sure_day(MONDAY), sure_day(MONDAY, 2, labelled=100, right=right))
        (report,) = [alert.report for alert in bus.of(Alert) if alert.alert_id == alert_id]  # type: ignore[attr-defined]
        assert (report.revision, bool(report.estimate.breaks)) == (2, True)


def test_labels_of_a_day_before_the_newest_break_the_estimates_of_all_days_after_it() -> None:
    """Tuesday was reported first; it says so when it is told anew."""
    bus = merged(sure_day(MONDAY), sure_day(TUESDAY), sure_day(MONDAY, 2, labelled=100, right=55))
    bus.hand_in(sure_day(TUESDAY, 2, labelled=1, right=1))
    assert believed(bus)[2:] == [(MONDAY, 2, False), (TUESDAY, 2, False)]


def test_labels_that_were_asked_for_find_a_slice_that_falls_behind() -> None:
    """In the revision that they make, and on the next day."""
    bus = merged(sure_day(MONDAY), sure_day(MONDAY, 2, labelled=100, right=55), sure_day(TUESDAY))
    assert behind(bus) == [[], ["dark"], ["dark"]]


def test_a_merger_killed_before_it_knew_what_it_had_reported_reports_the_same() -> None:
    """What it had learned from the day's labels counts once."""
    days = [sure_day(MONDAY), sure_day(MONDAY, 2, labelled=20, right=13), sure_day(TUESDAY, 1, labelled=20, right=13)]
    steady, killed = merged(*days), Bus()
    for place, day in enumerate(days):
        before = dict(killed.merger)
        killed.hand_in(day)
        if place:
            killed.merger = before | {MEMORY: killed.merger[MEMORY]}
            killed.camera_days -= 1
            killed.hand_in(day)
    told = [{(r.day, r.revision): r for r in bus.of(DayReport)} for bus in (killed, steady)]  # type: ignore[attr-defined]
    assert told[0] == told[1]
    assert killed.merger[MEMORY] == steady.merger[MEMORY]
