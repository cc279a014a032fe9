"""What a candidate has unlearnt: beside its parent, and beside the oldest version that it comes from.

    road-1 ─► road-2 ─► road-3 ─► candidate
       │                   └─ beside its parent: nothing falls by more than a point
       └───────────────────── beside the oldest: nothing does over all steps together, however small each was

What was registered with --force is where the count begins anew: somebody has seen what was lost, and gone on.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import structlog

from models.bundle import Bundle, load_bundle
from models.registry.store import Registry
from models.retraining.forgetting import CHANCE, SliceChange, forgetting
from models.retraining.trying import Shown, tried
from models.verdicts import Classify
from processors.classifier import Classifier
from roadwatch.retraining.record import record_of, shipped
from schemas.errors import ModelError

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Unlearnt:
    """What became of old vehicles."""

    changes: tuple[SliceChange, ...] = ()
    "Beside the parent; empty where there are no old vehicles."
    since_oldest: tuple[SliceChange, ...] = ()
    "Beside the oldest version that it comes from; empty where that is the parent, too."


def unlearnt(registry: Registry, parent: Bundle, before: Classify, after: Classify, old: Sequence[Shown]) -> Unlearnt:
    """Try old vehicles that none of a lineage was taught; the chance of a false call is shared between both looks."""
    if not old:
        return Unlearnt()
    oldest = oldest_of(registry, parent)
    if oldest is None:
        return Unlearnt(forgetting(tried(before, after, old)))
    first = Classifier.load(oldest).classify
    return Unlearnt(
        forgetting(tried(before, after, old), chance=CHANCE / 2),
        forgetting(tried(first, after, old), chance=CHANCE / 2, before=oldest.version),
    )


def oldest_of(registry: Registry, parent: Bundle) -> Bundle | None:
    """Return the oldest version that a parent comes from, of its classes and whole; None where there is none."""
    for version in reversed(list(_ancestors(registry, parent))):
        try:
            found = _loaded(registry, version)
        except ModelError as error:
            log.warning(
                "an ancestor cannot be loaded: a younger one takes its place", version=version, error=str(error)
            )
            continue
        if found.labels == parent.labels:
            return found
    return None


def _ancestors(registry: Registry, parent: Bundle) -> Iterator[str]:
    """Yield the versions that a parent comes from, the nearest first, back to one that was forced."""
    versions, name, older = registry.state().versions, parent.version, parent.card.lineage.parent
    while older and not (name in versions and _is_forced(registry, name)) and (older in versions or older in shipped()):
        yield older
        name, older = older, _parent_of(registry, older)


def _parent_of(registry: Registry, version: str) -> str | None:
    return registry.about(version).card.lineage.parent if version in registry.state().versions else None


def _is_forced(registry: Registry, version: str) -> bool:
    record = record_of(registry, version)
    return record is not None and bool(record.findings.refusals)


def _loaded(registry: Registry, version: str) -> Bundle:
    if version in registry.state().versions:
        return registry.load(version)
    return load_bundle(shipped()[version])
