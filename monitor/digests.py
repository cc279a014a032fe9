"""Digests: which is due, and which alerts it tells.

    cuts          Mon 07:00          Tue 07:00          Wed 07:00
    ─────────────────┼──────────────────┼──────────────────┼────────
    alerts         ●      ●     ✓            ●    ●
                  told    └─ told on Tuesday ┘    └─ on Wednesday

Nothing is held for a digest: the alerts' own topic is, and the record of deliveries says what was told.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Literal
from zoneinfo import ZoneInfo

from monitor.mail import digested_id, ids_told, reminder_of
from monitor.subscriptions import RANKS, Pace, Subscriber
from schemas.records import Alert

PERIODS: Final[dict[Pace, timedelta]] = {"daily": timedelta(days=1), "weekly": timedelta(days=7)}
"What a digest looks back on, from the most frequent on."
CATCH_UP: Final = timedelta(days=7)
"So much longer it looks back where earlier ones may have failed."
REMEMBERED: Final = 90
"Days whose digests are looked for on record: as many as alerts are kept for."
MONDAY: Final = 0

Section = Literal["new", "over", "still"]
"""A part of a digest: told for the first time, over, open from before."""


@dataclass(frozen=True, slots=True)
class Logged:
    """An alert as it stands on its topic."""

    alert: Alert
    "In the state that it had."
    at: datetime
    "When it was logged, wall clock."


@dataclass(frozen=True, slots=True)
class Cut:
    """Where a digest ends."""

    day: str
    "The day on which it falls, which names it: there is one a day, whatever the clocks do."
    at: datetime
    "The instant, UTC."


@dataclass(frozen=True, slots=True)
class Post:
    """A digest that somebody gets again and again."""

    recipient: str
    "An address or a channel."
    pace: Pace
    "How often."
    subscribers: tuple[Subscriber, ...]
    "What they have subscribed to at this pace."
    sooner: tuple[Subscriber, ...]
    "What tells them sooner: at once, or by a more frequent digest."

    def follows(self, alert: Alert) -> bool:
        """Whether the alert is one of theirs."""
        return any(subscriber.follows(alert) for subscriber in self.subscribers)

    def hears_sooner(self, alert: Alert) -> bool:
        """Whether the alert in its state is told to them without this digest."""
        return any(s.follows(alert) if s.digest else s.wants(alert) for s in self.sooner)


@dataclass(frozen=True, slots=True)
class Habits:
    """When digests go out, and what of open alerts is said again."""

    at: time
    "The time of day."
    timezone: str
    "IANA name."
    reminder_days: int
    "Days after which an open alert is told again; 0 for never."


@dataclass(frozen=True, slots=True)
class Digest:
    """What is told at once of many alerts."""

    post: Post
    "To whom."
    cut: Cut
    "Up to when."
    new: tuple[Alert, ...] = ()
    "Those that were not told yet and are not over, the most severe first."
    over: tuple[Alert, ...] = ()
    "Those that are over."
    still: tuple[Alert, ...] = ()
    "Those that were told before and are not over."
    told: tuple[tuple[str, str], ...] = ()
    "Delivery and alert id of whatever is told for the first time, a reminder's included; empty where nothing is."


@dataclass(frozen=True, slots=True)
class Line:
    """What a digest makes of an alert."""

    alert: Alert
    "The alert."
    section: Section | None
    "Where it stands; None where it does not."
    told: tuple[str, ...] = ()
    "Deliveries that are on record once the digest was taken."


def posts_of(subscribers: Sequence[Subscriber]) -> tuple[Post, ...]:
    """The digests that there are, each recipient's more frequent one first."""
    names = dict.fromkeys(subscriber.address for subscriber in subscribers)
    posts = (_post(name, pace, subscribers) for name in names for pace in PERIODS)
    return tuple(post for post in posts if post.subscribers)


def _post(recipient: str, pace: Pace, subscribers: Sequence[Subscriber]) -> Post:
    own = [subscriber for subscriber in subscribers if subscriber.address == recipient]
    sooner = {None, *list(PERIODS)[: list(PERIODS).index(pace)]}
    return Post(recipient, pace, tuple(s for s in own if s.digest == pace), tuple(s for s in own if s.digest in sooner))


def latest_cut(now: datetime, pace: Pace, habits: Habits) -> Cut:
    """The last one that has passed: a day's, or a Monday's.

    A time that clocks skip is an hour later on that day, one that they show twice is the first of both.
    """
    today = now.astimezone(ZoneInfo(habits.timezone)).date()
    cuts = (_cut(today - timedelta(days=back), habits) for back in range(15))
    return next(cut for cut in cuts if cut.at <= now and (pace == "daily" or _is_monday(cut)))


def _cut(day: date, habits: Habits) -> Cut:
    return Cut(day.isoformat(), datetime.combine(day, habits.at, ZoneInfo(habits.timezone)).astimezone(UTC))


def _is_monday(cut: Cut) -> bool:
    return date.fromisoformat(cut.day).weekday() == MONDAY


def digest_id(post: Post, day: str) -> str:
    """The key under which a digest is on record, as an alert's delivery is: what, how, to whom."""
    return f"{name_of(day)}|{post.pace}|{post.recipient}"


