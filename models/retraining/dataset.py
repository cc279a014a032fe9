"""From labelled examples to what a head is taught and tried on, so that no vehicle and no neighbour is on both sides. Pure.

    camera gate    ···  · ··   ·      ··· ··        · · ·
                   └─ block ──┘      └─ block ─┘   └─ block ┘      two minutes without a labelled vehicle part blocks,
                     taught            held out      taught        from half an hour on any gap; from three days on a
                                                                   block is a camera's whole day

Sides are for good, over all retrainings of a lineage. Whoever retrains remembers where and when each vehicle passed:

    taught before   ··                                 blocks that it touches are taught
    held out before                ··                  blocks that it touches are held out
    new              ·· ·      ··   ·  ··      ··      others are drawn; what would lie within two minutes of the other
                                                       side is on neither
"""

import hashlib
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import chain, zip_longest
from typing import Final, TypeVar

from pydantic import AwareDatetime

from models.archive.examples import Example, Truth
from models.preprocessing import Image
from models.retraining.ties import Ties, vehicle_shares
from models.training.augment import copy_of
from models.training.data import LabelledPicture
from schemas.errors import ConfigurationError, PictureError

NEAR: Final = timedelta(minutes=2)
"Vehicles of one camera that are closer in time stay together: light, weather and traffic are the same."
LONGEST: Final = timedelta(minutes=30)
"A block that has lasted so long ends at the next vehicle, however near."
WHOLE_DAYS: Final = 3
"From so many days on, all of a lineage counted, a block is a camera's whole day."
HELD_SHARE: Final = 0.2
"Of the vehicles, held out."
GENEROUS: Final = 1.5
"A block is held out that is larger by so much than what is to be held out still."
FEWEST: Final = 60
"Of fewer vehicles none is held out: each is taught, and held back in turn for the figures."
SIMULATED_SHARE: Final = 0.1
"""How much simulated pictures count among all, as in training. At half, they cost real cameras a point and more
(docs/decisions.md)."""
OLD_SHARE: Final = 0.4
"How much old vehicles count besides, at most: one counts no more than a new one."
COPY_SHARE: Final = 0.25
"""How much a changed copy of each old picture counts beside it. Without, a new head bears worse pictures less well than its
parent; with copies of new pictures too it learns less (docs/decisions.md)."""
COPY_SEED: Final = 20261127

