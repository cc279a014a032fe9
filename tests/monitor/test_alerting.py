"""The life of alerts: from findings and broken rules to what is sent, through silences, restarts and returns."""

import json
import random
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import pytest

from monitor.alerting import AlertBook
from monitor.alerting.book import ENTRIES_KEPT
from monitor.breaches import Judgement
from monitor.causes import PARTLY
from schemas.records import Alert, AlertAction, AlertActionKind, CameraScores, DayReport, Finding
from schemas.times import to_us
from tests.support.alerts import DAWN, breach, finding, fog, minutes, news, report, scores

DAY = 24 * 60
"Minutes."


@dataclass(slots=True)
class Desk:
    """A book, and what it has sent; with `restarts`, each step begins from the JSON of the step before."""

    restarts: bool = False
    book: AlertBook = field(default_factory=AlertBook)
    sent: list[Alert] = field(default_factory=list)

    def tell(self, *findings: Finding, at: float, camera_id: str = "gate", **changes: object) -> list[Alert]:
        """News of a camera, `at` minutes after dawn."""
        self._restart()
        return self._keep(self.book.take(news(*findings, at=at, camera_id=camera_id, **changes)))

    def pass_by(self, findings: Iterable[Finding], start: int, end: int, camera_id: str = "gate") -> list[Alert]:
        """News every half hour, of what was found until then."""
        sent: list[Alert] = []
        for at in range(start, end, 30):
            known = [_as_of(one, at) for one in findings if one.found_at <= DAWN + minutes(at)]
            sent += self.tell(*known, at=at, camera_id=camera_id)
        return sent

    def judge(self, day: DayReport, *breaches: object, kept: Iterable[str] = ()) -> list[Alert]:
        """What the rules say of a day."""
        self._restart()
        return self._keep(self.book.judge(day, Judgement(breaches, frozenset(kept))))  # type: ignore[arg-type]

    def act(self, kind: AlertActionKind, target: str, until: float | None = None) -> list[Alert]:
        """What a person does, at noon."""
        self._restart()
        end = None if until is None else DAWN + minutes(until)
        return self._keep(self.book.act(AlertAction(kind, target, "anne", DAWN, end, "")))

    def _restart(self) -> None:
        if self.restarts:
            self.book = AlertBook.restore(json.loads(json.dumps(self.book.snapshot())))

    def _keep(self, alerts: list[Alert]) -> list[Alert]:
        self.sent += alerts
        return alerts


def _as_of(one: Finding, at: float) -> Finding:
    return replace(one, until=None) if one.until and one.until > DAWN + minutes(at) else one


@pytest.fixture
def desk() -> Desk:
    return Desk()


def mails(alerts: Iterable[Alert]) -> set[tuple[str, str]]:
    """What makes a mail of its own: id and state."""
    return {(alert.alert_id, alert.state) for alert in alerts}


def states(alerts: Iterable[Alert]) -> list[str]:
    return [alert.state for alert in alerts]


# Incidents


def test_a_camera_that_is_days_behind_has_alerts_of_its_own_time(desk: Desk) -> None:
    """What was filmed in March, beside a camera of today: its fog is gathered, told, and over, as anywhere."""
    desk.tell(at=260 * DAY, camera_id="live")
    late = Desk()
    told, alone = [], []
    for at in range(0, 10 * 60, 30):
        known = [_as_of(one, at) for one in fog(until=4 * 60) if one.found_at <= DAWN + minutes(at)]
        desk.tell(at=260 * DAY + at, camera_id="live")
        told += desk.tell(*known, at=at)
        alone += late.tell(*known, at=at)
    assert told == alone
    assert states(told)[0] == "open"
    assert states(told)[-1] == "resolved"


def test_an_alert_begins_with_what_harms(desk: Desk) -> None:
    """Harmless evidence from before it explains, and is no beginning."""
    before = finding("class-mix", 0.2, 0.3, -120, worse=False)
    (opened,) = desk.pass_by([before, *fog()], 0, 200)
    assert (opened.since, opened.alert_id) == (DAWN, f"incident:gate:{to_us(DAWN)}")
    assert before in opened.findings


