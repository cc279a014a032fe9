"""Whether the candidate says the same of the same vehicle: twice, alone, quantised, shifted, re-encoded, mirrored."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.evaluation import Z_95
from models.preprocessing import Image
from models.qualification.accuracy import share
from models.qualification.figures import Fault, Figure, Measured
from models.training.data import LabelledPicture
from models.verdicts import Classify, Verdicts

Change = Callable[[Image, int], Image]
"Takes a picture and its number."

DIRECTIONS: Final = ((1, 1), (1, -1), (-1, 1), (-1, -1))
"Of shifts, across and down: a picture after the other."

SURE: Final = 1e-6
"Probabilities are taken as this far from 0 and 1, at least: log-odds stay finite."


def measure_consistency(
    classify: Classify,
    pictures: Sequence[LabelledPicture],
    *,
    reference: Classify | None = None,
    runs: tuple[Verdicts, Verdicts] | None = None,
    threads: int = 2,
) -> Measured:
    """Return the consistency part; a few hundred pictures are enough, each is classified eleven or twelve times.

    `reference` is the same model in full precision (`Bundle.reference`), where there is one. `runs` are the verdicts of
    the same frames sent through the application twice, in the same order; None: not sent. `classify` and `reference`
    are called from `threads` threads at once.

    Figures, shares that agree with 95 % intervals (Wilson): `twice` (in one process, bitwise), `runs` (through the
    application; only with `runs`), `alone` (batch against single), `full_precision` (only with `reference`),
    `shift.<2|4>`, `jpeg.<90|75|50>`, `flip`; `largest_difference.<runs|alone|full_precision>` in probability;
    `colour_order` (log-odds that the truth gains by the colour order given, with an interval).
    Faults: two runs in one process that are not bitwise the same; a colour order that does better when it is swapped.
    Raises ValueError where there are no pictures.
    """
    if not pictures:
        raise ValueError("no pictures to be consistent about")
    images = [picture.image for picture in pictures]
    first = classify(images)
    with ThreadPoolExecutor(threads) as pool:
        again, alone = pool.submit(classify, images), pool.submit(_one_by_one, classify, images)
        full = pool.submit(reference, images) if reference else None
        said = list(pool.map(lambda change: _under(change, classify, images), CHANGES.values()))
    changed = dict(zip(CHANGES, said, strict=True))
    twice = _bitwise(first, again.result())
    order = colour_order(first, changed.pop("swapped"), [picture.label for picture in pictures])
    figures = (
        twice,
        *(_pair("runs", *runs) if runs else ()),
        *_pair("alone", first, alone.result()),
        *(_pair("full_precision", first, full.result()) if full else ()),
        *(agreement(name, first, verdicts) for name, verdicts in changed.items()),
        order,
    )
    return Measured("consistency", figures, faults=(*_not_repeated(twice), *_wrong_order(order)))


def agreement(name: str, first: Verdicts, second: Verdicts) -> Figure:
    """Return the share of pictures given the same class; raises ValueError where they are not as many."""
    if len(first) != len(second):
        raise ValueError(f"{name}: {len(first)} verdicts against {len(second)}")
    return share(name, np.array(first.best) == np.array(second.best))


def largest_difference(name: str, first: Verdicts, second: Verdicts) -> Figure:
    """Return the largest difference between two probabilities of the same class and picture."""
    differences = np.abs(first.probabilities.astype(np.float64) - second.probabilities)
    return Figure(name, float(differences.max()), n=len(first))


def colour_order(given: Verdicts, swapped: Verdicts, truth: Sequence[str]) -> Figure:
    """Return by how much the truth gains in log-odds, on average, by the colours as given over blue and red swapped.

    Paired by picture, with a 95 % interval. A model wired for the other order does better on swapped pictures: its
    accuracy hardly shows it (0.6 points on the road test pictures), its log-odds do (14 standard errors on 841).
    """
    gains = _log_odds(given, truth) - _log_odds(swapped, truth)
    reach = Z_95 * float(gains.std()) / len(gains) ** 0.5
    return Figure(
        "colour_order", float(gains.mean()), float(gains.mean()) - reach, float(gains.mean()) + reach, len(gains)
    )


def _under(change: Change, classify: Classify, images: Sequence[Image]) -> Verdicts:
    return classify([change(image, number) for number, image in enumerate(images)])


def _one_by_one(classify: Classify, images: Sequence[Image]) -> Verdicts:
    each = [classify([image]) for image in images]
    probabilities = np.concatenate([verdicts.probabilities for verdicts in each])
    return Verdicts(each[0].classes, probabilities, np.empty((len(each), 0), np.float32))


def _bitwise(first: Verdicts, again: Verdicts) -> Figure:
    return share("twice", (first.probabilities == again.probabilities).all(axis=1))


def _pair(name: str, first: Verdicts, second: Verdicts) -> tuple[Figure, Figure]:
    return agreement(name, first, second), largest_difference(f"largest_difference.{name}", first, second)


def _log_odds(verdicts: Verdicts, truth: Sequence[str]) -> NDArray[np.float64]:
    known = [verdicts.classes.index(label) for label in truth]
    chosen = verdicts.probabilities[np.arange(len(known)), known].astype(np.float64)
    clipped = np.clip(chosen, SURE, 1 - SURE)
    return np.asarray(np.log(clipped) - np.log1p(-clipped))


def _not_repeated(twice: Figure) -> Iterator[Fault]:
    if twice.value != 1:
        yield Fault("the same pictures, classified twice in one process, were given other probabilities")


def _wrong_order(order: Figure) -> Iterator[Fault]:
    if order.high is not None and order.high < 0:
        yield Fault(
            "the model does better when blue and red are swapped: it is wired for the other colour order"
            " (pictures come as BGR)"
        )


def _shift(percent: int) -> Change:
    """Move the crop by a share of its sides, as a detector that frames the vehicle a little otherwise."""

    def shifted(image: Image, number: int) -> Image:
        height, width = image.shape[:2]
        across, down = DIRECTIONS[number % len(DIRECTIONS)]
        move = np.array([[1, 0, across * width * percent / 100], [0, 1, down * height * percent / 100]], np.float32)
        return np.asarray(cv2.warpAffine(image, move, (width, height), borderMode=cv2.BORDER_REFLECT_101), np.uint8)

    return shifted


def _encode(quality: int) -> Change:
    def encoded(image: Image, _number: int) -> Image:
        raw = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
        return np.asarray(cv2.imdecode(raw, cv2.IMREAD_COLOR), np.uint8)

    return encoded


CHANGES: Final[Mapping[str, Change]] = {
    "shift.2": _shift(2),
    "shift.4": _shift(4),
    "jpeg.90": _encode(90),
    "jpeg.75": _encode(75),
    "jpeg.50": _encode(50),
    "flip": lambda image, _number: np.ascontiguousarray(image[:, ::-1]),
    "swapped": lambda image, _number: np.ascontiguousarray(image[..., ::-1]),
}
"What does not change what a vehicle is; and, of another use, blue and red swapped."
