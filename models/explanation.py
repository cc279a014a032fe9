"""What in a picture decided: parts of it are hidden, one after the other, and the model is asked again.

After Zeiler and Fergus (2014), section 4.2: where hiding a part takes from a class's odds, that part spoke for it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, product
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from models.preprocessing import Image
from models.verdicts import Classify

STEPS: Final = 14
"Places of the patch along each side: 196 pictures are classified, a second or less on one core."
PATCH: Final = 0.25
"""The patch's side as a part of the picture's. Of eighths to thirds, looked at on ten crops of real roads: eighths hid
too little to move a sure verdict, and the maps were speckled; thirds were warm all over the vehicle and the road."""
LARGEST: Final = 256
"Longer sides are reduced to this, pixels: models see no more, and 196 copies of a large picture would need gigabytes."
BATCH: Final = 32
"Pictures hidden and classified at a time."
SUREST: Final = 1e-6
"Probabilities are kept this far from 0 and 1, where float32 and the logarithm end."


@dataclass(frozen=True, slots=True)
class ClassMap:
    """Where a picture speaks for a class."""

    label: str
    "The class."
    probability: float
    "What the model gives it, nothing hidden."
    heat: NDArray[np.float32]
    """H×W of the picture: how much the class's log-odds fall when a patch hides this pixel, the mean over the patches
    that do, those that hide it in their middle with more weight; below 0 where hiding it makes the class more likely."""


@dataclass(frozen=True, slots=True)
class Explanation:
    """What decided in one picture."""

    image: Image
    "The picture, uint8 H×W×3 BGR, at most 256 pixels a side."
    probabilities: dict[str, float]
    "Of each class, nothing hidden."
    abstained: bool
    "Whether the model gives it no label: the map is of the most probable class all the same."
    maps: tuple[ClassMap, ...]
    "Of the most probable class; where there are more than two, of the next one besides: of two, it is the negative."
    overturned: float
    "The share of patches that make another class the most probable."
    classified: int
    "Pictures that it took."


class Colour(NamedTuple):
    """A colour, each part 0 to 255."""

    blue: int
    green: int
    red: int


INK: Final = Colour(40, 34, 31)
FAINT: Final = Colour(120, 112, 106)
PAPER: Final = Colour(255, 255, 255)
RULE: Final = Colour(226, 222, 218)
FOR: Final = Colour(43, 24, 178)
AGAINST: Final = Colour(172, 102, 33)
"ColorBrewer's RdBu: told apart by those who do not see red or green as well."
STRONGEST: Final = 0.8
"How much of the picture the strongest colour covers."
LEAST: Final = 0.1
"The strongest colour stands for no less, in log-odds: nothing shall not look like something."
HEIGHT: Final = 380
"Of each panel, pixels."
WIDEST: Final = 640
MARGIN: Final = 28
BAR: Final = 20
"Width of the colour bar, pixels."
LEGEND: Final = 190
"Width of what stands beside it, pixels."


class Patch(NamedTuple):
    """A part of a picture."""

    rows: slice
    columns: slice


def occlusion_map(classify: Classify, image: Image, *, steps: int = STEPS, patch: float = PATCH) -> Explanation:
    """Hide a picture's parts, uint8 H×W×3 BGR, and return what that does to the verdict.

    A patch of a quarter of each side moves in even steps. It is filled with the picture's mean colour: blurring what is
    there instead moved verdicts less, and leaves a model that looks at colour unmoved.
    """
    shown = _reduced(image)
    said = classify([shown])
    places = list(_patches(shown.shape[0], shown.shape[1], steps, patch))
    hidden = _classified(classify, shown, places)
    odds, base = _log_odds(hidden), _log_odds(said.probabilities)[0]
    ranked = (-said.probabilities[0]).argsort(kind="stable")[: 1 if len(said.classes) == 2 else 2]
    return Explanation(
        image=shown,
        probabilities=dict(zip(said.classes, said.probabilities[0].tolist(), strict=True)),
        abstained=said.labels[0] is None,
        maps=tuple(
            ClassMap(
                said.classes[k],
                float(said.probabilities[0, k]),
                _spread(base[k] - odds[:, k], places, (shown.shape[0], shown.shape[1])),
            )
            for k in ranked
        ),
        overturned=float((hidden.argmax(axis=1) != ranked[0]).mean()),
        classified=1 + len(places),
    )


def drawn(explanation: Explanation, about: Sequence[str] = ()) -> Image:
    """Return it as one picture to look at, uint8 H×W×3 BGR: crop, map and legend, verdict and probabilities.

    `about` are lines for its head, such as the version and the frame's id.
    """
    panels = [_titled("the picture", _panel(explanation.image))]
    scale = max(LEAST, *(float(np.abs(one.heat).max()) for one in explanation.maps))
    panels += [
        _titled(f"what speaks for {one.label}", _heated(explanation.image, one, scale)) for one in explanation.maps
    ]
    row = _beside([*panels, _legend(scale)])
    width = max(row.shape[1], 760)
    parts = (_head(explanation, about, width), row, _bars(explanation, width), _foot(explanation, width))
    return _framed(np.concatenate([_widened(part, width) for part in parts]))


def _reduced(image: Image) -> Image:
    scale = LARGEST / max(image.shape[:2])
    if scale >= 1:
        return image
    height, width = (max(1, round(side * scale)) for side in image.shape[:2])
    return np.asarray(cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA), np.uint8)


def _patches(height: int, width: int, steps: int, patch: float) -> Iterator[Patch]:
    """Patches around the middles of steps × steps equal fields, cut off at the picture's edges."""
    rows, columns = (list(_reaches(side, steps, patch)) for side in (height, width))
    yield from (Patch(row, column) for row, column in product(rows, columns))