def test_a_fault_with_many_findings_is_one_alert(desk: Desk) -> None:
    """Held until its cause can be named, then told once."""
    assert desk.pass_by(fog(), 0, 50) == []
    (opened,) = desk.pass_by(fog(), 60, 200)
    assert (opened.cause, opened.state, opened.severity, opened.rule) == ("fog", "open", "warning", "incident")
    assert (opened.since, opened.raised_at) == (DAWN, DAWN + minutes(60))
    assert opened.title == "gate: fog, or a fogged lens"
    assert opened.evidence[0] == "Contrast fell from 41.2 to 18.3, by 56%."
    assert opened.examples[0] == "gate:2026-11-23:contrast"


def test_it_resolves_when_all_of_it_is_over_for_a_while(desk: Desk) -> None:
    """Two hours after the last finding ended."""
    sent = desk.pass_by(fog(until=300), 0, 600)
    assert [(alert.state, alert.changed_at) for alert in sent][-1] == ("resolved", DAWN + minutes(420))
    assert sent[-1].summary.startswith("Over since 2026-11-23 11:00 CET, after 5 h.")
    assert len(mails(sent)) == 2


def test_one_finding_that_lasts_keeps_it_open(desk: Desk) -> None:
    """The sum of its findings is what it is about."""
    lasting = finding("structure", 0.05, 0.09, 30)
    assert "resolved" not in states(desk.pass_by([*fog(until=300), lasting], 0, 1200))


@pytest.mark.parametrize("signal", ["frozen", "black", "moved", "size", "stalled", "silent"])
def test_the_unmistakable_is_told_at_once(desk: Desk, signal: str) -> None:
    """Nobody waits three quarters of an hour to hear that a camera is dead."""
    (opened,) = desk.tell(finding(signal, 0.1, 1.0), at=10)
    assert opened.severity == ("critical" if signal in {"frozen", "black", "stalled", "silent"} else "warning")


def test_harmless_findings_open_nothing(desk: Desk) -> None:
    assert desk.pass_by([replace(one, worse=False) for one in fog()], 0, 300) == []


def test_a_harmless_finding_is_evidence_for_what_follows(desk: Desk) -> None:
    """The temperature fell, then came the fog."""
    cold = finding("temperature", 11.0, 6.0, -30, worse=False)
    desk.tell(cold, at=-10, part="device")
    (opened,) = desk.pass_by(fog(), 0, 90)
    assert "Temperature fell from 11 °C to 6 °C." in opened.evidence


@pytest.mark.parametrize("signal", ["temperature", "reconnects", "class-mix", "errors"])
def test_hints_are_no_warnings(desk: Desk, signal: str) -> None:
    """A warm device with good pictures wakes nobody, and of errors the rules tell."""
    (opened,) = desk.pass_by([finding(signal, 40, 72)], 0, 90)
    assert opened.severity == "info"


def test_a_few_missing_frames_are_no_warning(desk: Desk) -> None:
    """Many are."""
    (few,) = desk.pass_by([finding("gap", 0, 3, samples=3)], 0, 90)
    (many,) = desk.pass_by([finding("gap", 0, 300, camera_id="ramp", samples=300)], 0, 90, "ramp")
    assert (few.severity, many.severity) == ("info", "warning")


def test_a_pause_that_is_over_is_not_critical(desk: Desk) -> None:
    """A stall may be known only when the next picture comes."""
    opened = desk.tell(finding("stalled", 60, 960, until=DAWN + minutes(16)), at=17)[0]
    assert (opened.cause, opened.severity) == ("dead-camera", "warning")


def test_later_findings_join_silently(desk: Desk) -> None:
    """The same id and state, so no mail; told with a few hours' patience."""
    later = finding("flip", 0.1, 0.3, 70)
    sent = desk.pass_by([*fog(), later], 0, 300)
    assert len(mails(sent)) == 1
    assert [len(alert.findings) for alert in sent] == [3, 4]
    assert sent[1].raised_at == sent[0].raised_at


def test_a_critical_fault_long_after_is_an_alert_of_its_own(desk: Desk) -> None:
    """A dirty lens for a week does not hide a frozen picture."""
    desk.pass_by(fog(), 0, 600)
    (opened,) = desk.tell(*fog(), finding("frozen", 60, 600, 600), at=611)
    assert (opened.cause, opened.severity) == ("frozen", "critical")


def test_what_becomes_worse_is_sent_again_with_its_severity(desk: Desk) -> None:
    """The same id and state: only who asked for critical alerts alone gets a mail now. Whoever was at it looks again."""
    (opened,) = desk.pass_by(fog(), 0, 90)
    desk.act("acknowledge", opened.alert_id)
    (worse,) = desk.tell(*fog(), finding("frozen", 60, 600, 80), at=91)
    assert (worse.alert_id, worse.state, worse.severity) == (opened.alert_id, "open", "critical")


