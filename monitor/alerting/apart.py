"""Alerts that no record of the stream makes: told by the clock, or by another topic.

    looks at the clock ─┐
    models topic ───────┴─► opened ──► open ──► acknowledged ──► resolved

A replay repeats neither when they come nor between which of the stream's records. So they are kept apart: nothing that
is told of the stream, and no day's report, depends on them. Their times are the wall clock's.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Self

from monitor.alerting.entries import Entry
from monitor.silences import Silences
from schemas.records import Alert
from schemas.times import to_us

OVER_KEPT: Final = 20
"Resolved ones that are still known."


@dataclass(slots=True)
class Apart:
    """These alerts."""

    entries: list[Entry] = field(default_factory=list)
    "In the order in which they began."

    def live(self, rule: str) -> Iterator[Entry]:
        """Those of a rule that are open or acknowledged."""
        return (entry for entry in self.entries if entry.is_live and entry.alert.rule == rule)

    def open(self, alert: Alert) -> Entry:
        """Begin one; its id is new."""
        over = [entry for entry in self.entries if not entry.is_live][-OVER_KEPT:]
        kept = (entry for entry in self.entries if entry.is_live or any(entry is each for each in over))
        entry = Entry(alert, alert.day)
        self.entries = [*kept, entry]
        return entry

    @staticmethod
    def end(entry: Entry, at: datetime, day: str, summary: str) -> None:
        """It is over, and there is nothing to be done about it any more."""
        entry.resolve(at, day, summary)
        entry.alert = replace(entry.alert, actions=())

    def due(self, silences: Silences, at: datetime) -> list[Alert]:
        """What is to be sent at a time; it is taken to be sent then. Nobody is reminded by sending it again."""
        due = [entry for entry in self.entries if _is_due(entry, silences, at)]
        for entry in due:
            entry.news, entry.sent_us = "", to_us(at)
        return [entry.alert for entry in due]

    def snapshot(self) -> list[Any]:
        """The whole state, as JSON."""
        return [entry.snapshot() for entry in self.entries]

    @classmethod
    def restore(cls, plain: Iterable[dict[str, Any]]) -> Self:
        """Continue from a snapshot."""
        return cls([Entry.restore(entry) for entry in plain])


def _is_due(entry: Entry, silences: Silences, at: datetime) -> bool:
    if entry.news != "now":
        return False
    if not entry.is_live:
        return entry.sent_us >= 0
    return entry.alert.state != "open" or not silences.cover(entry.alert, at)
