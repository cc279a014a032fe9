"""What there is to learn from: labels from the ledger, pictures from the archive, old ones from wherever they are.

ledger ─► truths ─┬─ not taught to the parent yet ─► new ─────────► taught, or held out for good
                  └─ the others ─► old ─┬─ replayed, so that they are not unlearnt
--base, simulator ──────────────────────┴─ tried before and after
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

from models.archive.archive import Archive
from models.archive.examples import Truth
from models.archive.ledger import Ledger
from models.archive.truths import Truths, truths_of
from models.bundle import Bundle
from models.card import Card
from models.preprocessing import Image
from models.registry.store import Registry
from models.retraining.dataset import (
    Passed,
    Sides,
    Split,
    Vehicle,
    apart,
    check_classes,
    classes,
    sample,
    split,
    vehicle_of,
)
from models.retraining.prior import Prior, fold_numbers
from models.training.data import LabelledPicture, class_faults, file_sha256, pictures_sha256, read_pictures
from processors.pictures import examine
from roadwatch.commands.models.training import TEST_SEED, TRAINING_SEED, simulator_pictures
from roadwatch.retraining.record import Known, known_to
from roadwatch.retraining.request import CHAMPION, Labels, Progress, RetrainRequest
from schemas.errors import ConfigurationError, DecodingError
from schemas.ids import parse_id

SIMULATOR: Final = "simulator"
"The source that a card names where a model was trained on simulated pictures."
SIMULATED, SIMULATED_TRIED = 100, 200
"Simulated pictures to replay, and to try; drawing forty takes a second."
TRIED: Final = 600
"Old vehicles to try, at most, of the archive and of the base data each."
MOST_NEW: Final = 3000
"Vehicles that are learnt at once, the newest labels: their pictures are held in memory, some 150 KB each."
SEED: Final = 20261126
"Of what is drawn."
BETWEEN: Final = "within two minutes of vehicles that are taught and of others that are held out"
"Why a vehicle is on neither side."
RUN: Final = 1000
"Frames of one camera that are on one side where nothing was held out for good: half an hour of passing vehicles."


@dataclass(frozen=True, slots=True)
class Choice:
    """Which examples are new and which are old, before any picture is read."""

    parent: Bundle
    "The model to start from."
    new: Mapping[str, str]
    "Labels of new examples, by their ids."
    perhaps: frozenset[str]
    "Those of them that a version trained elsewhere may have been taught: they are not held out."
    replayed: Mapping[str, str]
    "Of old ones to mix in."
    tried: Mapping[str, str]
    "Of old ones to try."
    known: Known
    "What the parent was taught."
    requests: tuple[str, ...]
    "That asked for the new ones."
    left_out: Mapping[str, tuple[str, ...]]
    "Examples that are not learnt from, by reason."


@dataclass(frozen=True, slots=True)
class Pictured:
    """What of it has pictures that can be read, parted for good."""

    new: Split
    "To teach, and to hold out for good."
    replayed: tuple[Vehicle, ...]
    "Old vehicles of the archive to mix in: none that passed near one that is held out."
    tried: tuple[Vehicle, ...]
    "Others to try: none that passed near one that is taught or mixed in, by this retraining or an earlier one."
    key: str
    "SHA-256 of what makes this retraining what it is."


@dataclass(frozen=True, slots=True)
class Base:
    """Old pictures that the team gives."""

    replayed: tuple[LabelledPicture, ...] = ()
    "To mix in."
    tried: tuple[LabelledPicture, ...] = ()
    "To try."


@dataclass(frozen=True, slots=True)
class Material:
    """What is read for a training."""

    new: Split
    "As pictured."
    replayed: tuple[Vehicle, ...]
    "Likewise."
    tried: tuple[Vehicle, ...]
    "Likewise."
    base: Base
    "Of the team."


def choose(
    asked: RetrainRequest,
    parent: Bundle,
    registry: Registry,
    archive: Archive,
    ledger: Ledger,
    trust: Mapping[str, float],
) -> Choice:
    """Return which examples are new and which are old.

    Raises ConfigurationError where there are no new ones, or where some are of classes that the parent does not have.
    """
    found = truths_of(ledger.labels(), trust)
    kept = archive.ids()
    there = {name: truth for name, truth in found.truths.items() if name in kept}
    check_classes(there.values(), parent.labels)
    known = known_to(registry, parent.version)
    unseen = _new(asked, archive, there, known)
    new = dict(sorted(sorted(unseen.items(), key=_age)[-MOST_NEW:]))
    replayed, tried = _old(asked, [name for name in there if name not in unseen], known)
    old = {name: there[name].label for name in (*replayed, *tried)}
    wanted = {asked.example_id: request.request_id for request in ledger.requests() for asked in request.asked}
    return Choice(
        parent=parent,
        new={name: truth.label for name, truth in new.items()},
        perhaps=frozenset(name for name, truth in new.items() if _is_perhaps(truth, known)),
        replayed={name: old[name] for name in replayed},
        tried={name: old[name] for name in tried},
        known=known,
        requests=tuple(dict.fromkeys(wanted[name] for name in new if name in wanted)),
        left_out=_left_out(found, there, [name for name in unseen if name not in new], known),
    )


def pictured(asked: RetrainRequest, choice: Choice, archive: Archive, progress: Progress) -> Pictured:
    """Read what was chosen, and part it so that nothing is on both sides in any retraining of this lineage."""
    new, old, tried = (
        vehicles_of(archive, labels, progress, step)
        for labels, step in (
            (choice.new, "new vehicles"),
            (choice.replayed, "old vehicles"),
            (choice.tried, "old vehicles to try"),
        )
    )
    before = sides_of(archive, choice.known)
    replayed = split(old, before, fewest=len(old) + 1).taught
    perhaps = [vehicle for vehicle in new if vehicle.example_id in choice.perhaps]
    before = replace(before, taught=(*before.taught, *(vehicle.passed for vehicle in (*replayed, *perhaps))))
    parts = split(new, before)
    return Pictured(
        new=parts,
        replayed=replayed,
        tried=apart(tried, (*before.taught, *parts.taught)),
        key=_key(asked, choice, (*new, *old, *tried)),
    )


def sides_of(archive: Archive, known: Known) -> Sides:
    """Return where and when the vehicles of a lineage passed; those that no record says so of, as the archive has it."""
    taught, held_out = {**known.taught, **known.replayed}, known.held_out
    unsaid = [name for name in (*taught, *held_out) if name not in known.passed]
    read = archive.read(unsaid, damaged=_passed_over)
    passed = {
        **known.passed,
        **{each.example_id: Passed(each.example_id, each.camera_id, each.day, each.at) for each in read},
    }
    return Sides(*(tuple(passed[name] for name in names if name in passed) for names in (taught, held_out)))


def vehicles_of(archive: Archive, labels: Mapping[str, str], progress: Progress, step: str) -> tuple[Vehicle, ...]:
    """Return labelled examples with their pictures; those that are damaged or cannot be decoded are missing."""
    found = []
    for number, example in enumerate(archive.read(labels, damaged=_passed_over), start=1):
        if vehicle := vehicle_of(example, labels[example.example_id], _decoded):
            found.append(vehicle)
        progress(step, number, len(labels))
    return tuple(found)


def _decoded(raw: bytes) -> Image:
    """Decode a picture as a processor does."""
    return examine(raw)[0]


def base_of(asked: RetrainRequest, labels: Sequence[str], progress: Progress) -> Base:
    """Return the old pictures that the team gives, at most so many to mix in and to try; for a whole network, all.

    Raises ConfigurationError for a path that is not there, or holds other classes.
    """
    parts = [_parts(path, labels, progress) for path in asked.base]
    replayed, tried = ([picture for part in parts for picture in part[side]] for side in (0, 1))
    return Base(tuple(replayed) if asked.whole else _drawn(replayed, asked.replay), _drawn(tried, TRIED))


def simulated(parent: Bundle, *, training: bool, count: int) -> tuple[LabelledPicture, ...]:
    """Return simulated pictures where the parent was trained on such: on a road of one's own they teach nothing."""
    if not knows_simulator(parent.card):
        return ()
    return _crops(TRAINING_SEED if training else TEST_SEED, count)