def test_a_cause_that_was_mailed_stays(desk: Desk) -> None:
    """What comes hours later would name another: it is told as a doubt, and the mail's word holds."""
    (opened,) = desk.pass_by(fog(), 0, 90)
    later = (finding("structure", 0.08, 0.81, 260, note=PARTLY), finding("brightness", 120.0, 100.0, 270))
    told = desk.pass_by([*fog(), *later], 90, 500)
    assert {alert.cause for alert in told} == {opened.cause} == {"fog"}
    assert len(told[-1].findings) == 5
    assert "as likely: a dirty lens." in told[-1].summary


def test_a_cause_is_named_anew_while_more_is_found(desk: Desk) -> None:
    """For three hours: the first sign of a fault may look like another."""
    first, *others = fog()
    (opened,) = desk.pass_by([finding("brightness", 120.0, 160.0), *others[1:]], 0, 90)
    assert opened.cause != "fog"
    told = desk.pass_by([finding("brightness", 120.0, 160.0), first, *others], 90, 400)
    assert told[-1].cause == "fog"


def test_the_same_weather_at_several_cameras_is_one_alert(desk: Desk) -> None:
    """It grows, keeps its id, and tells whom."""
    for at in range(0, 240, 30):
        for camera, start in (("gate", 0), ("ramp", 40), ("south", 90)):
            desk.tell(
                *(one for one in fog(start, camera) if one.found_at <= DAWN + minutes(at)), at=at, camera_id=camera
            )
    assert len(mails(desk.sent)) == 1
    last = desk.sent[-1]
    assert (last.cameras, last.camera_id) == (("gate", "ramp", "south"), "gate")
    assert last.title == "gate, ramp and south: fog, or a fogged lens"
    assert last.evidence[-1] == "The same was found at ramp and south."


def test_a_worse_model_is_one_alert_though_quiet_roads_tell_it_hours_apart(desk: Desk) -> None:
    """When the answers changed is a guess where few vehicles pass; dirt at the same distance would be two."""
    desk.tell(at=0, model_versions=("v1",))
    for camera, start in (("gate", 70), ("ramp", 400)):
        for at in range(60, 700, 30):
            known = [one for one in unsure(start, camera) if one.found_at <= DAWN + minutes(at)]
            desk.tell(*known, at=at, camera_id=camera, model_versions=("v2",))
    assert len(mails(desk.sent)) == 1
    assert (desk.sent[-1].cause, desk.sent[-1].cameras) == ("model", ("gate", "ramp"))


def unsure(start: float, camera_id: str) -> list[Finding]:
    """What a worse model does to answers."""
    return [finding("confidence", 0.95, 0.6, start, camera_id), finding("flip", 0.02, 0.3, start, camera_id)]


def test_dusk_at_the_wrong_hour_is_the_clocks(desk: Desk) -> None:
    """What is usual is known by the hour: no second alert, however late it comes."""
    wrong = finding("clock", 0, -5880)
    dusk = [finding("brightness", 110, 40, 600), finding("contrast", 40, 12, 600)]
    sent = desk.pass_by([wrong, *dusk], 0, 900)
    assert len(mails(sent)) == 1
    assert {alert.cause for alert in sent} == {"clock"}


def test_a_frozen_picture_is_no_fault_of_the_clock(desk: Desk) -> None:
    sent = desk.pass_by([finding("clock", 0, -5880), finding("frozen", 60, 600, 600)], 0, 900)
    assert [alert.cause for alert in sent if alert.state == "open"][:2] == ["clock", "frozen"]


def test_a_group_is_over_when_its_last_camera_is(desk: Desk) -> None:
    for at in range(0, 900, 30):
        for camera, end in (("gate", 200), ("ramp", 500)):
            desk.tell(*(_as_of(one, at) for one in fog(0, camera, end)), at=at, camera_id=camera)
    assert [alert.changed_at for alert in desk.sent if alert.state == "resolved"] == [DAWN + minutes(630)]


def test_dirt_at_two_cameras_is_two_alerts(desk: Desk) -> None:
    """Each has to be cleaned."""
    for camera in ("gate", "ramp"):
        dirt = [finding("sharpness", 210, 130, 0, camera), finding("structure", 0.05, 0.09, 0, camera)]
        desk.pass_by(dirt, 0, 90, camera)
    assert {alert.cause for alert in desk.sent} == {"dirty-lens"}
    assert len(mails(desk.sent)) == 2


