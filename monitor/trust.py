"""How far a report's estimates and slices can be believed: what labels have said of them so far.

day's labels, before they teach anything ─► evidence against the estimate ─► broken, until the reference knows better
day's slices ─► looked at ─► those that fall behind, few of them by chance however many days are looked at
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Self

from monitor.calibration import Evidence
from monitor.estimation import Estimate, Reference, estimate, judged
from monitor.statistics.discoveries import Counts, Plan, Search
from monitor.tallies import fair_cells
from monitor.windows import days_between
from schemas.records import CameraDay, Tally

BROKEN_DAYS = 14
"Days after which an estimate that labels have broken is tried again: by then the reference knows the new road."
SLICES = 200
"That a search is planned for at first; each takes a little of the others' power."
DAYS_KEPT = 40
"Days whose reports may still be revised."


@dataclass(slots=True)
class Trust:
    """Grows with the first report of each day; a revision changes nothing of it."""

    evidence: Evidence = field(default_factory=Evidence)
    "What labels have said against estimates."
    day: str = ""
    "The newest day whose labels are in it."
    broken_on: str = ""
    "The day on which they broke the estimate; empty while they have not."
    models: tuple[str, ...] = ()
    "Bundles that served on the newest day: with others it begins anew."
    search: Search = field(default_factory=lambda: Search(Plan(SLICES)))
    "Slices that were looked at."
    found: dict[str, list[str]] = field(default_factory=dict)
    "By day, the slices that were known to fall behind when it was first reported: revisions find no others."

    def take(
        self, day: str, revision: int, models: tuple[str, ...], total: Tally, before: Sequence[CameraDay]
    ) -> Estimate | None:
        """The estimate of a day's accuracy, and what its labels say against it; None of a day without vehicles."""
        if not total.confidences:
            return None
        reference = _reference(part for part in before if part.model_versions == models)
        if revision == 1 and day > self.day:
            self._begin_anew(day, models)
            self.evidence, self.day, self.models = judged(self.evidence, total.confidences, reference), day, models
            self.broken_on = self.broken_on or (day if self.evidence.is_broken else "")
        return estimate(total.confidences, reference, self.evidence)

    def _begin_anew(self, day: str, models: tuple[str, ...]) -> None:
        if models != self.models or (self.broken_on and days_between(self.broken_on, day) > BROKEN_DAYS):
            self.evidence, self.broken_on = Evidence(), ""

    def look(self, day: str, tables: Mapping[str, Counts]) -> frozenset[str]:
        """Slices that fall behind, after a day's labels were counted in."""
        if day not in self.found and day > max(self.found, default=""):
            self.search = _room_for(self.search, tables).with_day(tables)
            self.found[day] = [found.name for found in self.search.discoveries()]
            self.found = dict(sorted(self.found.items())[-DAYS_KEPT:])
        return frozenset(self.found.get(day, ()))

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return {
            "evidence": asdict(self.evidence),
            "day": self.day,
            "broken_on": self.broken_on,
            "models": self.models,
            "search": self.search.snapshot(),
            "found": self.found,
        }

    @classmethod
    def restore(cls, plain: Mapping[str, Any]) -> Self:
        """Continue from a snapshot."""
        evidence = plain["evidence"] | {"log_wealth": tuple(plain["evidence"]["log_wealth"])}
        return cls(
            evidence=Evidence(**evidence),
            day=plain["day"],
            broken_on=plain["broken_on"],
            models=tuple(plain["models"]),
            search=Search.restore(plain["search"]),
            found=plain["found"],
        )


def _room_for(search: Search, tables: Mapping[str, Counts]) -> Search:
    """A search for more slices begins anew: how much evidence each needs was decided before."""
    known = len({*search.slices, *tables})
    return search if known <= search.plan.slices else Search(Plan(2 * known))


def _reference(parts: Iterable[CameraDay]) -> Reference:
    tallies = [part.tally for part in parts]
    bins = (each for tally in tallies for each in tally.confidences)
    return Reference.of(bins, (cell for tally in tallies for cell in fair_cells(tally)))
