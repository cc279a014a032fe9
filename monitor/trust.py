"""How far a report's estimates and slices can be believed: what labels have said of them so far.

day's labels, before they teach anything ─► evidence against the estimate ─► broken, until the reference knows better
day's slices ─► looked at ─► those that fall behind, few of them by chance however many days are looked at

Most labels come when their day has long been reported. So both are walks through days in order, each with its newest
labels, and a revision walks anew:

    before ─► d-2 ─► d-1 ─► d        what is known when d is over stands in d's report
               └─ labels ─► d-1 ─► d        … in its revision, and in the reports of the days after it

The days that may still be walked anew are kept; those before them are summed up.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field
from typing import Any, Self

from monitor.calibration import Evidence, together
from monitor.estimation import UNTOLD, Estimate, Expectation, Reference, estimate, expectation, judged
from monitor.statistics.discoveries import Counts, Plan, Search
from monitor.tallies import fair_cells
from monitor.windows import days_between
from schemas.records import CameraDay, ConfidenceBin, Tally

BROKEN_DAYS = 14
"Days after which an estimate that labels have broken is tried again: by then the reference knows the new road."
SLICES = 200
"That a search is planned for at first; each takes a little of the others' power."
LABELLED_DAYS = 14
"Days whose labels still change what is believed: as far back as the reference looks, twice the shipped label horizon."
DAYS_KEPT = 40
"Days whose reports may still be revised."
NO_TABLES: Mapping[str, Any] = {"slices": [], "days": {}}
"Of a snapshot that has none."


@dataclass(frozen=True, slots=True)
class Standing:
    """What labels say against estimates when a day is over."""

    evidence: Evidence = field(default_factory=Evidence)
    "Against those of one set of bundles."
    day: str = ""
    "The day."
    broken_on: str = ""
    "The day on which they broke the estimate; empty while they have not."
    models: tuple[str, ...] = ()
    "Bundles that served on the day: with others it begins anew."

    def after(self, day: str, labelled: "LabelledDay") -> "Standing":
        """A day later."""
        begun = self if self._goes_on(day, labelled.models) else Standing()
        evidence = together(begun.evidence, labelled.said)
        return Standing(evidence, day, begun.broken_on or (day if evidence.is_broken else ""), labelled.models)

    def _goes_on(self, day: str, models: tuple[str, ...]) -> bool:
        is_tried_again = bool(self.broken_on) and days_between(self.broken_on, day) > BROKEN_DAYS
        return models == self.models and not is_tried_again


@dataclass(frozen=True, slots=True)
class LabelledDay:
    """A day whose labels may still come."""

    models: tuple[str, ...]
    "Bundles that served."
    expected: Expectation
    "What its first report expected: later labels are held against it, and not against what they have taught."
    said: Evidence
    "What its labels say of that, by themselves."


@dataclass(slots=True)
class Doubts:
    """What labels say against estimates, day by day."""

    before: Standing = field(default_factory=Standing)
    "When the last day was over that no label changes any more."
    days: dict[str, LabelledDay] = field(default_factory=dict)
    "Those after it, in order."

    def judge(self, day: str, models: tuple[str, ...], bins: Sequence[ConfidenceBin], reference: Reference) -> Evidence:
        """Hold a day's labels against what was expected of it; what they and those of days before say together."""
        if day > self.before.day:
            self.days = dict(sorted({**self.days, day: self._labelled(day, models, bins, reference)}.items()))
            self._settle()
        standing = self.before
        for name, labelled in self.days.items():
            standing = standing.after(name, labelled) if name <= day else standing
        return standing.evidence

    def _labelled(
        self, day: str, models: tuple[str, ...], bins: Sequence[ConfidenceBin], reference: Reference
    ) -> LabelledDay:
        known = self.days.get(day)
        told = known.expected if known and known.models == models else UNTOLD
        expected = expectation(bins, reference, told)
        return LabelledDay(models, expected, judged(bins, expected))

    def _settle(self) -> None:
        for name in [*self.days][:-LABELLED_DAYS]:
            self.before = self.before.after(name, self.days.pop(name))