@lru_cache(maxsize=2)
def _crops(seed: int, count: int) -> tuple[LabelledPicture, ...]:
    """Drawing them takes seconds: what is tried is shown to the qualification too."""
    return tuple(simulator_pictures(seed, count))


def knows_simulator(card: Card) -> bool:
    """Whether a model was trained on simulated pictures."""
    return any(data.name == SIMULATOR and data.split == "train" for data in card.data)


def labels_of(choice: Choice, new: Split, replayed: Mapping[str, int]) -> Labels:
    """Return what there was to learn from, counted; what could not be read joins what is left out."""
    both = [*new.taught, *new.held_out]
    between = tuple(vehicle.example_id for vehicle in new.between)
    read = {vehicle.example_id for vehicle in both}.union(between)
    reasons = {BETWEEN: between, "damaged": tuple(name for name in choice.new if name not in read)}
    return Labels(
        vehicles=classes(both),
        held_out=len(new.held_out),
        pictures=sum(len(vehicle.pictures) for vehicle in new.taught),
        days=tuple(sorted({vehicle.day for vehicle in both})),
        cameras=tuple(sorted({vehicle.camera_id for vehicle in both})),
        requests=choice.requests,
        replayed=replayed,
        left_out={**choice.left_out, **{reason: names for reason, names in reasons.items() if names}},
    )


def _new(asked: RetrainRequest, archive: Archive, truths: Mapping[str, Truth], known: Known) -> dict[str, Truth]:
    """Return what is new: labels that the parent was not taught, or those of a day and later."""
    open_ones = {name: truth for name, truth in truths.items() if name not in known.held_out}
    if asked.since != CHAMPION:
        days = {example.example_id: example.day for example in archive.read(open_ones, damaged=_passed_over)}
        return {name: truth for name, truth in open_ones.items() if days.get(name, "") >= asked.since}
    fresh = {name: truth for name, truth in open_ones.items() if known.taught.get(name) != truth.label}
    # A model that was trained elsewhere does not say on which labels: those given before it was registered are old.
    return fresh if known.recorded else {name: truth for name, truth in fresh.items() if not _is_perhaps(truth, known)}