def test_the_same_within_a_day_opens_the_same_alert_again(desk: Desk) -> None:
    """Flapping: no new id, and so no new mail."""
    back = fog(900)
    sent = desk.pass_by([*fog(until=300), *back], 0, 1100)
    assert states(sent) == ["open", "resolved", "open"]
    assert len({alert.alert_id for alert in sent}) == 1
    assert sent[-1].changed_at == DAWN + minutes(960)


def test_the_same_after_two_days_is_another_alert(desk: Desk) -> None:
    sent = desk.pass_by([*fog(until=300), *fog(3 * DAY)], 0, 3 * DAY + 120)
    assert len({alert.alert_id for alert in sent}) == 2


def test_a_camera_that_falls_silent_resolves_after_three_days(desk: Desk) -> None:
    """The others' time goes on."""
    desk.tell(finding("stalled", 60, 960), at=17)
    for at in range(0, 4 * DAY, 60):
        desk.tell(at=at, camera_id="ramp")
    assert states(desk.sent) == ["open", "open", "open", "open", "resolved"]
    assert "Nothing was heard of it any more" in desk.sent[-1].summary


def test_a_held_fault_opens_though_its_camera_says_nothing_more(desk: Desk) -> None:
    """It is taken to be some hours behind the others at most."""
    desk.tell(*fog(), at=31)
    assert desk.tell(at=120, camera_id="ramp") == []
    (opened,) = desk.tell(at=250, camera_id="ramp")
    assert opened.cause == "fog"


def test_what_was_short_is_told_as_open_and_over(desk: Desk) -> None:
    """Nothing is dropped because the news of it came late."""
    desk.tell(*fog(until=40), at=45)
    assert states(desk.tell(*fog(until=40), at=300)) == ["open", "resolved"]


def test_days_that_come_again_with_late_labels_change_nothing(desk: Desk) -> None:
    """What was over then is not begun anew."""
    desk.pass_by(fog(until=300), 0, 600)
    old = [replace(one, until=None) for one in fog()]
    assert desk.tell(*old, at=600, revision=2) == []
    later = 9 * DAY
    assert desk.tell(at=later) == []
    assert desk.tell(*old, at=0, revision=3) == []


def test_a_new_models_fault_names_the_model(desk: Desk) -> None:
    """At several cameras, as one."""
    for at in range(-60, 150, 30):
        for camera in ("gate", "ramp", "south"):
            falls = finding("confidence", 0.93, 0.7, 10, camera)
            version = "v1" if at < 0 else "v2"
            known = [falls] if at >= 20 else []
            desk.tell(*known, at=at, camera_id=camera, model_versions=(version,))
    assert {alert.cause for alert in desk.sent} == {"model"}
    assert len(mails(desk.sent)) == 1
    assert desk.sent[-1].cameras == ("gate", "ramp", "south")


# Broken rules


def test_several_broken_days_are_one_alert(desk: Desk) -> None:
    """Named after the first, with the newest day's figures and report."""
    days = ["2026-11-23", "2026-11-24", "2026-11-25"]
    sent = [alert for day in days for alert in desk.judge(report(day), breach(day))]
    assert mails(sent) == {("accuracy:2026-11-23", "open")}
    assert [alert.day for alert in sent] == days
    assert sent[-1].report == report(days[-1])


def test_a_day_that_keeps_the_rule_resolves_it(desk: Desk) -> None:
    desk.judge(report("2026-11-23"), breach("2026-11-23"))
    (over,) = desk.judge(report("2026-11-24"), kept=["accuracy"])
    assert (over.state, over.alert_id) == ("resolved", "accuracy:2026-11-23")
    assert over.summary.startswith("Kept again on 2026-11-24.")


def test_a_day_that_says_nothing_changes_nothing(desk: Desk) -> None:
    """Too few labels are no recovery."""
    desk.judge(report("2026-11-23"), breach("2026-11-23"))
    assert desk.judge(report("2026-11-24")) == []


def test_a_revision_takes_it_back(desk: Desk) -> None:
    """Late labels may show that the day was good."""
    desk.judge(report("2026-11-23"), breach("2026-11-23"))
    (over,) = desk.judge(report("2026-11-23", revision=2))
    assert over.state == "resolved"
    assert over.summary.startswith("Taken back by revision 2 of 2026-11-23.")


