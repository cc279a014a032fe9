"""Where a label teaches most: what the model is unsure of, or contradicts itself about, or has never seen. Pure.

    models disagree   the challenger says otherwise; the surer the champion, the more one of them has to learn
    disagreement      frames of one vehicle speak against its verdict
    outlier           far from all others in what the network sees: perhaps of a new kind
    slice             of a slice that is known to be worse than the rest
    uncertain         of low confidence, or none

Each kind chooses in turn, its best first, so that none has all. What looks like one that was chosen, at the same camera
and minutes apart, is left out: it would teach the same.
"""

from collections.abc import Iterator, Sequence
from datetime import timedelta
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.archive.examples import Why
from models.asking.candidate import Candidate

UNSURE: Final = 0.1
"A chance of error from which on a verdict counts as uncertain."
ALIKE: Final = 0.95
"""The cosine of two embeddings from which on they show the same.

Of 841 crops of four sources, 5 in 100 have another within .91 of the same source, none within .95."""
SOON: Final = timedelta(minutes=5)
"From one to the other, where they may be the same vehicle, or one that stands."
NEIGHBOURS: Final = 5
"Whose mean distance says how far off an embedding lies."
FAR: Final = 4.0
"Robust standard deviations of that distance above its median from which on it is an outlier: 8 of 841 crops."
MAD: Final = 1.4826
"Standard deviations a median absolute deviation, were distances normal."
BLOCK: Final = 1024
"Embeddings whose distances to all others are held in memory at once."

Kinds = dict[Why, Iterator[int]]
"Places of candidates, of each kind, the best first."


def taught_most(candidates: Sequence[Candidate], count: int) -> dict[int, Why]:
    """Places of so many candidates, or as many as are worth it, in the order chosen, and why each."""
    kinds, chosen = _kinds(candidates), dict[int, Why]()
    while kinds and len(chosen) < count:
        for why in list(kinds):
            place = next((place for place in kinds[why] if _is_new(place, chosen, candidates)), None)
            if place is None:
                del kinds[why]
            elif len(chosen) < count:
                chosen[place] = why
    return chosen


def _kinds(candidates: Sequence[Candidate]) -> Kinds:
    doubts = [each.doubt for each in candidates]
    return {
        "models disagree": _ranked([each.example.confidence * each.models_disagree for each in candidates]),
        "disagreement": _ranked([each.example.dissent for each in candidates]),
        "outlier": _ranked(_oddness(candidates)),
        "slice": _ranked([doubt * each.failed_slice for doubt, each in zip(doubts, candidates, strict=True)]),
        "uncertain": _ranked([doubt * (doubt >= UNSURE) for doubt in doubts]),
    }


def _ranked(scores: Sequence[float]) -> Iterator[int]:
    """Places by score, the highest first; those without a score are left out."""
    return iter(sorted((place for place, score in enumerate(scores) if score > 0), key=lambda place: -scores[place]))


def _is_new(place: int, chosen: dict[int, Why], candidates: Sequence[Candidate]) -> bool:
    return place not in chosen and not any(_are_alike(candidates[place], candidates[other]) for other in chosen)


def _are_alike(one: Candidate, other: Candidate) -> bool:
    if one.embedding is None or other.embedding is None or one.example.camera_id != other.example.camera_id:
        return False
    if abs(one.example.at - other.example.at) > SOON:
        return False
    a, b = _unit(np.stack([one.embedding, other.embedding]))
    return bool(a @ b >= ALIKE)


def _oddness(candidates: Sequence[Candidate]) -> list[float]:
    """How far off each candidate's embedding lies, in robust deviations; 0 of those that lie among others, or lack one."""
    known = {k: each.embedding for k, each in enumerate(candidates) if each.embedding is not None}
    if len(known) <= NEIGHBOURS:
        return [0.0] * len(candidates)
    distances = _distances(_unit(np.stack([*known.values()])))
    middle = np.median(distances)
    spread = max(float(np.median(np.abs(distances - middle))) * MAD, 1e-9)
    odd = dict(zip(known, ((distances - middle) / spread).tolist(), strict=True))
    return [odd[k] if odd.get(k, 0.0) >= FAR else 0.0 for k in range(len(candidates))]


def _unit(embeddings: NDArray[np.float32]) -> NDArray[np.float32]:
    lengths = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(lengths, 1e-9), np.float32)


def _distances(unit: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each one's mean cosine distance to those nearest to it."""
    parts = []
    for start in range(0, len(unit), BLOCK):
        cosines = unit[start : start + BLOCK] @ unit.T
        cosines[np.arange(len(cosines)), np.arange(start, start + len(cosines))] = -1.0
        parts.append(1 - np.partition(cosines, -NEIGHBOURS, axis=1)[:, -NEIGHBOURS:].mean(axis=1))
    return np.concatenate(parts)