Decode = Callable[[bytes], Image]
"JPEG to uint8 H×W×3 BGR; raises PictureError."
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Passed:
    """Where and when a labelled vehicle passed."""

    example_id: str
    "The example."
    camera_id: str
    "The camera."
    day: str
    "The day that it counts for."
    at: AwareDatetime
    "When."


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A labelled example with its pictures."""

    example_id: str
    "The example."
    label: str
    "What it truly is."
    camera_id: str
    "The camera."
    day: str
    "The day that it counts for."
    at: datetime
    "When."
    scene: Mapping[str, str]
    "Its slices, by dimension."
    pictures: tuple[LabelledPicture, ...]
    "One for each frame that is kept; their `scene` is the example."

    @property
    def largest(self) -> LabelledPicture:
        """The picture that shows most."""
        return max(self.pictures, key=lambda picture: picture.image.shape[0] * picture.image.shape[1])

    @property
    def passed(self) -> Passed:
        """Where and when."""
        return Passed(self.example_id, self.camera_id, self.day, self.at)


Passing = Passed | Vehicle
T_passing = TypeVar("T_passing", bound=Passing)


@dataclass(frozen=True, slots=True)
class Sides:
    """On which side vehicles of a lineage were, in any of its retrainings."""

    taught: tuple[Passed, ...] = ()
    "Those that were taught, or mixed in."
    held_out: tuple[Passed, ...] = ()
    "Those that never are."


NOBODY: Final = Sides()


@dataclass(frozen=True, slots=True)
class Split:
    """Vehicles to teach, and vehicles to try on."""

    taught: tuple[Vehicle, ...]
    "By time."
    held_out: tuple[Vehicle, ...]
    "Likewise; none of a block that is taught, now or before."
    between: tuple[Vehicle, ...]
    "On neither side, for they are within two minutes of both."
    blocks: Mapping[str, str]
    "Each vehicle's block among these, by example id: what is held back in turn stays together."


@dataclass(frozen=True, slots=True)
class Old:
    """What shall not be unlearnt."""

    vehicles: tuple[Vehicle, ...] = ()
    "From the archive."
    base: tuple[LabelledPicture, ...] = ()
    "What the team gives."
    simulated: tuple[LabelledPicture, ...] = ()
    "Drawn, where the parent was trained on such."

    def shares(self, new: int) -> tuple[float, float]:
        """Return how much vehicles and base, and simulated ones, count among all, with so many new vehicles."""
        known = len(self.vehicles) + len(self.base)
        return min(OLD_SHARE, known / max(1, known + new)), SIMULATED_SHARE if self.simulated else 0.0


@dataclass(frozen=True, slots=True)
class Lesson:
    """What `retrain` takes."""

    pictures: tuple[LabelledPicture, ...]
    "New."
    replay: tuple[LabelledPicture, ...]
    "Old."
    replay_share: float
    "How much old ones count among all."
    ties: Ties
    "Of both, in this order."


def vehicle_of(example: Example, label: str, decode: Decode) -> Vehicle | None:
    """Return an example with its pictures decoded; None where none of them can be."""
    pictures = tuple(_pictures(example, label, decode))
    if not pictures:
        return None
    return Vehicle(example.example_id, label, example.camera_id, example.day, example.at, dict(example.scene), pictures)


def check_classes(truths: Iterable[Truth], labels: Sequence[str]) -> None:
    """Raise ConfigurationError for truths of classes that the model does not have, each with an example."""
    strange: dict[str, list[str]] = defaultdict(list)
    for truth in truths:
        if truth.label not in labels:
            strange[truth.label].append(truth.example_id)
    if strange:
        raise ConfigurationError(
            "labels",
            [
                f"{len(ids)} are {label!r}, such as that of {min(ids)}: the model knows {', '.join(labels)}; correct"
                " them, or train a model that has the class"
                for label, ids in sorted(strange.items())
            ],
        )


def split(vehicles: Sequence[Vehicle], before: Sides = NOBODY, fewest: int = FEWEST) -> Split:
    """Part vehicles by blocks: those that touch one taught before are taught, those that touch one held out are held out.

    Of the others blocks are held out until a fifth of the vehicles is; which follows from their names alone. No block is
    held out that would leave fewer than half of a class to teach. A block that was parted before, because blocks were
    shorter then, is taught, but for the neighbours of what is held out in it.
    """
    blocks, ordered = blocks_of([*before.taught, *before.held_out, *vehicles]), sorted(vehicles, key=_age)
    taught, held = ({blocks[passed.example_id] for passed in side} for side in (before.taught, before.held_out))
    held -= taught
    if len(ordered) >= fewest:
        held |= _drawn(ordered, blocks, held, taught)
    inside, outside = ([v for v in ordered if (blocks[v.example_id] in held) is is_held] for is_held in (True, False))
    return _parted(ordered, apart(inside, before.taught), outside, before)


def apart(vehicles: Iterable[T_passing], others: Iterable[Passing]) -> tuple[T_passing, ...]:
    """Return those vehicles that are not within two minutes of others of the same camera."""
    cameras = _grouped(others, lambda other: other.camera_id)
    times = {camera: sorted(other.at for other in passing) for camera, passing in cameras.items()}
    return tuple(vehicle for vehicle in vehicles if not _is_near(vehicle.at, times.get(vehicle.camera_id, ())))


def blocks_of(vehicles: Iterable[Passing]) -> dict[str, str]:
    """Return each vehicle's block, by example id."""
    ordered = sorted(vehicles, key=_age)
    if len({vehicle.day for vehicle in ordered}) >= WHOLE_DAYS:
        return {vehicle.example_id: f"{vehicle.camera_id}|{vehicle.day}" for vehicle in ordered}
    cameras = _grouped(ordered, lambda vehicle: vehicle.camera_id)
    return dict(chain.from_iterable(_timed(camera, shown) for camera, shown in cameras.items()))


def sample(names: Iterable[str], most: int, kind: Callable[[str], str], seed: int) -> list[str]:
    """Return at most so many names, as many of each kind (a camera, say) as there are; drawn by their checksums.

    The same names give the same, and one name more changes little.
    """
    drawn = sorted(names, key=lambda name: _digest(f"{seed} {name}"))
    turns = zip_longest(*_grouped(drawn, kind).values())
    return [name for turn in turns for name in turn if name is not None][:most]


