"""How much of its accuracy the candidate keeps under corruptions of five severities, beside the champion's."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final

import cv2
import numpy as np
from numpy.typing import NDArray

from models.qualification.accuracy import share
from models.qualification.corruptions import CORRUPTIONS, SEVERITIES, corrupt, sheet
from models.qualification.figures import Curve, Figure, Measured, Sheet
from models.training.data import LabelledPicture
from models.verdicts import Classify

Right = NDArray[np.bool_]
"Corruptions × severities × pictures: whether each was classified rightly."

PICTURES: Final = 120
"Enough that the mean corruption error is known to a tenth; two models are done with them in a minute on two cores."

RESAMPLES: Final = 400
"Of the pictures, for the intervals; drawn with a fixed seed."
CHART: Final = "accuracy under corruption"

Progress = Callable[[int, int], None]
"Told how many of how many corruptions and severities are done."


def measure_robustness(
    candidate: Classify,
    pictures: Sequence[LabelledPicture],
    *,
    champion: Classify | None = None,
    threads: int = 2,
    seed: int = 0,
    progress: Progress = lambda _done, _total: None,
) -> tuple[Measured, Measured | None]:
    """Return the robustness part of the candidate, and of the champion on the same corrupted pictures.

    Takes all pictures given: `stratified` chooses them. Both classifiers are called from `threads` threads at once.
    Figures: `accuracy.clean`, `accuracy.corrupted` (mean over all corruptions and severities),
    `accuracy.<corruption>` (mean over severities), `accuracy.worst` (the worst corruption's), `kept` (corrupted over
    clean), `mean_corruption` (mCE relative to the champion, with a bootstrap interval; 1 is like the champion, less is
    better; None without one), `corruption.<corruption>` (the same of one corruption).
    Curves: chart `accuracy under corruption`, one for each corruption, x the severity, 0 clean.
    Raises ValueError where there are no pictures.
    """
    if not pictures:
        raise ValueError("no pictures to corrupt")
    models = [candidate] if champion is None else [candidate, champion]
    found = _all_right(models, pictures, threads, seed, progress)
    clean = [_right(model, pictures) for model in models]
    shown = Sheet("What each corruption does, at severities 1, 3 and 5", _encoded(pictures[0]))
    ours = _measured(clean[0], found[0], found[1] if champion else None, (shown,))
    return ours, _measured(clean[1], found[1], found[1], ()) if champion else None


def stratified(pictures: Sequence[LabelledPicture], n: int = PICTURES, seed: int = 0) -> list[LabelledPicture]:
    """Return at most n pictures: as many of each source and class, where there are so many; always the same ones."""
    groups = defaultdict(list)
    for number in np.random.Generator(np.random.PCG64(seed)).permutation(len(pictures)).tolist():
        groups[pictures[number].source, pictures[number].label].append(number)
    ranked = sorted((rank, key, number) for key, group in groups.items() for rank, number in enumerate(group))
    return [pictures[number] for number in sorted(number for _, _, number in ranked[:n])]


def mean_corruption(errors: NDArray[np.float64], baseline: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return each corruption's error relative to the baseline's, from counts of wrong pictures, corruptions × severities.

    CE of Hendrycks & Dietterich (2019): errors summed over severities before they are divided; mCE is the mean of it.
    Half an error is added on both sides, so that a baseline without errors divides too.
    """
    return np.asarray((errors.sum(axis=-1) + 0.5) / (baseline.sum(axis=-1) + 0.5))


def _all_right(
    models: Sequence[Classify], pictures: Sequence[LabelledPicture], threads: int, seed: int, progress: Progress
) -> list[Right]:
    grid = [(name, severity) for name in CORRUPTIONS for severity in SEVERITIES]
    with ThreadPoolExecutor(threads) as pool:
        cells = pool.map(lambda cell: _cell(models, pictures, cell[0], cell[1], seed), grid)
        rows = list(_counted(cells, len(grid), progress))
    shape = (len(CORRUPTIONS), len(SEVERITIES), len(pictures))
    return [np.array([row[number] for row in rows]).reshape(shape) for number in range(len(models))]


