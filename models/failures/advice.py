"""What would help a group of failures, and the evidence for it. Pure.

                          ┌─ in the dark, or on several cameras ──────────► augmentation
    pictures are worse ───┼─ veiled, and brighter for it: fog ────────────► augmentation
    than right ones       └─ one camera's, otherwise ─────────────────────► camera
    pictures are as clear ────────────────────────────────────────────────► labels
    less sure than right verdicts ────────────────────────────────────────► threshold, beside those

Fog scatters light into what is dark: pictures become brighter as they lose contrast. Dirt and things before the lens take
light away, or leave it.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.failures.features import Features, Floats
from models.failures.groups import Advice, Judged

Bools = NDArray[np.bool_]
Ints = NDArray[np.intp]

WORSE: Final = 1.0
"Standard deviations of right pictures by which its members' look is worse,"
THEN_TOO: Final = 0.4
"and by which what else the camera saw at the time is."
FOG: Final = 0.5
"Standard deviations by which pictures are brighter in fog."
MOST: Final = 0.85
"The share of a group by which it is said to be of a camera, or of some."
MORE_OFTEN: Final = 0.3
"By which darkness or a veil is more common in a group than among right examples of the same cameras."
FEW: Final = 3
"Cameras that are named one by one."
AVOIDED: Final = 0.5
"Of a group's wrong verdicts, those that a threshold avoids, where it is worth a word."
FEWEST: Final = 3
"Wrong verdicts by which a threshold is sought."
UNFAMILIAR: Final = 0.6
"The share of right examples that lie less far off, from which on it is worth a word."
LOST: Final = 0.05
"Of right verdicts, those that it may cost."


@dataclass(frozen=True, slots=True)
class Evidence:
    """What speaks for one remedy or another."""

    cameras: tuple[str, ...]
    "The fewest that hold most of the group, the largest part first."
    judged: int
    "Cameras of which anything was judged."
    worse: tuple[str, ...]
    "How its pictures are worse than right ones."
    brighter: float
    "By how much they are brighter, in standard deviations."
    dark: float
    "How much more common darkness is than among right examples of the same cameras, -1 to 1."
    veiled: float
    "How much more common a veil is, likewise."
    unfamiliar: float
    "The share of right examples that lie less far off than the middle one of its members; 0 without embeddings."
    others: tuple[int, int]
    "Of its main class, of the same cameras, but not of the group: those that went right, and all."
    main: str
    "Its most frequent class."

    @property
    def disturbed(self) -> bool:
        """Whether its pictures are worse."""
        return bool(self.looks)

    @property
    def looks(self) -> tuple[str, ...]:
        """How its pictures are worse, and in what they were taken."""
        around = (("taken in the dark", self.dark), ("veiled", self.veiled))
        return (*self.worse, *(word for word, more in around if more >= MORE_OFTEN))

    @property
    def general(self) -> bool:
        """Whether no single camera is to blame."""
        return self.dark >= MORE_OFTEN or len(self.cameras) > 1

    @property
    def foggy(self) -> bool:
        """Whether light is scattered into what is dark."""
        return self.veiled >= MORE_OFTEN and self.brighter >= FOG


def advice_for(judged: Sequence[Judged], features: Features, group: Ints) -> tuple[Advice, ...]:
    """What would help a group, given its places, the most promising first."""
    found = _evidence(judged, features, group)
    return (*_first(found, len(group)), *_threshold(judged, group))


def _evidence(judged: Sequence[Judged], features: Features, group: Ints) -> Evidence:
    cameras = np.array([each.example.camera_id for each in judged], np.str_)
    right = np.array([not each.failed for each in judged], bool)
    named = _most(cameras[group].tolist())
    main = _ranked([judged[k].truth for k in group])[0]
    others = np.array([each.truth == main for each in judged], bool) & np.isin(cameras, named)
    others[group] = False
    return Evidence(
        cameras=named,
        judged=len(np.unique(cameras)),
        worse=tuple(_worse(features.look[group], features.then[group])),
        brighter=float(np.median(features.look[group, 0])),
        dark=_more_often(_has(judged, "light", "dark"), group, cameras, right),
        veiled=_more_often(_has(judged, "weather", "veiled"), group, cameras, right),
        unfamiliar=_below(features.far[right], float(np.median(features.far[group]))),
        others=(int((others & right).sum()), int(others.sum())),
        main=main,
    )


def _ranked(names: Sequence[str]) -> list[str]:
    """The most frequent first."""
    counts = Counter(names)
    return sorted(counts, key=lambda name: (-counts[name], name))


def _most(names: Sequence[str]) -> tuple[str, ...]:
    """The fewest that make up most of them."""
    ranked, counts = _ranked(names), Counter(names)
    held = np.cumsum([counts[name] for name in ranked])
    return tuple(ranked[: int(np.searchsorted(held, MOST * len(names))) + 1])


def _has(judged: Sequence[Judged], dimension: str, value: str) -> Bools:
    return np.array([each.example.scene.get(dimension) == value for each in judged], bool)


def _below(usual: Floats, value: float) -> float:
    return float((usual < value).mean()) if usual.any() else 0.0


def _worse(look: Floats, then: Floats) -> Iterator[str]:
    """What is worse about its pictures, and not only about the vehicles in them."""
    own, camera = np.median(look, axis=0), np.median(then, axis=0)
    signs = (("darker", 0, -1), ("low in contrast", 1, -1), ("blurred", 2, -1), ("grainy", 3, 1))
    for word, column, sign in signs:
        if sign * own[column] >= WORSE and sign * camera[column] >= THEN_TOO:
            yield word


def _more_often(has: Bools, group: Ints, cameras: NDArray[np.str_], right: Bools) -> float:
    """How much more common something is in a group than among right examples, camera by camera."""
    usual = {camera: has[right & (cameras == camera)] for camera in np.unique(cameras[group])}
    expected = [float(usual[cameras[k]].mean()) if len(usual[cameras[k]]) else 0.0 for k in group]
    return float(has[group].mean() - np.mean(expected))


def _first(found: Evidence, size: int) -> tuple[Advice, ...]:
    if not found.disturbed:
        return (_labels(found, size),)
    if found.general:
        return (_augmentation(found),)
    return (_augmentation(found), _camera(found)) if found.foggy else (_camera(found), _augmentation(found))


def _camera(found: Evidence) -> Advice:
    alone = f", and no other of {found.judged} cameras fails like this" if found.judged > 1 else ""
    return Advice(
        "camera",
        f"Look at camera {found.cameras[0]} for dirt, something before the lens, focus or a moved view: its pictures are "
        f"{_listed(found.looks)}, compared with its own that went right{alone}{_others(found)}.",
    )


def _augmentation(found: Evidence) -> Advice:
    named = len(found.cameras) <= FEW
    where = f"on {_listed(found.cameras)}" if named else f"most of them on {len(found.cameras)} cameras"
    return Advice(
        "augmentation",
        f"Train on pictures made to look like these, {_listed(found.looks)}, {where}{_others(found)}.",
    )


def _labels(found: Evidence, size: int) -> Advice:
    off = f", and lie farther off what is known than {found.unfamiliar:.0%} of those"
    return Advice(
        "labels",
        f"Label more vehicles like these {size} and retrain: their pictures are as clear as those that went right"
        f"{off if found.unfamiliar >= UNFAMILIAR else ''}{_others(found)}.",
    )


def _others(found: Evidence) -> str:
    right, count = found.others
    return f"; {right} of {count} others of class {found.main} there went right" if count else ""


def _listed(words: Sequence[str]) -> str:
    return " and ".join([part for part in (", ".join(words[:-1]), *words[-1:]) if part])


def _threshold(judged: Sequence[Judged], group: Ints) -> Iterator[Advice]:
    """A confidence below which most of a group lies, and few right verdicts do."""
    wrong = np.array([judged[k].example.confidence for k in group if judged[k].example.predicted is not None])
    right = np.array([each.example.confidence for each in judged if not each.failed])
    if len(wrong) < FEWEST or not len(right):
        return
    bounds = np.unique(np.floor(wrong * 100 + 1) / 100)
    avoided, lost = _below_each(wrong, bounds), _below_each(right, bounds)
    fair = (lost <= LOST * len(right)) & (avoided >= AVOIDED * len(wrong)) & (bounds < 1)
    if not fair.any():
        return
    best = int(np.argmax(np.where(fair, avoided - lost, -np.inf)))
    yield Advice(
        "threshold",
        f"Abstain below a confidence of {bounds[best]:.2f}: that avoids {avoided[best]} of its {len(wrong)} wrong "
        f"verdicts, and costs {lost[best]} of {len(right)} right ones.",
    )


def _below_each(confidences: Floats, bounds: Floats) -> Ints:
    return np.asarray((confidences[:, None] < bounds).sum(axis=0), np.intp)
