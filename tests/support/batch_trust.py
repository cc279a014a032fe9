"""What labels have said, day by day, of estimates and of slices, computed anew: as far as they were known at each report.

    days before, as told when the day is reported ──► its reference        when it was first reported: what is expected
    the day and those before, as told by then ──► evidence against estimates, slices that fall behind

No stream is so long here that a horizon ends, or that a broken estimate is tried again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import pandas as pd

from tests.support import batch_discoveries, batch_estimates
from tests.support.batch_discoveries import Counts
from tests.support.batch_estimates import Day, Expected, Said, binned
from tests.support.batch_revisions import Told, newest

SLICED: Final = ("hour", "light", "size", "weather", "zone")
"Dimensions, besides cameras."


@dataclass(frozen=True, slots=True)
class Trust:
    """Walks through the days."""

    told: Told
    "When each camera's days were told."
    reported: Mapping[str, Sequence[int]]
    "When each day was reported, rising."
    judged_at: Callable[[str, int], pd.DataFrame]
    "A day's vehicles with their truth, as all that was told by then has it; of a fair part of the labels."
    models: Mapping[tuple[str, str], tuple[str, ...]]
    "Bundles that served, by camera and day."
    _known: dict[tuple[str, int], Expected] = field(default_factory=dict)
    "What was expected of a day by then."

    def estimate(self, day: str) -> dict[str, Any] | None:
        """A day's, as its last report has it."""
        at_ms = self.reported[day][-1]
        if self.judged_at(day, at_ms).empty:
            return None
        figures = batch_estimates.figures(self._day(day, at_ms))
        return figures | {"breaks": batch_estimates.breaks(self._said(day, at_ms))}

    def discovered(self, day: str) -> set[str]:
        """Slices that fall behind, as a day's last report has it: dimension=value."""
        at_ms = self.reported[day][-1]
        days = [self.judged_at(other, self._reported_ms(other, at_ms)) for other in self._until(day)]
        return batch_discoveries.discovered([_tables(judged) for judged in days])

    def _until(self, day: str) -> list[str]:
        return [other for other in sorted(self.reported) if other <= day]

    def _reported_ms(self, day: str, at_ms: int) -> int:
        """When a day was last reported by then; before everything where it was not."""
        return newest(self.reported[day], at_ms) or -1

    def _models_at(self, day: str, at_ms: int) -> set[str]:
        """Of the cameras that have told of a day."""
        cameras = [key for key, times in self.told.items() if key[1] == day and times[0] <= at_ms]
        return {model for key in cameras for model in self.models[key]}

    def _day(self, day: str, at_ms: int) -> Day:
        """A day beside those before it, as far as the same bundles served on cameras."""
        models = self._models_at(day, at_ms)
        before = [self.judged_at(other, at_ms) for other in self._until(day)[:-1]]
        known = pd.concat([part[self._are_of(models, part)] for part in before] or [_NONE])
        return batch_estimates.day_of(binned(self.judged_at(day, at_ms)), binned(known), known[known["truth"].notna()])

    def _are_of(self, models: set[str], judged: pd.DataFrame) -> list[bool]:
        return [{*self.models[key]} == models for key in zip(judged["camera_id"], judged["day"], strict=True)]

    def _said(self, day: str, at_ms: int) -> list[Said]:
        """What labels said of each day's estimate, since other bundles served."""
        found: list[Said] = []
        last: set[str] = set()
        for other in self._until(day):
            reported_ms = self._reported_ms(other, at_ms)
            judged, models = self.judged_at(other, reported_ms), self._models_at(other, reported_ms)
            if not judged.empty:
                found = found if models == last else []
                found.append(batch_estimates.said(binned(judged), self._expected(other, reported_ms)))
                last = models
        return found

    def _expected(self, day: str, at_ms: int) -> Expected:
        """What was first expected of each camera's vehicles, as they were first reported."""
        reported_ms = self.reported[day][0]
        firsts = sorted({max(times[0], reported_ms) for (_, other), times in self.told.items() if other == day})
        return self._expected_since(day, [ms for ms in firsts if ms <= at_ms and not self.judged_at(day, ms).empty])

    def _expected_since(self, day: str, firsts: list[int]) -> Expected:
        """What was told before stands, as long as no other bundles joined."""
        key = (day, firsts[-1])
        if key not in self._known:
            bins, models = binned(self.judged_at(*key)), self._models_at(*key)
            stands = len(firsts) > 1 and self._models_at(day, firsts[-2]) == models
            before = self._expected_since(day, firsts[:-1]) if stands else None
            self._known[key] = batch_estimates.expected(bins, self._day(*key), before)
        return self._known[key]


_NONE: Final = pd.DataFrame({name: [] for name in ("camera_id", "predicted", "confidence", "truth")})


def _tables(judged: pd.DataFrame) -> dict[str, Counts]:
    """Labelled vehicles in each slice that has some, and beside it."""
    labelled = judged[judged["truth"].notna()].rename(columns={"camera_id": "camera"})
    right = labelled["truth"] == labelled["predicted"]
    found = {}
    for dimension in ("camera", *SLICED):
        for value, own in right.groupby(labelled[dimension], observed=True):
            n = len(own)
            found[f"{dimension}={value}"] = Counts(int(own.sum()), n, int(right.sum() - own.sum()), len(right) - n)
    return found