def test_a_revision_that_takes_back_one_of_two_days_leaves_it_open(desk: Desk) -> None:
    desk.judge(report("2026-11-23"), breach("2026-11-23"))
    desk.judge(report("2026-11-24"), breach("2026-11-24"))
    assert desk.judge(report("2026-11-24", revision=2)) == []
    (over,) = desk.judge(report("2026-11-25"), kept=["accuracy"])
    assert over.alert_id == "accuracy:2026-11-23"


def test_a_day_that_late_labels_break_is_told_though_later_days_are_good(desk: Desk) -> None:
    """Told, and over."""
    desk.judge(report("2026-11-25"), kept=["accuracy"])
    sent = desk.judge(report("2026-11-23", revision=2), breach("2026-11-23"))
    assert [(alert.alert_id, alert.state) for alert in sent] == [
        ("accuracy:2026-11-23", "open"),
        ("accuracy:2026-11-23", "resolved"),
    ]


def test_the_next_bad_day_after_a_good_one_is_another_alert(desk: Desk) -> None:
    desk.judge(report("2026-11-23"), breach("2026-11-23"))
    desk.judge(report("2026-11-24"), kept=["accuracy"])
    (again,) = desk.judge(report("2026-11-25"), breach("2026-11-25"))
    assert again.alert_id == "accuracy:2026-11-25"


def test_cameras_and_slices_have_alerts_of_their_own(desk: Desk) -> None:
    sent = desk.judge(report(), breach(camera_id="gate"), breach(camera_id="ramp", slice="hour=07"))
    assert [alert.alert_id for alert in sent] == [
        "camera-accuracy:gate:2026-11-23",
        "camera-accuracy:ramp:hour=07:2026-11-23",
    ]


def test_a_worse_day_is_told_with_its_severity(desk: Desk) -> None:
    """Also to somebody who was at it."""
    (opened,) = desk.judge(report("2026-11-23"), breach("2026-11-23", camera_id="gate"))
    desk.act("acknowledge", opened.alert_id)
    worse = breach("2026-11-24", camera_id="gate", severity="critical")
    (again,) = desk.judge(report("2026-11-24"), worse)
    assert (again.alert_id, again.state, again.severity) == (opened.alert_id, "open", "critical")


def foggy_day() -> DayReport:
    """Most mistakes were made where fog was."""
    cameras = (CameraScores("gate", scores(44, 62), fog()), CameraScores("ramp", scores(90, 5), ()))
    return report(cameras=cameras)


def test_a_broken_rule_names_the_cause_that_was_found(desk: Desk) -> None:
    """The mail about 60 % tells why."""
    desk.pass_by(fog(until=300), 0, 600)
    (alert,) = desk.judge(foggy_day(), breach())
    assert (alert.cause, alert.cameras, alert.camera_id) == ("fog", ("gate",), None)
    assert "The likely cause: fog, or a fogged lens (gate, since 2026-11-23 06:00 CET)." in alert.summary
    assert alert.evidence[0] == "Contrast fell from 41.2 to 18.3, by 56%."
    assert alert.actions[0].startswith("Look at the newest pictures")


def test_a_fault_where_hardly_a_mistake_was_made_explains_nothing(desk: Desk) -> None:
    desk.pass_by(fog(camera_id="ramp"), 0, 600, "ramp")
    (alert,) = desk.judge(foggy_day(), breach())
    assert (alert.cause, alert.cameras) == ("", ())


def test_a_cameras_rule_is_explained_by_its_own_incident(desk: Desk) -> None:
    desk.pass_by(fog(camera_id="ramp"), 0, 600, "ramp")
    gate, ramp = desk.judge(foggy_day(), breach(camera_id="gate"), breach(camera_id="ramp"))
    assert (gate.cause, ramp.cause) == ("", "fog")


def test_the_fault_of_another_day_explains_nothing(desk: Desk) -> None:
    desk.pass_by(fog(until=300), 0, 600)
    (alert,) = desk.judge(report("2026-11-25", cameras=foggy_day().cameras), breach("2026-11-25"))
    assert alert.cause == ""


def test_worst_frames_are_its_examples(desk: Desk) -> None:
    (alert,) = desk.judge(report(), breach(camera_id="gate-north"))
    assert alert.examples == ("gate-north:2026-11-23:71", "gate-north:2026-11-23:88")


