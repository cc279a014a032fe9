"""The parts that need the stack's predictions alone: accuracy, errors, consistency; and robustness, which needs none."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from models.bundle import Bundle
from models.preprocessing import Image
from models.qualification.accuracy import measure_accuracy
from models.qualification.cases import ErrorCase, error_cases
from models.qualification.consistency import agreement, measure_consistency
from models.qualification.errors import measure_errors
from models.qualification.figures import Fault, Measured, Outcome
from models.qualification.robustness import measure_robustness, stratified
from models.training.data import LabelledPicture
from models.verdicts import Classify, Verdicts
from processors.classifier import Classifier
from processors.pictures import examine
from producers.framing import jpeg
from roadwatch.ledger import read_ledger
from roadwatch.qualification.answers import join, ledger_faults, predictions_of, verdicts_of, version_faults
from roadwatch.qualification.bench import Bench, Tested
from roadwatch.qualification.held_out import JPEG_QUALITY, frames_of, hard_frame
from roadwatch.qualification.stack import Arrival, Line
from roadwatch.qualification.worker import WorkerError
from schemas.records import Frame

HERE = 64
"Pictures at once in this process."
ERRORS_PATIENCE_S = 20.0
"How long a hard picture may take; it is one among few."


def try_accuracy(bench: Bench, tested: Tested) -> Measured:
    """Send every held-out picture through the stack, and compare what is said with what is true."""
    pictures = bench.held_out.pictures
    frames = list(frames_of(pictures, "accuracy"))
    with bench.stack.line(tested.folder) as line:
        arrivals = line.through(frames, done=lambda n: bench.progress("accuracy", n, len(frames)))
        ledger = read_ledger(line.kafka)
    joined = join(pictures, frames, arrivals)
    faults = (*ledger_faults(ledger), *version_faults(joined.predictions, tested.bundle))
    if not joined.pictures:
        return Measured("accuracy", (), (*faults, Fault("no held-out frame came back as a prediction")))
    measured = measure_accuracy(joined.pictures, verdicts_of(joined.predictions, tested.bundle), joined.unanswered)
    return replace(measured, faults=(*measured.faults, *faults))


def accuracy_here(bench: Bench, tested: Tested) -> Measured:
    """Ask the model in this process, of pictures encoded and decoded as on the way through the stack."""
    pictures = bench.held_out.pictures
    said = [tested.classifier.classify(_as_sent(pictures[at : at + HERE])) for at in range(0, len(pictures), HERE)]
    return measure_accuracy(pictures, _together(said))


def _as_sent(pictures: Sequence[LabelledPicture]) -> list[Image]:
    return [examine(jpeg(picture.image, JPEG_QUALITY))[0] for picture in pictures]


def _together(said: Sequence[Verdicts]) -> Verdicts:
    familiar = [part.familiar for part in said if part.familiar is not None]
    return Verdicts(
        said[0].classes,
        np.concatenate([part.probabilities for part in said]),
        np.concatenate([part.embedding for part in said]),
        np.concatenate(familiar) if familiar else None,
    )


def try_errors(bench: Bench, tested: Tested) -> Measured:
    """Send pictures that are hard to take among good ones, and see what becomes of each."""
    cases = error_cases(bench.held_out.pictures[0].image)
    try:
        measured = _all_at_once(bench, tested, cases)
    except WorkerError:
        measured = None  # one of them ended it; which one shows when each is sent alone
    return measured or measure_errors(cases, _each_alone(bench, tested, cases))


def _all_at_once(bench: Bench, tested: Tested, cases: Sequence[ErrorCase]) -> Measured:
    good = list(frames_of(bench.held_out.pictures[: len(cases) + 1], "good"))
    hard = [hard_frame(case, number) for number, case in enumerate(cases)]
    with bench.stack.line(tested.folder) as line:
        arrivals = line.through(_among(hard, good), patience_s=ERRORS_PATIENCE_S)
    bench.progress("errors", len(cases), len(cases))
    measured = measure_errors(cases, _outcomes(cases, hard, arrivals))
    lost = {frame.frame_id for frame in good} - predictions_of(arrivals).keys()
    if not lost:
        return measured
    among = Fault(f"{len(lost)} of {len(good)} good pictures among the hard ones came back as no prediction")
    return replace(measured, faults=(*measured.faults, among))


def _among(hard: Sequence[Frame], good: Sequence[Frame]) -> list[Frame]:
    """Alternate, and end with good ones: the processor must live on."""
    mixed = [frame for pair in zip(hard, good, strict=False) for frame in pair]
    return [*mixed, *hard[len(good) :], *good[len(hard) :]]


def _outcomes(cases: Sequence[ErrorCase], hard: Sequence[Frame], arrivals: Sequence[Arrival]) -> dict[str, Outcome]:
    became: Mapping[str, Outcome] = {
        arrival.frame_id: "dead_letter" if arrival.prediction is None else "predicted" for arrival in arrivals
    }
    return {case.name: became.get(frame.frame_id, "lost") for case, frame in zip(cases, hard, strict=True)}


def _each_alone(bench: Bench, tested: Tested, cases: Sequence[ErrorCase]) -> dict[str, Outcome]:
    """Outcomes of cases sent one by one, with a fresh processor after each that ended it."""
    outcomes: dict[str, Outcome] = {}
    while left := [case for case in cases if case.name not in outcomes]:
        with bench.stack.line(tested.folder) as line:
            outcomes |= _until_it_ends(line, left)
        bench.progress("errors", len(outcomes), len(cases))
    return outcomes


def _until_it_ends(line: Line, cases: Sequence[ErrorCase]) -> dict[str, Outcome]:
    outcomes: dict[str, Outcome] = {}
    for number, case in enumerate(cases):
        frame = hard_frame(case, number)
        try:
            arrivals = line.through([frame], patience_s=ERRORS_PATIENCE_S)
        except WorkerError:
            return outcomes | {case.name: "crashed"}
        outcomes |= _outcomes([case], [frame], arrivals)
    return outcomes


def try_consistency(bench: Bench, tested: Tested) -> Measured:
    """Send the same frames in two bursts and once one by one; the rest is asked of the model in this process."""
    pictures = stratified(bench.held_out.pictures, bench.sizes.repeated)
    rounds = [list(frames_of(pictures, epoch)) for epoch in ("first", "second", "alone")]
    with bench.stack.line(tested.folder) as line:
        first, second = (verdicts_through(line, frames, tested.bundle) for frames in rounds[:2])
        alone = verdicts_through(line, rounds[2], tested.bundle, window=1)
    bench.progress("consistency", 1, 2)
    measured = measure_consistency(
        tested.classifier.classify,
        stratified(bench.held_out.pictures, bench.sizes.changed),
        reference=_in_full_precision(tested.bundle),
        runs=(first, second),
        threads=bench.threads,
    )
    bench.progress("consistency", 2, 2)
    return replace(measured, figures=(*measured.figures, agreement("one_by_one", first, alone)))


def verdicts_through(line: Line, frames: Sequence[Frame], bundle: Bundle, window: int = 64) -> Verdicts:
    """What the stack says of frames, in their order; raises WorkerError where it does not answer them all."""
    said = predictions_of(line.through(frames, window=window))
    missing = sum(frame.frame_id not in said for frame in frames)
    if missing:
        raise WorkerError(f"{missing} of {len(frames)} frames came back as no prediction")
    return verdicts_of([said[frame.frame_id] for frame in frames], bundle)


def _in_full_precision(bundle: Bundle) -> Classify | None:
    if bundle.reference is None:
        return None
    return Classifier.load(replace(bundle, model=bundle.reference, reference=None, expected=None)).classify


def try_robustness(bench: Bench, tested: Tested, champion: Tested | None) -> tuple[Measured, Measured | None]:
    """Corrupt a stratified sample in every way, and ask the models in this process."""
    pictures = bench.held_out.to_corrupt(bench.sizes.corrupted)
    return measure_robustness(
        tested.classifier.classify,
        pictures,
        champion=champion.classifier.classify if champion else None,
        threads=bench.threads,
        progress=lambda done, total: bench.progress("robustness", done, total),
    )
