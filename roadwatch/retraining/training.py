"""From chosen labels to a bundle with its record: read, split, fitted, tried on what was held out and on what is old."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from typing import Final

from models.archive.archive import Archive
from models.bundle import Bundle
from models.retraining.dataset import Lesson, Old, Split, classes, lesson, split
from models.retraining.forgetting import forgetting
from models.retraining.judging import Findings, Said, findings
from models.retraining.retrain import Retraining, RetrainingSettings, retrain
from models.retraining.trying import said_of, shown_vehicle, tried
from processors.classifier import Classifier
from roadwatch.retraining.desk import Desk
from roadwatch.retraining.material import (
    SIMULATED,
    Choice,
    Material,
    base_of,
    labels_of,
    simulated,
    vehicles_of,
)
from roadwatch.retraining.record import CHECKSUM, Record
from roadwatch.retraining.request import CHAMPION, RetrainRequest
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
ASK: Final = "ask for labels with 'roadwatch label request', give them, and retrain again"


def train(desk: Desk, choice: Choice, archive: Archive) -> tuple[Bundle, Record]:
    """Return the bundle and what is to be remembered of it; raises ConfigurationError for labels that cannot teach."""
    if desk.asked.whole:
        require_whole(desk.asked, choice)
    material = _material(desk, choice, archive)
    _require_enough(desk, choice, material.new)
    drawn = simulated(choice.parent, training=True, count=_simulated(desk.asked))
    old = Old(material.replayed, material.base.replayed, drawn)
    bundle, found = (_whole if desk.asked.whole else _head)(desk, choice.parent, material, old)
    record = Record(
        format=1,
        key=choice.key,
        parent=choice.parent.version,
        taught={vehicle.example_id: vehicle.label for vehicle in material.new.taught},
        held_out={vehicle.example_id: vehicle.label for vehicle in material.new.held_out},
        labels=labels_of(choice, material.new, _replayed(old)),
        findings=found,
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


def _material(desk: Desk, choice: Choice, archive: Archive) -> Material:
    new, replayed, old = (
        vehicles_of(archive, labels, desk.progress, step)
        for labels, step in (
            (choice.new, "new vehicles"),
            (choice.replayed, "old vehicles"),
            (choice.tried, "old vehicles to try"),
        )
    )
    held_before = [vehicle for vehicle in old if vehicle.example_id in choice.known.held_out]
    base = base_of(desk.asked, choice.parent.labels, desk.progress)
    return Material(split(new, held_before), replayed, old, base)


def _require_enough(desk: Desk, choice: Choice, new: Split) -> None:
    """Raise ConfigurationError where labels are too few or of one class, saying what is missing and what to do."""
    if fault := _fault(
        choice, new, "not taught before" if desk.asked.since == CHAMPION else f"since {desk.asked.since}"
    ):
        raise ConfigurationError(f"retraining {choice.parent.version}", [f"{fault}{_missing(choice)}; {ASK}"])


def _fault(choice: Choice, new: Split, which: str) -> str | None:
    settings, count = _settings(0.0), classes(new.taught)
    told = ", ".join(f"{number} {label}" for label, number in count.items()) or "none"
    if len(new.taught) < settings.min_labels:
        return f"labelled vehicles {which}: {told}, and at least {settings.min_labels} are needed"
    if len(count) < 2:
        return f"labelled vehicles {which}: {told}, and a head is fitted to two classes or more"
    rare = [f"{number} of {label}" for label, number in count.items() if number < settings.min_of_class]
    return f"{', '.join(rare)}, and at least {settings.min_of_class} of a class are needed, or none" if rare else None


def _missing(choice: Choice) -> str:
    return "".join(f"; {len(names)} are {reason}" for reason, names in choice.left_out.items())


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
    changes = forgetting(tried(before, after, old)) if old else ()
    desk.progress("trying", len(held_out) + len(old), len(held_out) + len(old))
    losses = found.log_loss_before, found.log_loss_after
    return findings(said, len(held_out), losses, changes, len(parent.labels))


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