@dataclass(slots=True)
class Finds:
    """Slices that fall behind, day by day."""

    search: Search = field(default_factory=lambda: Search(Plan(SLICES)))
    "When the last day was over that no label changes any more."
    days: dict[str, dict[str, Counts]] = field(default_factory=dict)
    "Tables of those after it, in order."
    found: dict[str, list[str]] = field(default_factory=dict)
    "By day, the slices that were known to fall behind when it was over."

    def look(self, day: str, tables: Mapping[str, Counts]) -> frozenset[str]:
        """Put a day's tables in the place of those it had; the slices that fall behind when it is over."""
        if day > self._settled and self.days.get(day) != tables:
            self.days = dict(sorted({**self.days, day: dict(tables)}.items()))
            self._search()
            self._settle()
        return frozenset(self.found.get(day, ()))

    @property
    def _settled(self) -> str:
        return max((day for day in self.found if day not in self.days), default="")

    def _search(self) -> None:
        search = self.search
        for day, tables in self.days.items():
            search = _with_day(search, tables)
            self.found[day] = [found.name for found in search.discoveries()]
        self.found = dict(sorted(self.found.items())[-DAYS_KEPT:])

    def _settle(self) -> None:
        for day in [*self.days][:-LABELLED_DAYS]:
            self.search = _with_day(self.search, self.days.pop(day))


@dataclass(slots=True)
class Trust:
    """Grows with each day's report, and with each revision of one."""

    doubts: Doubts = field(default_factory=Doubts)
    "Of estimates."
    finds: Finds = field(default_factory=Finds)
    "Of slices."

    def take(self, day: str, models: tuple[str, ...], total: Tally, before: Sequence[CameraDay]) -> Estimate | None:
        """The estimate of a day's accuracy, and what its labels say against it; None of a day without vehicles."""
        if not total.confidences:
            return None
        reference = _reference(part for part in before if part.model_versions == models)
        evidence = self.doubts.judge(day, models, total.confidences, reference)
        return estimate(total.confidences, reference, evidence)

    def look(self, day: str, tables: Mapping[str, Counts]) -> frozenset[str]:
        """Slices that fall behind when a day is over, its labels being these."""
        return self.finds.look(day, tables)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        before, finds = self.doubts.before, self.finds
        return {
            "evidence": asdict(before.evidence),
            "day": before.day,
            "broken_on": before.broken_on,
            "models": before.models,
            "judged": {day: _plain_day(labelled) for day, labelled in self.doubts.days.items()},
            "search": finds.search.snapshot(),
            "tables": _plain_tables(finds.days),
            "found": finds.found,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot; one from before labels could come late has no days that are kept."""
        evidence = _evidence(plain["evidence"])
        before = Standing(evidence, plain["day"], plain["broken_on"], tuple(plain["models"]))
        judged_days = {day: _labelled_day(each) for day, each in plain.get("judged", {}).items()}
        finds = Finds(Search.restore(plain["search"]), _tables(plain.get("tables", NO_TABLES)), plain["found"])
        return cls(Doubts(before, judged_days), finds)


def _with_day(search: Search, tables: Mapping[str, Counts]) -> Search:
    """A search for more slices begins anew: how much evidence each needs was decided before."""
    known = len({*search.slices, *tables})
    return (search if known <= search.plan.slices else Search(Plan(2 * known))).with_day(tables)


def _reference(parts: Iterable[CameraDay]) -> Reference:
    tallies = [part.tally for part in parts]
    bins = (each for tally in tallies for each in tally.confidences)
    return Reference.of(bins, (cell for tally in tallies for cell in fair_cells(tally)))


# Snapshots


def _plain_day(labelled: LabelledDay) -> dict[str, Any]:
    return {
        "models": labelled.models,
        "expected": labelled.expected.snapshot(),
        "said": asdict(labelled.said) if labelled.said.labelled else None,
    }


def _labelled_day(plain: Mapping[str, Any]) -> LabelledDay:
    said = _evidence(plain["said"]) if plain["said"] else Evidence()
    return LabelledDay(tuple(plain["models"]), Expectation.restore(plain["expected"]), said)


def _evidence(plain: Mapping[str, Any]) -> Evidence:
    return Evidence(**{**plain, "log_wealth": tuple(plain["log_wealth"])})


def _plain_tables(days: Mapping[str, Mapping[str, Counts]]) -> dict[str, Any]:
    """Slices are named once: most of them are there every day."""
    slices = sorted({name for tables in days.values() for name in tables})
    places = {name: place for place, name in enumerate(slices)}
    rows = {day: [[places[name], *astuple(each)] for name, each in tables.items()] for day, tables in days.items()}
    return {"slices": slices, "days": rows}


def _tables(plain: Mapping[str, Any]) -> dict[str, dict[str, Counts]]:
    slices = plain["slices"]
    return {day: {slices[place]: Counts(*each) for place, *each in rows} for day, rows in plain["days"].items()}
