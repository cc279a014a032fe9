"""Which days somebody means: `latest`, `yesterday`, `2026-11-23`, `2026-11-16..2026-11-22`, `2026-W47`."""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from schemas.errors import ConfigurationError
from schemas.records import DayReport

ACCEPTED: Final = "latest, yesterday, 2026-11-23, 2026-11-16..2026-11-22, or a week, 2026-W47"
DAY, DAY_WORDS = "a day, 2026-11-23", "latest, yesterday, or a day, 2026-11-23"
LONGEST: Final = timedelta(days=366)
"More days are refused: they were mistyped."
EARLIEST: Final = date(1970, 1, 2)
LATEST: Final = date(9998, 12, 31)
"Between these every time zone knows each day's bounds."


@dataclass(frozen=True, slots=True)
class Span:
    """Days in a row."""

    first: date
    "The first."
    last: date
    "The last, no earlier."

    @property
    def days(self) -> list[str]:
        """Each day's name, in order."""
        return [f"{self.first + timedelta(days=n)}" for n in range((self.last - self.first).days + 1)]

    @property
    def is_one(self) -> bool:
        """Whether it is a single day."""
        return self.first == self.last

    @property
    def short(self) -> str:
        """`2026-11-23`, or `2026-11-16..2026-11-22`."""
        return f"{self.first}" if self.is_one else f"{self.first}..{self.last}"

    def __str__(self) -> str:
        return self.short.replace("..", " to ")


def span_of(text: str, option: str, today: date, reported: Collection[str]) -> Span:
    """The days that a text means; `reported` are those that there are reports of.

    Raises:
        ConfigurationError: it means none; names the option.

    """
    if week := re.fullmatch(r"(\d{4})-W(\d\d?)", text):
        return _week(int(week[1]), int(week[2]), option)
    first, last = (day_meant(part, option, today, reported, ACCEPTED) for part in ends_of(text))
    return span_between(first, last, option)


def ends_of(text: str) -> tuple[str, str]:
    """The texts of the first and the last day; of a single one it is both."""
    first, between, last = text.partition("..")
    return first, last if between else first


def day_meant(text: str, option: str, today: date, reported: Collection[str], accepted: str = DAY_WORDS) -> date:
    """The one day that a text means: `latest`, `yesterday`, or a day; raises ConfigurationError for none."""
    if text == "latest":
        return _latest(option, reported)
    if text == "yesterday":
        return today - timedelta(days=1)
    return day_of(text, option, accepted)


def span_between(first: date, last: date, option: str) -> Span:
    """The days from one to another; raises ConfigurationError where they are the wrong way round, or too many."""
    if not first <= last <= first + LONGEST:
        raise ConfigurationError(option, [f"{last} is not within a year after {first}"])
    return Span(first, last)


def day_of(text: str, option: str, accepted: str = DAY) -> date:
    """The day that is written so; raises ConfigurationError for none, saying what is `accepted`."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", text):
        raise ConfigurationError(option, [f"{text!r} is no day; write {accepted}"])
    try:
        day = date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(option, [f"{text!r} is no day: {error}"]) from error
    if not EARLIEST <= day <= LATEST:
        raise ConfigurationError(option, [f"{text!r} is no day of any camera; write one from {EARLIEST} to {LATEST}"])
    return day


def asked_of(days: Iterable[str], first: str | None, last: str | None) -> list[str]:
    """Those from one day to another, None for no bound; raises ConfigurationError where they are the wrong way round."""
    if first and last and last < first:
        raise ConfigurationError("--to", [f"{last} is before {first}, which --from says: no day is between them"])
    return [day for day in days if (first or day) <= day <= (last or day)]


def week_around(day: date) -> Span:
    """Its week, Monday to Sunday."""
    monday = day - timedelta(days=day.weekday())
    return Span(monday, monday + timedelta(days=6))


def days_before(day: str, count: int) -> list[str]:
    """The days before one, in order."""
    last = date.fromisoformat(day) - timedelta(days=1)
    return Span(last - timedelta(days=count - 1), last).days


def reports_of(span: Span, reports: Mapping[str, DayReport], option: str) -> list[DayReport]:
    """The reports of these days, in order; raises ConfigurationError where there is none, and says which there are."""
    found = [reports[day] for day in span.days if day in reports]
    if not found:
        raise ConfigurationError(option, [f"no report of {span}; {there(reports)}"])
    return found


def there(reported: Collection[str]) -> str:
    """Which days there are reports of, in words."""
    if not reported:
        return "there is no report yet: the monitor makes one when a day has closed"
    span = _span(reported)
    left_out = len(span.days) - len(reported)
    return f"there are reports of {span}{f', but for {left_out} days between' if left_out else ''}"


def _latest(option: str, reported: Collection[str]) -> date:
    if not reported:
        raise ConfigurationError(option, [there(reported)])
    return _span(reported).last


def _span(reported: Collection[str]) -> Span:
    return Span(date.fromisoformat(min(reported)), date.fromisoformat(max(reported)))


def _week(year: int, week: int, option: str) -> Span:
    try:
        monday = date.fromisocalendar(year, week, 1)
    except ValueError as error:
        raise ConfigurationError(option, [f"{year} has no week {week}"]) from error
    return week_around(day_of(f"{monday}", option))
