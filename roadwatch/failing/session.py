"""The failures of a day analysed, from what is on the cluster and in the archive to what is shown.

judged ─► drawn ─► embedded ─► models.failures ─► groups ─► some of each explained ─► Failing
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import Final

from models.archive.opening import open_archive
from models.failures.analysis import analysed
from models.failures.groups import Analysis, Group, Judged
from processors.classifier import Classifier
from roadwatch.explaining import Chosen, Picture, model_for
from roadwatch.failing.looking import Looked, Looking
from roadwatch.failing.material import DAMAGED, Material, drawn, material_of
from roadwatch.failing.request import FailuresRequest, Progress
from runtime.settings import Settings

SINGLE: Final = 12
"Failures in no group that are shown; all are named."


@dataclass(frozen=True, slots=True)
class Failing:
    """The failures of a day, and what is needed to show them."""

    asked: FailuresRequest
    "What was asked for."
    examples: int
    "Vehicles and single frames of the day, labelled or not."
    labelled: int
    "Of them, those whose truth is known."
    failed: int
    "Of these, those whose verdict was wrong or missing."
    abstained: int
    "Of the failed, those on which the model abstained."
    accuracy: float
    "Share of right verdicts by weight, 0 to 1."
    timezone: str
    "In which the day begins and ends."
    analysis: Analysis
    "Of those that were looked at."
    judged: Mapping[str, Judged]
    "Those, by example id."
    left_out: Mapping[str, tuple[str, ...]]
    "Labelled examples that are not among the judged, by reason."
    unreadable: int
    "Records that were none."
    looked: Mapping[str, Looked] = field(default_factory=dict)
    "Those that are shown, by example id; without those of which there is no picture."
    unpictured: tuple[str, ...] = ()
    "Failures of which there is no picture any more: grouped by what is known without."
    model: str = ""
    "The version whose network saw; empty where nothing failed."
    why: str = ""
    "Why this one."

    @property
    def groups(self) -> tuple[Group, ...]:
        """What failures have in common, the dearest first."""
        return self.analysis.groups

    @property
    def is_weighted(self) -> bool:
        """Whether labels stand for different numbers of vehicles."""
        return len({each.weight for each in self.judged.values()}) > 1

    @property
    def undrawn(self) -> int:
        """How many labelled examples were not looked at: others stand for them."""
        return self.labelled - len(self.judged)


def failures_of(settings: Settings, asked: FailuresRequest, progress: Progress) -> Failing:
    """Analyse the failures of a day, of all cameras or of some. Nothing is written.

    Raises:
        ConfigurationError: nothing passed on that day, a camera is not known, or nobody has labelled anything.
        ModelError: the model that served cannot be had.
        ArchiveError: the ledger cannot be read.
        BrokerError: the cluster does not give the day.

    """
    kept = open_archive(settings.archive)
    material = material_of(settings, kept, asked, progress)
    chosen = drawn(material.judged, asked.most, asked.seed)
    if not any(each.failed for each in chosen):
        return _failing(asked, material, analysed(chosen, seed=asked.seed), chosen)
    served = _served(settings, chosen)
    looking = Looking(settings, kept[0], material.found, Classifier.load(served.bundle))
    seen = looking.embedded(chosen, progress)
    found = analysed(seen, seed=asked.seed)
    by_id = {each.example.example_id: each.example for each in seen}
    looked = looking.explained([by_id[name] for name in _shown(found, asked.shown)], progress)
    without = tuple(each.example.example_id for each in seen if each.failed and not looking.has_seen(each.example))
    return replace(
        _failing(asked, material, found, seen),
        looked=looked,
        unpictured=without,
        model=served.bundle.version,
        why=served.why,
        left_out={**material.left_out, **_damaged(material, looking)},
    )


def _served(settings: Settings, judged: Sequence[Judged]) -> Chosen:
    """The model that failed most often: others that served on the day see much the same."""
    versions = Counter(each.example.model_version for each in judged if each.failed)
    return model_for(settings, Picture("", b"", versions.most_common(1)[0][0]), None, None)


def _shown(found: Analysis, most: int) -> list[str]:
    groups = chain.from_iterable(group.members[:most] for group in found.groups)
    return list(dict.fromkeys([*groups, *found.single[:SINGLE]]))


def _damaged(material: Material, looking: Looking) -> dict[str, tuple[str, ...]]:
    names = tuple(dict.fromkeys((*material.left_out.get(DAMAGED, ()), *looking.damaged)))
    return {DAMAGED: names} if names else {}


def _failing(asked: FailuresRequest, material: Material, found: Analysis, judged: Sequence[Judged]) -> Failing:
    """What is known before any picture was looked at."""
    failed = [each for each in material.judged if each.failed]
    weight = sum(each.weight for each in material.judged)
    return Failing(
        asked=asked,
        examples=material.examples,
        labelled=len(material.judged),
        failed=len(failed),
        abstained=sum(each.example.predicted is None for each in failed),
        accuracy=1 - sum(each.weight for each in failed) / weight,
        timezone=material.timezone,
        analysis=found,
        judged={each.example.example_id: each for each in judged},
        left_out=material.left_out,
        unreadable=material.unreadable,
    )