def _is_perhaps(truth: Truth, known: Known) -> bool:
    """Whether a version that was trained elsewhere may have been taught it."""
    return known.perhaps_until is not None and truth.given_at <= known.perhaps_until


def _old(asked: RetrainRequest, names: Sequence[str], known: Known) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return old examples to replay, and others to try that the parent was not taught."""
    taught = {*known.taught, *known.replayed}
    tried = [name for name in names if name in known.held_out or (name not in taught and _is_half(name))]
    replayed = set(names).difference(tried)
    return tuple(sample(replayed, asked.replay, camera_of, SEED)), tuple(sample(tried, TRIED, camera_of, SEED))


def _is_half(example_id: str) -> bool:
    return int(hashlib.sha256(_run(example_id).encode()).hexdigest(), 16) % 2 == 0


def _run(example_id: str) -> str:
    try:
        ref = parse_id(example_id)
    except DecodingError:
        return example_id
    return f"{ref.camera_id}:{ref.epoch}:{ref.sequence // RUN}"


def camera_of(example_id: str) -> str:
    """Return the camera that an id begins with."""
    return example_id.partition(":")[0]


def _age(item: tuple[str, Truth]) -> tuple[datetime, str]:
    return item[1].given_at, item[0]


def _left_out(
    found: Truths, there: Mapping[str, Truth], older: Sequence[str], known: Known
) -> dict[str, tuple[str, ...]]:
    """Return what is not learnt from, by reason. What the parent was taught is missing by intent, and is not told."""
    gone = tuple(name for name in found.truths if name not in there and name not in known.taught)
    reasons = {
        "contradicted": found.contradicted,
        "taken back": found.withdrawn,
        "without a picture in the archive": gone,
        f"older than the newest {MOST_NEW}": tuple(older),
    }
    return {reason: names for reason, names in reasons.items() if names}


def _key(asked: RetrainRequest, choice: Choice, vehicles: Iterable[Vehicle]) -> str:
    """Return a checksum of what is learnt from and tried on: of examples whose pictures could be read, no others."""
    read = {vehicle.example_id for vehicle in vehicles}
    new, replayed, tried = (
        {name: label for name, label in labels.items() if name in read}
        for labels in (choice.new, choice.replayed, choice.tried)
    )
    told: dict[str, Any] = {
        "parent": choice.parent.version,
        "new": new,
        "replayed": replayed,
        "tried": tried,
        "held out": sorted(choice.known.held_out),
        "base": [_checksum(path) for path in asked.base],
        "replay": asked.replay,
        "prior": asdict(Prior()),
        **({"whole": asdict(asked.whole)} if asked.whole else {}),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _checksum(path: Path) -> str:
    """Return a checksum of base data; raises ConfigurationError where it is not there."""
    if path.is_file():
        return file_sha256(path)
    zips = [path / name for name in ("train.zip", "test.zip")]
    if all(file.is_file() for file in zips):
        return " ".join(map(file_sha256, zips))
    if not path.is_dir():
        raise ConfigurationError("--base", [f"{path}: no such file or folder"])
    return pictures_sha256(read_pictures(path))


def _parts(
    path: Path, labels: Sequence[str], progress: Progress
) -> tuple[list[LabelledPicture], list[LabelledPicture]]:
    """Return pictures to replay and pictures to try: of the two zips, or of one, halves by runs of neighbours."""
    zips = [path / name for name in ("train.zip", "test.zip")]
    if all(file.is_file() for file in zips):
        replayed, tried = (_read(file, labels, progress) for file in zips)
        return replayed, tried
    pictures = _read(path, labels, progress)
    truth = [labels.index(picture.label) for picture in pictures]
    half = fold_numbers(truth, [picture.scene for picture in pictures], 2, SEED)
    replayed, tried = ([picture for picture, part in zip(pictures, half, strict=True) if part == k] for k in (0, 1))
    return replayed, tried


def _read(path: Path, labels: Sequence[str], progress: Progress) -> list[LabelledPicture]:
    progress(f"reading {path.name}", 0, 1)
    pictures = list(read_pictures(path))
    if faults := class_faults(labels, pictures):
        raise ConfigurationError(str(path), faults)
    progress(f"reading {path.name}", 1, 1)
    return pictures


def _drawn(pictures: Sequence[LabelledPicture], most: int) -> tuple[LabelledPicture, ...]:
    """Return at most so many, as many of each source as there are."""
    names = {f"{number} {picture.name}": picture for number, picture in enumerate(pictures)}
    return tuple(names[name] for name in sample(names, most, lambda name: names[name].source, SEED))


def _passed_over(_what: str) -> None:
    """A damaged example is counted by what is missing."""