def _reaches(side: int, steps: int, patch: float) -> Iterator[slice]:
    for middle in (np.arange(steps) + 0.5) * side / steps:
        first = min(max(0, round(middle - patch * side / 2)), side - 1)
        yield slice(first, max(first + 1, min(side, round(middle + patch * side / 2))))


def _classified(classify: Classify, image: Image, places: Sequence[Patch]) -> NDArray[np.float32]:
    filling, waiting = image.reshape(-1, 3).mean(axis=0).round().astype(np.uint8), iter(places)
    found = []
    while batch := list(islice(waiting, BATCH)):
        found.append(classify([_hidden(image, place, filling) for place in batch]).probabilities)
    return np.concatenate(found)


def _hidden(image: Image, place: Patch, filling: Image) -> Image:
    copy = image.copy()
    copy[place.rows, place.columns] = filling
    return copy


def _log_odds(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    sane = np.clip(probabilities.astype(np.float64), SUREST, 1 - SUREST)
    return np.asarray(np.log(sane / (1 - sane)))


def _spread(drops: NDArray[np.float64], places: Sequence[Patch], shape: tuple[int, int]) -> NDArray[np.float32]:
    """Give each pixel the mean drop of the patches that hid it."""
    total, weights = np.zeros(shape), np.zeros(shape)
    for drop, place in zip(drops, places, strict=True):
        weight = np.outer(_bell(place.rows), _bell(place.columns))
        total[place.rows, place.columns] += drop * weight
        weights[place.rows, place.columns] += weight
    return (total / np.maximum(weights, SUREST)).astype(np.float32)


def _bell(reach: slice) -> NDArray[np.float64]:
    """Weights along a patch's side: 1 in its middle, near 0 at its ends."""
    return np.hanning(reach.stop - reach.start + 2)[1:-1]


def _head(explanation: Explanation, about: Sequence[str], width: int) -> Image:
    page = _paper(52 + 24 * len(about) + 14, width)
    label, probability = explanation.maps[0].label, explanation.maps[0].probability
    title = f"no label, most like {label}" if explanation.abstained else label
    after = _write(page, title, (0, 32), 32, weight=700)
    _write(page, _percent(probability, 1), (after + 14, 32), 32, FAINT)
    for number, line in enumerate(about):
        _write(page, line, (0, 62 + 24 * number), 17, FAINT)
    return page


def _heated(image: Image, one: ClassMap, scale: float) -> Image:
    """The picture in grey, red where it speaks for the class and blue where against."""
    grey = cv2.cvtColor(cv2.cvtColor(_panel(image), cv2.COLOR_BGR2GRAY), cv2.COLOR_GRAY2BGR)
    strength = cv2.resize(one.heat, (grey.shape[1], grey.shape[0]), interpolation=cv2.INTER_CUBIC)
    return coloured(np.asarray(grey, np.uint8), np.asarray(strength / scale, np.float32))


def coloured(grey: Image, strength: NDArray[np.float32]) -> Image:
    """Return grey, uint8 H×W×3 BGR, under red where `strength`, H×W, is above 0 and blue where below; 1 covers most."""
    cover = STRONGEST * np.minimum(np.abs(strength), 1)[..., None]
    colour = np.where(strength[..., None] > 0, np.array(FOR), np.array(AGAINST))
    return np.asarray(grey * (1 - cover) + colour * cover, np.uint8)


def _legend(scale: float) -> Image:
    page = _paper(HEIGHT + 30, BAR + LEGEND)
    ramp = np.repeat(np.linspace(1, -1, HEIGHT, dtype=np.float32)[:, None], BAR, axis=1)
    page[30:, :BAR] = coloured(np.full((HEIGHT, BAR, 3), 235, np.uint8), ramp)
    lines = (
        (44, f"+{scale:.1f}", "hiding it makes", "the class less likely"),
        (30 + HEIGHT // 2, "0", "makes no difference", ""),
        (HEIGHT - 18, f"\u2212{scale:.1f}", "hiding it makes", "the class more likely"),
    )
    for top, number, *words in lines:
        _write(page, number, (BAR + 10, top), 17, weight=600)
        for row, text in enumerate(words, 1):
            _write(page, text, (BAR + 10, top + 20 * row), 15, FAINT)
    return page


def _bars(explanation: Explanation, width: int) -> Image:
    """The most probable classes, at most five, each with a bar."""
    ranked = sorted(explanation.probabilities.items(), key=lambda item: -item[1])[:5]
    page, left = _paper(30 + 30 * len(ranked), width), 40 + 10 * max(len(label) for label, _ in ranked)
    for number, (label, probability) in enumerate(ranked):
        top = 20 + 30 * number
        _write(page, label, (0, top + 15), 17)
        page[top : top + 18, left : left + 300] = RULE
        page[top : top + 18, left : left + round(300 * probability)] = INK
        _write(page, _percent(probability, 1), (left + 314, top + 15), 17)
    return page


def _foot(explanation: Explanation, width: int) -> Image:
    page = _paper(66, width)
    best, places = explanation.maps[0].label, explanation.classified - 1
    share = _percent(explanation.overturned, 0)
    _write(page, f"Hiding one patch makes it something else than {best} at {share} of {places} places.", (0, 28), 16)
    _write(
        page, "Colours: the log-odds lost when a patch of a quarter of each side hides the spot.", (0, 52), 16, FAINT
    )
    return page


def _percent(share: float, digits: int) -> str:
    return f"{100 * share:.{digits}f} %"


def _panel(image: Image) -> Image:
    scale = min(HEIGHT / image.shape[0], WIDEST / image.shape[1])
    size = max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale))
    return np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_CUBIC), np.uint8)


def _titled(title: str, panel: Image) -> Image:
    page = _paper(30 + HEIGHT, max(panel.shape[1], 200))
    _write(page, title, (0, 18), 16, FAINT)
    page[30 : 30 + panel.shape[0], : panel.shape[1]] = panel
    return page


def _beside(parts: Sequence[Image]) -> Image:
    gap = _paper(parts[0].shape[0], 20)
    spaced = [piece for part in parts for piece in (part, gap)][:-1]
    return np.concatenate(spaced, axis=1)


def _widened(part: Image, width: int) -> Image:
    return np.concatenate([part, _paper(part.shape[0], width - part.shape[1])], axis=1)


def _framed(page: Image) -> Image:
    return np.pad(page, ((MARGIN, MARGIN - 8), (MARGIN, MARGIN), (0, 0)), constant_values=PAPER.red)


def _paper(height: int, width: int) -> Image:
    return np.full((height, width, 3), PAPER, np.uint8)


def _write(page: Image, text: str, at: tuple[int, int], size: int, colour: Colour = INK, weight: int = 400) -> int:
    """Write on the page and return where the text ends."""
    end, _ = cv2.putText(page, text, at, colour, cv2.FontFace("sans"), size, weight)
    return int(end[0])