def _cell(
    models: Sequence[Classify], pictures: Sequence[LabelledPicture], corruption: str, severity: int, seed: int
) -> list[Right]:
    images = [corrupt(picture.image, corruption, severity, seed + k) for k, picture in enumerate(pictures)]
    truth = np.array([picture.label for picture in pictures])
    return [np.array(model(images).best) == truth for model in models]


def _counted(cells: Iterator[list[Right]], total: int, progress: Progress) -> Iterator[list[Right]]:
    for done, cell in enumerate(cells, 1):
        progress(done, total)
        yield cell


def _right(model: Classify, pictures: Sequence[LabelledPicture]) -> Right:
    said = model([picture.image for picture in pictures]).best
    return np.asarray(np.array(said) == np.array([picture.label for picture in pictures]))


def _encoded(picture: LabelledPicture) -> bytes:
    return cv2.imencode(".jpg", sheet(picture.image), [cv2.IMWRITE_JPEG_QUALITY, 80])[1].tobytes()


def _measured(clean: Right, right: Right, baseline: Right | None, sheets: tuple[Sheet, ...]) -> Measured:
    return Measured(
        "robustness",
        (*_accuracies(clean, right), *_relative(right, baseline)),
        curves=tuple(_curve(name, clean, row) for name, row in zip(CORRUPTIONS, right, strict=True)),
        sheets=sheets,
    )


def _accuracies(clean: Right, right: Right) -> Iterator[Figure]:
    each = [_over_pictures(f"accuracy.{name}", row[None]) for name, row in zip(CORRUPTIONS, right, strict=True)]
    all_of_them = _over_pictures("accuracy.corrupted", right)
    worst = min(each, key=lambda figure: figure.value or 0)
    yield share("accuracy.clean", clean)
    yield all_of_them
    yield Figure("accuracy.worst", worst.value, worst.low, worst.high, worst.n)
    yield Figure("kept", (all_of_them.value or 0) / float(clean.mean()) if clean.any() else None, n=len(clean))
    yield from each


def _over_pictures(name: str, right: Right) -> Figure:
    """Return the mean; its interval counts pictures, not answers: those of one picture hang together."""
    each = right.mean(axis=(0, 1))
    low, high = np.quantile(each[_resamples(len(each))].mean(axis=1), (0.025, 0.975))
    return Figure(name, float(each.mean()), float(low), float(high), len(each))


def _relative(right: Right, baseline: Right | None) -> Iterator[Figure]:
    if baseline is None:
        yield Figure("mean_corruption", None)
        return
    drawn = _resamples(right.shape[-1])
    counts = np.stack([np.bincount(row, minlength=right.shape[-1]) for row in drawn])
    resampled = mean_corruption(_drawn(~right, counts), _drawn(~baseline, counts))
    relative = mean_corruption((~right).sum(axis=-1).astype(float), (~baseline).sum(axis=-1).astype(float))
    yield _between("mean_corruption", relative.mean(), resampled.mean(axis=1), right.shape[-1])
    for number, name in enumerate(CORRUPTIONS):
        yield _between(f"corruption.{name}", relative[number], resampled[:, number], right.shape[-1])


def _drawn(wrong: Right, counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Return the errors of each resample: resamples × corruptions × severities."""
    return np.asarray(np.einsum("csn,rn->rcs", wrong.astype(float), counts.astype(float), optimize=True))


def _between(name: str, value: float, resampled: NDArray[np.float64], n: int) -> Figure:
    low, high = np.quantile(resampled, (0.025, 0.975))
    return Figure(name, float(value), float(low), float(high), n)


def _resamples(n: int) -> NDArray[np.int64]:
    return np.random.Generator(np.random.PCG64(1)).integers(0, n, (RESAMPLES, n))


def _curve(corruption: str, clean: Right, row: Right) -> Curve:
    points = ((0.0, float(clean.mean())), *((float(s), float(row[s - 1].mean())) for s in SEVERITIES))
    return Curve(CHART, corruption, "severity", "accuracy", points)
