"""What is known of each judged example, in numbers that can be compared.

    pictures ───┬─ look    brightness, contrast, sharpness, grain: its own
                └─ then    what the camera's pictures had in common at that time: its state, whatever passed
    embedding ──┬─ seen    its main directions (principal components)
                └─ far     how far it lies from those that went right
    scene ──────── around  light and weather
    truth ──────── truth   its class
    verdict ────── said    what the model said

Pictures are measured against right ones of their own camera, in robust standard deviations: the median, and the spread
between the quartiles. Embeddings are measured in standard deviations of the right ones along their widest direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from models.archive.examples import Example
from models.failures.groups import Judged

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

STATISTICS: Final = ("brightness", "contrast", "sharpness", "noise")
"Of a picture."
LOGARITHMIC: Final = np.array([False, False, True, True])
"Which of them are compared as logarithms."
LEAST_SPREAD: Final = np.array([4.0, 3.0, 0.15, 0.1])
"Below which differences cannot be seen: grey levels, and logarithms."
COMPONENTS: Final = 8
"Main directions of the embeddings that are kept."
ENOUGH: Final = 8
"Right examples by which others are measured; of a camera with fewer, all cameras' are taken."
QUARTILES: Final = 1.349
"Standard deviations between the quartiles, were values normal."
FARTHEST: Final = 6.0
"Standard deviations that count: more are no more telling."
AROUND: Final = 3
"Examples before and after in time by which a camera's state is told."
SOON: Final = 3600.0
"Seconds within which they count."
NEAREST: Final = 5
"Right examples whose mean distance says how far off an embedding lies."
MOST_RIGHT: Final = 2000
"Right examples to which distances are measured; of more, so many at even steps."
BLOCK: Final = 512
"Embeddings whose distances are held in memory at once."


@dataclass(frozen=True, slots=True)
class Features:
    """A row for each judged example."""

    look: Floats
    "(n, 4): its pictures; 0 where it has none."
    then: Floats
    "(n, 4): the median of `look` over its camera's examples around it in time, itself among them."
    seen: Floats
    "(n, at most COMPONENTS): its embedding's main directions; 0 where it has none."
    far: Floats
    "(n,): how far its embedding lies from right ones, in robust standard deviations of what is usual among them."
    around: Floats
    "(n, words): 1 where light or weather is that word."
    truth: Floats
    "(n, classes): 1 where that is its class."
    said: Floats
    "(n, classes): 1 where that is what the model said; a column for none."


def features_of(judged: Sequence[Judged]) -> Features:
    """Measure all; raises ValueError for embeddings that cannot be compared, naming the example."""
    right = np.array([not each.failed for each in judged], bool)
    cameras = np.array([each.example.camera_id for each in judged], np.str_)
    at = np.array([each.example.at.timestamp() for each in judged], float)
    look = _looks([each.example for each in judged], cameras, right)
    embeddings = _embeddings(judged)
    known = np.array([each.embedding.size > 0 for each in judged], bool)
    return Features(
        look=look,
        then=_then(look, cameras, at),
        seen=_components(embeddings, known, right),
        far=_far(embeddings, known, right),
        around=_flags([[each.example.scene.get(name, "") for name in ("light", "weather")] for each in judged]),
        truth=_flags([[each.truth] for each in judged]),
        said=_flags([[each.example.predicted or ""] for each in judged]),
    )


def _looks(examples: Sequence[Example], cameras: NDArray[np.str_], right: Bools) -> Floats:
    pictures = np.array([_picture(example) for example in examples], float).reshape(len(examples), len(STATISTICS))
    looks = np.zeros_like(pictures)
    for camera in np.unique(cameras):
        own = cameras == camera
        known = right & own if (right & own).sum() >= ENOUGH else right
        looks[own] = _measured(pictures[own], pictures[known] if known.any() else pictures)
    return looks


def _picture(example: Example) -> Floats:
    """The medians of its pictures' statistics; NaN where it has none."""
    values = np.array([[getattr(frame, name) for name in STATISTICS] for frame in example.frames], float)
    whole = values[np.isfinite(values).all(axis=1)] if len(values) else values
    if not len(whole):
        return np.full(len(STATISTICS), np.nan)
    middle = np.median(whole, axis=0)
    return np.asarray(np.where(LOGARITHMIC, np.log(np.maximum(middle, 1e-3)), middle), float)


