"""From chosen labels to a bundle with its record: read, split, fitted, tried on what was held out and on what is old."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Final

from models.bundle import Bundle
from models.retraining.dataset import Lesson, Old, Split, Vehicle, classes, lesson
from models.retraining.judging import Findings, Said, findings
from models.retraining.retrain import Retraining, RetrainingSettings, retrain
from models.retraining.trying import said_of, shown_vehicle
from processors.classifier import Classifier
from roadwatch.retraining.ancestry import unlearnt
from roadwatch.retraining.desk import Desk
from roadwatch.retraining.material import (
    BETWEEN,
    SIMULATED,
    Choice,
    Material,
    Pictured,
    base_of,
    labels_of,
    simulated,
)
from roadwatch.retraining.record import CHECKSUM, Record
from roadwatch.retraining.request import CHAMPION, RetrainRequest
from roadwatch.retraining.testing import require_testable
from roadwatch.retraining.whole import (
    findings_of_whole,
    old_to_try,
    require_held_out,
    require_whole,
    whole_network,
)
from schemas.errors import ConfigurationError

MOST_NAMED: Final = 50
"Cameras and requests on a card; the record has all."
HELD_OUT: Final = "held out for good, as others of their camera and time are, or as a fifth of 60 and more"
ASK: Final = "ask for labels with 'roadwatch label request', give them, and retrain again"


def train(desk: Desk, choice: Choice, shown: Pictured) -> tuple[Bundle, Record]:
    """Return the bundle and what is to be remembered of it; raises ConfigurationError for labels that cannot teach."""
    if desk.asked.whole:
        require_whole(desk.asked, choice)
    _require_enough(desk, choice, shown.new)
    if desk.asked.qualify:
        held_out = [*choice.known.held_out, *shown.new.held_out]
        require_testable(desk.asked, choice.parent.version, choice.parent.card, held_out)
    base = base_of(desk.asked, choice.parent.labels, desk.progress)
    material = Material(shown.new, shown.replayed, shown.tried, base)
    drawn = simulated(choice.parent, training=True, count=_simulated(desk.asked))
    old = Old(material.replayed, material.base.replayed, drawn)
    bundle, found = (_whole if desk.asked.whole else _head)(desk, choice.parent, material, old)
    mixed_in = [vehicle for vehicle in shown.replayed if vehicle.example_id not in choice.known.taught]
    record = Record(
        format=1,
        key=shown.key,
        parent=choice.parent.version,
        taught=_labels(shown.new.taught),
        held_out=_labels(shown.new.held_out),
        labels=labels_of(choice, shown.new, _replayed(old)),
        findings=found,
        replayed=_labels(mixed_in),
        passed=tuple(vehicle.passed for vehicle in (*shown.new.taught, *shown.new.held_out, *mixed_in)),
    )
    return _with_lineage(bundle, record), record


def _simulated(asked: RetrainRequest) -> int:
    return asked.whole.simulated if asked.whole else min(SIMULATED, asked.replay)


def _head(desk: Desk, parent: Bundle, material: Material, old: Old) -> tuple[Bundle, Findings]:
    found = _fitted(desk, parent, lesson(material.new, old))
    return found.bundle, _findings(desk, parent, found, material)


def _whole(desk: Desk, parent: Bundle, material: Material, old: Old) -> tuple[Bundle, Findings]:
    require_held_out(parent, material.new)
    bundle = whole_network(desk, parent, material, old)
    return bundle, findings_of_whole(desk, parent, bundle, material)


def _labels(vehicles: Iterable[Vehicle]) -> dict[str, str]:
    return {vehicle.example_id: vehicle.label for vehicle in vehicles}


def _require_enough(desk: Desk, choice: Choice, new: Split) -> None:
    """Raise ConfigurationError where labels are too few or of one class, saying what is missing and what to do."""
    if fault := _fault(
        choice, new, "not taught before" if desk.asked.since == CHAMPION else f"since {desk.asked.since}"
    ):
        raise ConfigurationError(f"retraining {choice.parent.version}", [f"{fault}{_missing(choice, new)}; {ASK}"])


def _fault(choice: Choice, new: Split, which: str) -> str | None:
    settings, count = _settings(0.0), classes(new.taught)
    told = ", ".join(f"{number} {label}" for label, number in count.items()) or "none"
    if len(new.taught) < settings.min_labels:
        return f"labelled vehicles {which}: {told}, and at least {settings.min_labels} are needed"
    if len(count) < 2:
        return f"labelled vehicles {which}: {told}, and a head is fitted to two classes or more"
    rare = [f"{number} of {label}" for label, number in count.items() if number < settings.min_of_class]
    return f"{', '.join(rare)}, and at least {settings.min_of_class} of a class are needed, or none" if rare else None


def _missing(choice: Choice, new: Split) -> str:
    """Say where labels went."""
    reasons = {**choice.left_out, BETWEEN: new.between, HELD_OUT: new.held_out}
    return "".join(f"; {len(names)} are {reason}" for reason, names in reasons.items() if names)


def _fitted(desk: Desk, parent: Bundle, taught: Lesson) -> Retraining:
    settings = _settings(taught.replay_share)
    return retrain(parent, taught.pictures, settings, desk.progress, replay=taught.replay, ties=taught.ties)


def _settings(replay_share: float) -> RetrainingSettings:
    return RetrainingSettings(datetime.now(UTC).date(), package_version("roadwatch"), replay_share=replay_share)


def _findings(desk: Desk, parent: Bundle, found: Retraining, material: Material) -> Findings:
    """Try the finished file on what was held out, and beside its parent on what is old."""
    before, after = (Classifier.load(bundle).classify for bundle in (parent, found.bundle))
    held_out = [shown_vehicle(vehicle) for vehicle in material.new.held_out]
    old = old_to_try(parent, material)
    desk.progress("trying", 0, len(held_out) + len(old))
    truth = tuple(vehicle.label for vehicle in held_out)
    said = Said(found.told.truth, found.told.before, found.told.after).and_of(
        Said(truth, said_of(before, held_out), said_of(after, held_out))
    )
    lost = unlearnt(desk.registry, parent, before, after, old)
    desk.progress("trying", len(held_out) + len(old), len(held_out) + len(old))
    losses = found.log_loss_before, found.log_loss_after
    return findings(said, len(held_out), losses, lost.changes, len(parent.labels), lost.since_oldest)


def _replayed(old: Old) -> dict[str, int]:
    counts = {"archive": len(old.vehicles), "base": len(old.base), "simulated": len(old.simulated)}
    return {name: count for name, count in counts.items() if count}


def _with_lineage(bundle: Bundle, record: Record) -> Bundle:
    """Return the bundle, its card saying of which labels it is."""
    labels, lineage = record.labels, bundle.card.lineage
    told = {
        "labelled vehicles": ", ".join(f"{count} {label}" for label, count in labels.vehicles.items()),
        "held out for good": str(labels.held_out),
        "replayed": ", ".join(f"{count} of {name}" for name, count in labels.replayed.items()) or "none",
        "days": _span(labels.days),
        "cameras": _named(labels.cameras),
        "label requests": _named(labels.requests),
    }
    settings, checksums = {**lineage.settings, **told}, {**lineage.data_sha256, CHECKSUM: record.key}
    return replace(
        bundle, card=replace(bundle.card, lineage=replace(lineage, settings=settings, data_sha256=checksums))
    )


def _span(days: Sequence[str]) -> str:
    return days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}, {len(days)} days"


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - MOST_NAMED} more" if len(names) > MOST_NAMED else ""
    return f"{', '.join(names[:MOST_NAMED])}{more}" or "none"