def lesson(taught: Split, old: Old) -> Lesson:
    """Return what `retrain` takes: new vehicles with each picture, old ones with their largest and a changed copy of it.

    A vehicle with three pictures counts as one with one.
    """
    new = [(vehicle.example_id, picture) for vehicle in taught.taught for picture in vehicle.pictures]
    blocks, shares = blocks_of(old.vehicles), old.shares(len(taught.taught))
    kept = [(vehicle.largest, blocks[vehicle.example_id]) for vehicle in old.vehicles]
    rest = [(picture, f"{picture.source}|{picture.scene}") for picture in (*old.base, *old.simulated)]
    replay = list(_with_copies([*kept, *rest]))
    return Lesson(
        pictures=tuple(picture for _, picture in new),
        replay=tuple(picture for _, picture, _ in replay),
        replay_share=sum(shares),
        ties=Ties(
            vehicles=(*(name for name, _ in new), *(name for name, _, _ in replay)),
            blocks=(*(taught.blocks[name] for name, _ in new), *(block for _, _, block in replay)),
            shares=(*vehicle_shares([name for name, _ in new]), *_old_shares(old, shares)),
        ),
    )


def largest_of(vehicles: Iterable[Vehicle]) -> tuple[LabelledPicture, ...]:
    """Return a picture of each vehicle, where pictures are counted: its largest."""
    return tuple(vehicle.largest for vehicle in vehicles)


def classes(vehicles: Iterable[Vehicle]) -> Mapping[str, int]:
    """Return how many there are of each class."""
    return dict(sorted(Counter(vehicle.label for vehicle in vehicles).items()))


def _pictures(example: Example, label: str, decode: Decode) -> Iterator[LabelledPicture]:
    for frame in example.frames:
        try:
            image = decode(frame.picture)
        except PictureError:
            continue
        yield LabelledPicture(frame.frame_id, image, label, example.camera_id, example.example_id)


def _parted(
    vehicles: Sequence[Vehicle], held_out: Sequence[Vehicle], others: Iterable[Vehicle], before: Sides
) -> Split:
    taught = apart(others, (*before.held_out, *held_out))
    parted = {vehicle.example_id for vehicle in (*taught, *held_out)}
    between = tuple(vehicle for vehicle in vehicles if vehicle.example_id not in parted)
    return Split(taught, tuple(held_out), between, blocks_of(vehicles))


def _is_near(at: datetime, times: Sequence[datetime]) -> bool:
    """Whether any of these times, sorted, is within two minutes."""
    place = bisect_left(times, at)
    return any(abs(at - other) < NEAR for other in times[max(0, place - 1) : place + 1])


def _timed(camera: str, vehicles: Sequence[Passing]) -> Iterator[tuple[str, str]]:
    """Yield example ids of one camera, by time, with their blocks."""
    begin = before = vehicles[0].at
    for vehicle in vehicles:
        gap = vehicle.at - before
        if gap >= NEAR or before - begin >= LONGEST:
            begin = vehicle.at
        before = vehicle.at
        yield vehicle.example_id, f"{camera}|{begin.isoformat()}"


def _drawn(vehicles: Sequence[Vehicle], blocks: Mapping[str, str], held: Set[str], taught: Set[str]) -> set[str]:
    """Return blocks to hold out besides, in the order of their checksums."""
    parts = _grouped(vehicles, lambda vehicle: blocks[vehicle.example_id])
    left = Counter(vehicle.label for name, part in parts.items() if name not in held for vehicle in part)
    least = {label: count / 2 for label, count in left.items()}
    spare = len(vehicles) * HELD_SHARE - (len(vehicles) - left.total())
    found: set[str] = set()
    for name in sorted(parts.keys() - held - taught, key=_digest):
        after = left - Counter(vehicle.label for vehicle in parts[name])
        if len(parts[name]) <= spare * GENEROUS and all(after[label] >= least[label] for label in least):
            found.add(name)
            left, spare = after, spare - len(parts[name])
    return found


def _age(vehicle: Passing) -> tuple[datetime, str]:
    return vehicle.at, vehicle.example_id


def _with_copies(pictures: Iterable[tuple[LabelledPicture, str]]) -> Iterator[tuple[str, LabelledPicture, str]]:
    """Yield each old picture and a copy of it as another camera or worse weather would give it, with name and block."""
    for number, (picture, block) in enumerate(pictures):
        for copy in (0, 1):
            changed = replace(picture, image=copy_of(picture.image, number, copy, COPY_SEED))
            yield f"old {number}", changed, block


def _old_shares(old: Old, shares: tuple[float, float]) -> Iterator[float]:
    """Yield how much each replayed picture counts: known ones share their part, simulated ones theirs."""
    for count, share in ((len(old.vehicles) + len(old.base), shares[0]), (len(old.simulated), shares[1])):
        for _ in range(count):
            yield from (share / count * (1 - COPY_SHARE), share / count * COPY_SHARE)


def _grouped(items: Iterable[T], key: Callable[[T], str]) -> dict[str, list[T]]:
    groups: dict[str, list[T]] = defaultdict(list)
    for item in items:
        groups[key(item)].append(item)
    return dict(sorted(groups.items()))


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