# People


def test_an_acknowledged_alert_says_by_whom_and_resolves_by_itself(desk: Desk) -> None:
    (opened,) = desk.pass_by(fog(until=300), 0, 90)
    (taken,) = desk.act("acknowledge", opened.alert_id)
    assert (taken.state, taken.by, taken.changed_at) == ("acknowledged", "anne", DAWN + minutes(60))
    assert desk.act("acknowledge", opened.alert_id) == []
    over = desk.pass_by(fog(until=300), 90, 600)[-1]
    assert (over.state, over.by) == ("resolved", "")


def test_an_acknowledged_day_stays_so_on_the_next(desk: Desk) -> None:
    desk.judge(report("2026-11-23"), breach("2026-11-23"))
    desk.act("acknowledge", "accuracy:2026-11-23")
    (again,) = desk.judge(report("2026-11-24"), breach("2026-11-24"))
    assert (again.state, again.by) == ("acknowledged", "anne")


def test_an_alert_that_is_not_there_cannot_be_acknowledged(desk: Desk) -> None:
    desk.judge(report(), breach())
    with pytest.raises(ValueError, match="no alert 'fog'; open are accuracy:2026-11-23"):
        desk.act("acknowledge", "fog")


def test_a_silent_alert_is_kept_and_not_sent(desk: Desk) -> None:
    """Neither that it is open nor that it is over; the day's report knows it."""
    desk.act("silence", "camera=gate,cause=fog", until=DAY)
    assert desk.pass_by(fog(until=300), 0, 600) == []
    assert [line.state for line in desk.book.lines("2026-11-23")] == ["resolved"]


def test_an_alert_that_outlasts_its_silence_is_sent(desk: Desk) -> None:
    desk.act("silence", "camera=gate", until=200)
    (opened,) = desk.pass_by(fog(), 0, 260)
    assert (opened.state, opened.raised_at) == ("open", DAWN + minutes(60))


def test_a_silence_that_is_ended_sends_what_is_open(desk: Desk) -> None:
    desk.act("silence", "camera=gate", until=DAY)
    desk.pass_by(fog(), 0, 90)
    assert states(desk.act("unsilence", "camera=gate")) == ["open"]


def test_what_was_told_as_open_is_told_as_over_whatever_is_silent(desk: Desk) -> None:
    """Who knows of it should not look after it for ever."""
    desk.pass_by(fog(until=300), 0, 90)
    desk.act("silence", "camera=gate", until=DAY)
    assert states(desk.pass_by(fog(until=300), 90, 600)) == ["resolved"]


def test_other_cameras_are_not_silent(desk: Desk) -> None:
    desk.act("silence", "camera=ramp", until=DAY)
    assert states(desk.pass_by(fog(), 0, 90)) == ["open"]


# Reports


def test_a_days_lines_are_what_stood_on_it_the_worst_first(desk: Desk) -> None:
    desk.pass_by(fog(until=300), 0, 600)
    desk.judge(report("2026-11-23"), breach("2026-11-23"))
    lines = desk.book.lines("2026-11-23")
    assert [(line.severity, line.state) for line in lines] == [("critical", "open"), ("warning", "resolved")]
    assert [line.alert_id for line in desk.book.lines("2026-11-24")] == ["accuracy:2026-11-23"]
    assert desk.book.lines("2026-11-22") == ()


def test_an_open_incident_is_sent_again_each_day(desk: Desk) -> None:
    """With its newest day, so that reminders can be counted; the mailer knows what it has mailed."""
    sent = desk.pass_by(fog(), 0, 3 * DAY)
    assert [alert.day for alert in sent] == ["2026-11-23", "2026-11-24", "2026-11-25"]
    assert len(mails(sent)) == 1


# The book itself


def story(desk: Desk) -> None:
    """Something of everything."""
    desk.tell(finding("temperature", 11.0, 6.0, -30, worse=False), at=-10, part="device", model_versions=("v1",))
    desk.pass_by([*fog(until=300), finding("flip", 0.1, 0.3, 70, until=DAWN + minutes(320))], 0, 210)
    desk.pass_by(fog(50, "ramp", 400), 60, 240, "ramp")
    desk.act("acknowledge", desk.sent[0].alert_id)
    desk.act("silence", "cause=frozen", until=700)
    desk.pass_by([*fog(until=300), finding("frozen", 60, 600, 600)], 210, 800)
    desk.pass_by(fog(50, "ramp", 400), 240, 800, "ramp")
    desk.judge(foggy_day(), breach(), breach(camera_id="gate"), kept=["camera-accuracy:ramp"])
    desk.judge(report("2026-11-24"), breach("2026-11-24"), kept=["camera-accuracy:gate"])
    desk.pass_by(fog(2 * DAY), 2 * DAY, 2 * DAY + 120)
    desk.judge(report("2026-11-23", revision=2))