def _measured(pictures: Floats, known: Floats) -> Floats:
    """In robust standard deviations of those that are known."""
    known = known[np.isfinite(known).all(axis=1)]
    if not len(known):
        return np.zeros_like(pictures)
    low, middle, high = np.quantile(known, [0.25, 0.5, 0.75], axis=0)
    spread = np.maximum((high - low) / QUARTILES, LEAST_SPREAD)
    return np.asarray(np.clip(np.nan_to_num((pictures - middle) / spread), -FARTHEST, FARTHEST), float)


def _then(look: Floats, cameras: NDArray[np.str_], at: Floats) -> Floats:
    found = np.zeros_like(look)
    for camera in np.unique(cameras):
        own = np.flatnonzero(cameras == camera)
        own = own[np.argsort(at[own], kind="stable")]
        found[own] = _smoothed(look[own], at[own])
    return found


def _smoothed(look: Floats, at: Floats) -> Floats:
    """The median over what lies around each in time."""
    width = 2 * AROUND + 1
    values = np.pad(look, ((AROUND, AROUND), (0, 0)), constant_values=np.nan)
    times = np.pad(at, AROUND, constant_values=np.inf)
    near = np.abs(sliding_window_view(times, width) - at[:, None]) <= SOON
    windows = np.where(near[:, None], sliding_window_view(values, width, axis=0), np.nan)
    return np.asarray(np.nanmedian(windows, axis=2), float)


def _embeddings(judged: Sequence[Judged]) -> Floats:
    """A row each, NaN for those that have none."""
    sizes = sorted({each.embedding.size for each in judged if each.embedding.size})
    if len(sizes) > 1:
        raise ValueError(
            f"embeddings of {' and '.join(map(str, sizes))} numbers: they are of different networks; "
            "compute them all with one"
        )
    rows = np.full((len(judged), sizes[0] if sizes else 0), np.nan)
    for row, each in zip(rows, judged, strict=True):
        if each.embedding.size:
            row[:] = _whole(each)
    return rows


def _whole(each: Judged) -> Floats:
    embedding = np.asarray(each.embedding, float).ravel()
    wrong = int((~np.isfinite(embedding)).sum())
    if wrong:
        raise ValueError(
            f"the embedding of {each.example.example_id}: {wrong} of its {embedding.size} numbers are not finite; "
            "compute it anew, or leave it empty"
        )
    return embedding


def _components(embeddings: Floats, known: Bools, right: Bools) -> Floats:
    found = np.zeros((len(embeddings), min(COMPONENTS, embeddings.shape[1])))
    if known.sum() <= 1:
        return found
    centred = embeddings[known] - embeddings[known].mean(axis=0)
    _, _, axes = np.linalg.svd(centred, full_matrices=False)
    along = centred @ axes[: found.shape[1]].T
    usual = along[right[known]] if (right & known).sum() >= ENOUGH else along
    found[known, : along.shape[1]] = along / max(float(usual.std(axis=0).max()), 1e-9)
    return found


def _far(embeddings: Floats, known: Bools, right: Bools) -> Floats:
    found = np.zeros(len(embeddings))
    if (known & right).sum() < ENOUGH:
        return found
    base = np.flatnonzero(known & right)
    base = base[np.linspace(0, len(base) - 1, min(len(base), MOST_RIGHT)).astype(int)]
    distances = _distances(embeddings, np.flatnonzero(known), base)
    low, middle, high = np.quantile(distances[right[known]], [0.25, 0.5, 0.75])
    found[known] = (distances - middle) / max((high - low) / QUARTILES, 1e-9)
    return found


def _distances(embeddings: Floats, rows: NDArray[np.intp], base: NDArray[np.intp]) -> Floats:
    """Each row's mean distance to those of the base that are nearest to it, itself left out."""
    parts = []
    for start in range(0, len(rows), BLOCK):
        some = rows[start : start + BLOCK]
        squares = _squares(embeddings[some], embeddings[base])
        squares[some[:, None] == base[None]] = np.inf
        nearest = np.partition(squares, NEAREST - 1, axis=1)[:, :NEAREST]
        parts.append(np.sqrt(nearest).mean(axis=1))
    return np.concatenate(parts)


def _squares(some: Floats, others: Floats) -> Floats:
    found = (some**2).sum(axis=1)[:, None] + (others**2).sum(axis=1) - 2 * some @ others.T
    return np.asarray(np.maximum(found, 0), float)


def _flags(words: Sequence[Sequence[str]]) -> Floats:
    """A column for each word of each dimension."""
    table = np.array(words, np.str_).reshape(len(words), -1)
    columns = [column == word for column in table.T for word in np.unique(column)]
    return np.array(columns, float).T.reshape(len(words), len(columns))
