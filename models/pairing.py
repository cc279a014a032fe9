"""Two models' predictions and the labels, brought together vehicle by vehicle. Pure.

    champion's predictions ──┐
    challenger's predictions ┼──► a vehicle's frames that both classified ──► two verdicts ──┐
    labels ──────────────────┴──► what they say together ────────────────────────────────────┴──► an outcome

Of each source the newest word holds, or none where it was taken back; of those the class whose sources weigh more, of two
alike the newest: as in the monitor.

Predictions wait for their label, and labels for their vehicle, within bounds; what fell out is counted.
"""

from collections import Counter, OrderedDict, defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Literal, NamedTuple

from models.comparison import Outcome
from schemas.ids import frame_id, parse_id
from schemas.labels import require_sound
from schemas.records import CLASSIFIED, Label, Prediction

Role = Literal["champion", "challenger"]
ROLES: Final[tuple[Role, Role]] = ("champion", "challenger")


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long things wait for each other."""

    passage_timeout: timedelta = timedelta(seconds=15)
    "Event time without a new frame after which a passage is over, as in the monitor."
    patience: timedelta = timedelta(days=3)
    "Event time of its camera that a vehicle waits for its label."
    most_frames: int = 100_000
    "Frames that wait, about 800 bytes each."
    most_labels: int = 100_000
    "Labels that are remembered."
    most_settled: int = 20_000
    "Vehicles already counted that a correction still finds."


@dataclass(frozen=True, slots=True)
class Paired:
    """A vehicle that was counted, or counted anew after its label was corrected or taken back."""

    vehicle: str
    "Its passage's id; the frame's where it has no passage."
    outcome: Outcome | None
    "How both models did; None: its label was taken back, and it counts no longer."
    before: Outcome | None = None
    "How it was counted until now; None: it was not."


class _Given(NamedTuple):
    """A word; of two of one source, the greater one holds."""

    labelled_at: datetime
    label_id: str
    label: str | None
    "None: the source has taken back its word."
    weight: float


class _Said(NamedTuple):
    """A word that stands."""

    labelled_at: datetime
    label_id: str
    label: str


_Vote = Mapping[str, float]
"A frame's probabilities, each times its picture's area; empty where the model abstains."


@dataclass(slots=True)
class _Vehicle:
    camera_id: str
    epoch: str
    last_at: datetime
    passage: bool
    votes: dict[int, dict[Role, _Vote]] = field(default_factory=dict)
    "By the frame's sequence."

    def complete(self) -> bool:
        """Whether both models have seen the same frames."""
        return all(len(votes) == len(ROLES) for votes in self.votes.values())

    def frame_ids(self) -> Iterator[str]:
        return (frame_id(self.camera_id, self.epoch, sequence) for sequence in self.votes)


@dataclass(frozen=True, slots=True)
class _Settled:
    camera_id: str
    frames: tuple[str, ...]
    verdicts: Mapping[Role, str | None]
    outcome: Outcome | None
    "None: it is not counted. The models have no frame of it in common, or its label was taken back."


class Pairing:
    """Brings predictions and labels together; give it everything in any order, and it gives outcomes."""

    def __init__(
        self,
        champion: str,
        challenger: str,
        *,
        labels_follow: bool,
        bounds: Bounds | None = None,
        trust: Mapping[str, float] | None = None,
    ) -> None:
        """Take the two versions; others are passed over.

        `labels_follow` says that labels may still come: else all were given first, and only vehicles that can have
        one are kept. `trust` is what a source's word weighs where sources differ, 1 for those not named.
        """
        if champion == challenger:
            raise ValueError(f"{champion} cannot be compared with itself")
        self._roles: dict[str, Role] = {champion: "champion", challenger: "challenger"}
        self._follow = labels_follow
        self._bounds = bounds or Bounds()
        self._trust = trust or {}
        self._vehicles: OrderedDict[str, _Vehicle] = OrderedDict()
        self._settled: OrderedDict[str, _Settled] = OrderedDict()
        self._labels: OrderedDict[str, dict[str, _Given]] = OrderedDict()
        self._labelled: dict[str, set[str]] = {}
        self._labelled_epochs: set[tuple[str, str]] = set()
        self._of_frame: dict[str, str] = {}
        self._seen_until: dict[tuple[str, Role], datetime] = {}
        self._frames = 0
        self.losses: Counter[str] = Counter()
        "What is not in the outcomes, by reason."

    def take_label(self, label: Label) -> list[Paired]:
        """Take a label in; the same one twice counts once, of several of a source the newest holds.

        Raises:
            DecodingError: it cannot be counted: it labels what is no thing, or says what is no class.

        """
        target = require_sound(label).passage_id or label.frame_id
        if target is None:
            return []
        given = _Given(label.labelled_at, label.label_id, label.label, label.weight)
        before = self._labels.get(target, {}).get(label.source)
        if before and before[:2] >= given[:2]:
            return []
        self._remember(target, label.source, given, label.frame_id is not None and label.passage_id is None)
        return list(self._relabelled(self._of_frame.get(target, target)))

    def take_prediction(self, prediction: Prediction) -> list[Paired]:
        """Take a prediction in; those of other versions, and frames that are not classified, are passed over."""
        role = self._roles.get(prediction.model_version)
        if role is None:
            self.losses["predictions of other versions"] += 1
            return []
        moved = self._advance(prediction, role)
        labelled = prediction.kind in CLASSIFIED and self._vote(prediction, role)
        self._forget_old()
        return list(self._due(prediction.camera_id)) if moved or labelled else []

    def settle_all(self) -> list[Paired]:
        """Count every labelled vehicle that waits, in the order of their labels: nothing more will come."""
        waiting = (key for keys in self._labelled.values() for key in keys if key in self._vehicles)
        ordered = sorted((given, key) for key in waiting if (given := self._label_of(key)))
        return [paired for _, key in ordered if (paired := self._settle(key))]

    def weighted(self) -> int:
        """How many labels stand for more vehicles than one."""
        return sum(given.weight != 1 for words in self._labels.values() for given in words.values() if given.label)

    def waiting(self) -> dict[str, int]:
        """What waits for its other half now."""
        known = self._vehicles.keys() | self._settled.keys()
        alone = sum(self._of_frame.get(target, target) not in known for target in self._labels if self._stands(target))
        return {
            "vehicles that wait for a label": len(self._vehicles),
            "labels whose vehicle was not seen": alone,
        }

    def _advance(self, prediction: Prediction, role: Role) -> bool:
        """Know how far the camera's pictures have come; whether a whole second has passed, which is looked at alone."""
        at, key = prediction.captured_at, (prediction.camera_id, role)
        before = self._seen_until.get(key)
        if before is not None and at <= before:
            return False
        self._seen_until[key] = at
        return before is None or int(at.timestamp()) > int(before.timestamp())

    def _remember(self, target: str, source: str, given: _Given, of_frame: bool) -> None:
        if of_frame:
            ref = parse_id(target)
            self._labelled_epochs.add((ref.camera_id, ref.epoch))
        self._labels.setdefault(target, {})[source] = given
        if len(self._labels) > self._bounds.most_labels:
            self._forget_label()

    def _forget_label(self) -> None:
        target, _ = self._labels.popitem(last=False)
        key = self._of_frame.get(target, target)
        if key in self._vehicles:
            self._labelled.get(self._vehicles[key].camera_id, set()).discard(key)
        self.losses["labels that waited too long"] += key not in self._settled

    def _relabelled(self, key: str) -> Iterator[Paired]:
        if key in self._settled:
            yield from self._revised(key)
        elif key in self._vehicles:
            labelled = self._labelled.setdefault(self._vehicles[key].camera_id, set())
            if self._label_of(key):
                labelled.add(key)
                yield from self._due(self._vehicles[key].camera_id)
            else:
                labelled.discard(key)

    def _revised(self, key: str) -> Iterator[Paired]:
        settled = self._settled[key]
        if not settled.verdicts:
            return
        given = self._said_of(key, *settled.frames)
        outcome = _outcome(settled.camera_id, given.label, settled.verdicts) if given else None
        if outcome != settled.outcome:
            self._settled[key] = _Settled(settled.camera_id, settled.frames, settled.verdicts, outcome)
            yield Paired(key, outcome, settled.outcome)

    def _vote(self, prediction: Prediction, role: Role) -> bool:
        """Keep the vote, where it can be of use; whether its vehicle is labelled."""
        key = prediction.passage_id or prediction.frame_id
        if key in self._settled:
            self.losses["frames that came after their vehicle was counted"] += 1
            return False
        labelled = self._stands(key) or self._stands(prediction.frame_id)
        if not (labelled or self._follow or (prediction.camera_id, prediction.epoch) in self._labelled_epochs):
            self.losses["frames of vehicles without a label"] += 1
            return False
        vehicle = self._vehicles.get(key) or self._new(key, prediction)
        vehicle.last_at = max(vehicle.last_at, prediction.captured_at)
        self._frames += prediction.sequence not in vehicle.votes
        vehicle.votes.setdefault(prediction.sequence, {})[role] = _weighed(prediction)
        self._of_frame[prediction.frame_id] = key
        if labelled:
            self._labelled.setdefault(prediction.camera_id, set()).add(key)
        return labelled

    def _new(self, key: str, prediction: Prediction) -> _Vehicle:
        passage = prediction.passage_id is not None
        vehicle = _Vehicle(prediction.camera_id, prediction.epoch, prediction.captured_at, passage)
        self._vehicles[key] = vehicle
        return vehicle

    def _due(self, camera: str) -> Iterator[Paired]:
        """Count the camera's labelled vehicles that are over, where labels may still follow."""
        if not self._follow:
            return
        for key in sorted(self._labelled.get(camera, ())):
            if self._is_over(self._vehicles[key]) and (paired := self._settle(key)):
                yield paired

    def _is_over(self, vehicle: _Vehicle) -> bool:
        """Whether nothing more comes of it: both models are past it, or the champion is and they saw the same."""
        wait = self._bounds.passage_timeout if vehicle.passage else timedelta(0)
        past = [self._is_past(vehicle.camera_id, role, vehicle.last_at + wait) for role in ROLES]
        return all(past) or (past[0] and vehicle.complete())

    def _is_past(self, camera: str, role: Role, at: datetime) -> bool:
        until = self._seen_until.get((camera, role))
        return until is not None and until >= at

    def _settle(self, key: str) -> Paired | None:
        given = self._label_of(key)
        if given is None:
            return None
        vehicle = self._removed(key)
        common = [votes for votes in vehicle.votes.values() if len(votes) == len(ROLES)]
        if not common:
            saw = {role for votes in vehicle.votes.values() for role in votes}
            who = f"the {saw.pop()} alone" if len(saw) == 1 else "both models, on different frames"
            self.losses[f"labelled vehicles seen by {who}"] += 1
            self._keep(key, _Settled(vehicle.camera_id, tuple(vehicle.frame_ids()), {}, None))
            return None
        verdicts = {role: _verdict([votes[role] for votes in common]) for role in ROLES}
        outcome = _outcome(vehicle.camera_id, given.label, verdicts)
        self._keep(key, _Settled(vehicle.camera_id, tuple(vehicle.frame_ids()), verdicts, outcome))
        return Paired(key, outcome)

    def _label_of(self, key: str) -> _Said | None:
        return self._said_of(key, *self._vehicles[key].frame_ids())

    def _said_of(self, *targets: str) -> _Said | None:
        """What the words on a vehicle and its frames say together; None where none stands."""
        newest: dict[str, _Said] = {}
        for target in targets:
            for source, word in self._labels.get(target, {}).items():
                if word.label is not None:
                    said = _Said(word.labelled_at, word.label_id, word.label)
                    newest[source] = max(said, newest.get(source, said))
        weights: dict[str, float] = defaultdict(float)
        for source, said in newest.items():
            weights[said.label] += self._trust.get(source, 1.0)
        return max(newest.values(), key=lambda said: (weights[said.label], said), default=None)

    def _stands(self, target: str) -> bool:
        """Whether a source says something of it that was not taken back."""
        return any(word.label is not None for word in self._labels.get(target, {}).values())

    def _keep(self, key: str, settled: _Settled) -> None:
        self._settled[key] = settled
        self._of_frame.update(dict.fromkeys(settled.frames, key))
        if len(self._settled) > self._bounds.most_settled:
            _, oldest = self._settled.popitem(last=False)
            for name in oldest.frames:
                self._of_frame.pop(name, None)

    def _removed(self, key: str) -> _Vehicle:
        vehicle = self._vehicles.pop(key)
        self._frames -= len(vehicle.votes)
        self._labelled.get(vehicle.camera_id, set()).discard(key)
        for name in vehicle.frame_ids():
            self._of_frame.pop(name, None)
        return vehicle

    def _forget_old(self) -> None:
        """Let the oldest vehicles go that waited too long, or are too many."""
        while self._vehicles and (self._frames > self._bounds.most_frames or self._is_stale()):
            key = next(iter(self._vehicles))
            self._removed(key)
            self.losses["vehicles that waited too long for a label"] += 1

    def _is_stale(self) -> bool:
        key = next(iter(self._vehicles))
        vehicle = self._vehicles[key]
        late = vehicle.last_at + self._bounds.patience
        return self._follow and any(self._is_past(vehicle.camera_id, role, late) for role in ROLES)


def _weighed(prediction: Prediction) -> _Vote:
    """A frame's vote, as monitor.passages weighs it: probabilities by the picture's area; none where it abstains."""
    if prediction.label is None:
        return {}
    pixels = prediction.statistics.width * prediction.statistics.height
    return {label: pixels * probability for label, probability in prediction.probabilities.items()}


def _verdict(votes: list[_Vote]) -> str | None:
    """The class with the largest sum; None where every frame abstained."""
    sums: dict[str, float] = defaultdict(float)
    for vote in votes:
        for label, weight in vote.items():
            sums[label] += weight
    return min(sums, key=lambda label: (-sums[label], label)) if sums else None


def _outcome(camera_id: str, label: str, verdicts: Mapping[Role, str | None]) -> Outcome:
    return Outcome(label, camera_id, verdicts["champion"] == label, verdicts["challenger"] == label)
