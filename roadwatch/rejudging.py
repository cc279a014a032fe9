"""Reports judged anew: what a table of rules would have raised."""

from collections.abc import Iterable
from dataclasses import dataclass

from monitor.breaches import Breach
from monitor.rules import History, Rules, judge
from schemas.records import DayReport


@dataclass(frozen=True, slots=True)
class Trouble:
    """What a rule tells of one camera or slice, for one day or several in a row."""

    breaches: tuple[Breach, ...]
    "One for each day, in order; at least one."

    @property
    def first(self) -> Breach:
        """The one that would have been told."""
        return self.breaches[0]

    @property
    def days(self) -> str:
        """`2026-11-23`, or `2026-11-23 to 2026-11-25`."""
        first, last = self.first.day, self.breaches[-1].day
        return first if first == last else f"{first} to {last}"

    def touches(self, first: str | None, last: str | None) -> bool:
        """Whether it lasted on a day from one to another, both counted; None: from the first, to the last."""
        return (first is None or self.breaches[-1].day >= first) and (last is None or self.first.day <= last)


def rejudged(rules: Rules, reports: Iterable[DayReport]) -> list[Trouble]:
    """What rules say of reports in the order of days: troubles by their first day, then in the table's order."""
    history, lasting, found = History(), dict[str, list[Breach]](), list[list[Breach]]()
    for report in reports:
        told = {breach.subject: breach for breach in judge(rules, report, history).breaches}
        lasting = {subject: lasting.get(subject, []) for subject in told}
        found += [breaches for breaches in lasting.values() if not breaches]
        for subject, breach in told.items():
            lasting[subject].append(breach)
    return [Trouble(tuple(breaches)) for breaches in found]