def name_of(day: str) -> str:
    """What stands for a digest where an alert has its id."""
    return f"digest:{day}"


def asked_of(post: Post, cut: Cut, logged: Iterable[Logged], habits: Habits) -> set[str]:
    """Every delivery of which has to be known whether it is on record, before the digest can be made."""
    ids = {digest_id(post, cut.day), *_earlier(post, cut)}
    for one in _newest(post, cut, logged):
        ids |= _told_as(one.alert, post)
        ids.update(*_openings(one.alert, post, habits))
    return ids


def digest_of(post: Post, cut: Cut, logged: Iterable[Logged], known: Collection[str], habits: Habits) -> Digest:
    """What a digest tells.

    Args:
        post: To whom, and of which alerts.
        cut: Up to when.
        logged: The alerts' topic, in its order.
        known: Those of `asked_of` that are on record.
        habits: How open alerts are told again.

    """
    since = _since(post, cut, known, habits)
    lines = [_line(one, post, since, known, habits) for one in _newest(post, cut, logged)]
    told = tuple((name, line.alert.alert_id) for line in lines for name in line.told)
    return Digest(post, cut, _of(lines, "new"), _of(lines, "over"), _of(lines, "still"), told)


def _of(lines: Iterable[Line], section: Section) -> tuple[Alert, ...]:
    """The most severe first, of those the oldest."""
    alerts = (line.alert for line in lines if line.section == section)
    return tuple(sorted(alerts, key=lambda alert: (-RANKS[alert.severity], alert.since, alert.alert_id)))


def _newest(post: Post, cut: Cut, logged: Iterable[Logged]) -> list[Logged]:
    """Each alert of theirs in the state that it had at the cut."""
    newest = {one.alert.alert_id: one for one in logged if one.at <= cut.at}
    return [one for one in newest.values() if post.follows(one.alert)]


def begins(post: Post, cut: Cut, known: Collection[str], habits: Habits) -> Cut | None:
    """Where their first digest on record ended; None where this one is the first."""
    days = [day for name, day in _earlier(post, cut).items() if name in known]
    return _cut(date.fromisoformat(min(days)), habits) if days else None


def cut_before(cut: Cut, pace: Pace, habits: Habits) -> Cut:
    """The one before: where a first digest begins."""
    return _cut(date.fromisoformat(cut.day) - PERIODS[pace], habits)


def _since(post: Post, cut: Cut, known: Collection[str], habits: Habits) -> datetime:
    """What was logged earlier is not told as new: it is from before there were digests, or too old to catch up on."""
    begun = begins(post, cut, known, habits) or cut_before(cut, post.pace, habits)
    return max(begun.at, cut.at - PERIODS[post.pace] - CATCH_UP)


def _earlier(post: Post, cut: Cut) -> dict[str, str]:
    """Whatever digests they may have had before, at any pace: deliveries, and the day of each."""
    last = date.fromisoformat(cut.day)
    days = [(last - timedelta(days=back)).isoformat() for back in range(1, REMEMBERED + 1)]
    return {digest_id(replace(post, pace=pace), day): day for day in days for pace in PERIODS}


def _line(one: Logged, post: Post, since: datetime, known: Collection[str], habits: Habits) -> Line:
    if one.alert.state == "resolved":
        return _ending(one, post, since, known)
    openings, told = _openings(one.alert, post, habits), _opening(one.alert)
    if any(name in known for names in openings for name in names):
        return _standing(one.alert, post, openings, known)
    if one.at < since:
        return Line(one.alert, "still")
    if post.hears_sooner(told):
        return Line(one.alert, None)
    reminders = {0, len(openings) - 1}
    return Line(one.alert, "new", tuple(digested_id(told, post.recipient, count) for count in sorted(reminders)))


def _ending(one: Logged, post: Post, since: datetime, known: Collection[str]) -> Line:
    known_over = any(name in known for name in _told_as(one.alert, post))
    if known_over or one.at < since or post.hears_sooner(one.alert):
        return Line(one.alert, None)
    return Line(one.alert, "over", (digested_id(one.alert, post.recipient),))


def _standing(alert: Alert, post: Post, openings: Sequence[Collection[str]], known: Collection[str]) -> Line:
    """An open alert that was told: again when its reminder is due."""
    reminded = any(name in known for name in openings[-1])
    due = alert.state == "open" and not reminded and not post.hears_sooner(alert)
    return Line(alert, "still", (digested_id(alert, post.recipient, len(openings) - 1),) if due else ())


def _openings(alert: Alert, post: Post, habits: Habits) -> list[set[str]]:
    """The deliveries that tell that an alert is open: the first mail's, and each reminder's up to now."""
    opening = _opening(alert)
    reminders = reminder_of(opening, habits.reminder_days, habits.timezone)
    return [_told_as(opening, post, count) for count in range(reminders + 1)]


def _told_as(alert: Alert, post: Post, reminder: int = 0) -> set[str]:
    """The deliveries that tell of the alert in its state, at once or by a digest, however severe it was then."""
    return ids_told(replace(alert, severity="info"), post.recipient, reminder)


def _opening(alert: Alert) -> Alert:
    """The alert as it was before somebody was at it."""
    return replace(alert, state="open")