def test_a_restart_at_every_step_changes_nothing() -> None:
    """Byte for byte, and what is kept as well."""
    through, broken = Desk(), Desk(restarts=True)
    story(through)
    story(broken)
    assert {alert.state for alert in through.sent} == {"open", "acknowledged", "resolved"}
    assert broken.sent == through.sent
    assert json.dumps(broken.book.snapshot()) == json.dumps(through.book.snapshot())


SIGNALS = (
    "contrast",
    "sharpness",
    "brightness",
    "noise",
    "confidence",
    "flip",
    "temperature",
    "gap",
    "frozen",
    "labels",
)


def random_life(rng: random.Random, desk: Desk, steps: int, spacing: int = 30) -> Iterator[int]:
    """Findings that come and go at four cameras, days that break and keep rules; gives the number of each step."""
    open_findings: dict[str, list[Finding]] = {camera: [] for camera in "abcd"}
    at = 0
    for step in range(steps):
        at += rng.randint(1, spacing)
        camera = rng.choice("abcd")
        known = open_findings[camera]
        if rng.random() < 0.3:
            after = rng.choice((5.0, 80.0))
            known.append(finding(rng.choice(SIGNALS), 40.0, after, at - 10, camera, worse=rng.random() < 0.8))
        open_findings[camera] = known = [_ended(rng, one, at) for one in known][-12:]
        desk.tell(*known, at=at, camera_id=camera, model_versions=(f"v{step // 300}",))
        if step % 20 == 0:
            day = (DAWN + minutes(at)).date().isoformat()
            broken = [breach(day, camera_id=name) for name in "abcd" if rng.random() < 0.3]
            desk.judge(report(day), *broken, kept=[f"camera-accuracy:{name}" for name in "abcd" if rng.random() < 0.5])
        yield step


def _ended(rng: random.Random, one: Finding, at: float) -> Finding:
    return replace(one, until=DAWN + minutes(at)) if one.until is None and rng.random() < 0.2 else one


@pytest.mark.parametrize("seed", range(3))
def test_the_book_stays_small(seed: int) -> None:
    """However much is found: a thousand steps over half a year."""
    desk = Desk()
    sizes = [
        len(json.dumps(desk.book.snapshot()))
        for step in random_life(random.Random(seed), desk, 1000, spacing=500)
        if step % 20 == 0
    ]
    assert max(sizes[25:]) < 1.5 * max(sizes[12:25])
    assert max(sizes) < 60_000


@pytest.mark.parametrize("seed", range(3))
def test_random_lives_survive_restarts(seed: int) -> None:
    """The same records in the same order give the same alerts."""
    through, broken = Desk(), Desk(restarts=True)
    for life in (through, broken):
        deque(random_life(random.Random(seed), life, 150), maxlen=0)
    assert broken.sent == through.sent


@pytest.mark.parametrize("seed", range(3))
def test_states_follow_each_other(seed: int) -> None:
    """An alert is open before it is anything else, and is over only once each time."""
    desk = Desk()
    deque(random_life(random.Random(seed), desk, 600), maxlen=0)
    before: dict[str, str] = {}
    for alert in desk.sent:
        last = before.get(alert.alert_id)
        assert alert.state == "open" if last is None else (last, alert.state) != ("resolved", "resolved")
        before[alert.alert_id] = alert.state


def test_the_number_of_alerts_is_bounded(desk: Desk) -> None:
    """More cameras than anybody has, all dead at once."""
    for n in range(ENTRIES_KEPT + 50):
        desk.tell(finding("stalled", 60, 960, camera_id=f"c{n}"), at=17, camera_id=f"c{n}")
    assert len(desk.book.snapshot()["entries"]) == ENTRIES_KEPT


def test_what_is_over_is_forgotten_after_forty_days(desk: Desk) -> None:
    desk.pass_by(fog(until=300), 0, 600)
    desk.tell(at=41 * DAY)
    assert desk.book.snapshot()["entries"] == []
