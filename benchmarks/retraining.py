"""What labels of a camera never seen bring, and whether a bad retraining gets through: `python -m benchmarks.retraining DATA`.

DATA has train.zip and test.zip. For each of two sources a head on the frozen pretrained network is made without it (kept
in roadwatch-data/benchmarks), and retrained on 25, 50 and 100 of its labels drawn at random: as on a new installation,
which has simulated pictures to hold on to alone, and with 300 old pictures of the other sources. Then 100 labels are
right, half of them flipped, or all of them, and each check says what it would do by itself: vehicles held out, old
vehicles, the accuracy part of a qualification, and the comparison in shadow. A quarter of an hour on two cores.
"""

import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.table import Table

from benchmarks.options import crops_folder, parser_of
from models.bundle import BUNDLED, Bundle, load_bundle, save_bundle, version_of
from models.comparison import Comparison, Outcome, evidence, folded
from models.preprocessing import Preprocessing
from models.qualification.accuracy import measure_accuracy
from models.qualification.figures import Measurements, Subject
from models.qualification.judgement import judge
from models.qualification.thresholds import load_thresholds
from models.retraining.dataset import Old, Vehicle, lesson, split
from models.retraining.forgetting import Tried, forgetting
from models.retraining.heads import read_head
from models.retraining.judging import Findings, Said, findings
from models.retraining.retrain import RetrainingSettings, retrain
from models.retraining.trying import shown_picture
from models.training.backbone import EMBEDDING, build_model, set_head
from models.training.backbone import folded as folded_network
from models.training.data import LabelledPicture, read_pictures
from models.training.features import run_graph, silent
from models.training.gather import picture_weights
from models.training.head import Head, blank_head, fit_head
from models.training.quantize import quantized
from models.training.recipe import ARCHITECTURE
from models.training.weights import read_weights
from models.verdicts import Verdicts
from roadwatch.commands.models.training import TEST_SEED, TRAINING_SEED, simulator_pictures

LABELS: Final = ("car", "truck")
LEFT_OUT: Final = ("junction", "tollroad")
COUNTS: Final = (25, 50, 100)
DRAWS: Final = 10
BAD_DRAWS: Final = 10
"For each source: 20 of each kind."
OLD: Final = 300
SIMULATED, SIMULATED_TRAINED, SIMULATED_TRIED = 100, 1500, 200
SIZE: Final = 160
INVERSE_PENALTY: Final = 0.003
"As `fit` begins with."
EXTRA_SHARE: Final = 0.1
FOLDER: Final = Path("roadwatch-data/benchmarks/retraining")
START: Final = datetime(2026, 11, 1, tzinfo=UTC)
CREATED: Final = date(2026, 11, 1)
FLIPPED: Final = {"right": 0.0, "half flipped": 0.5, "all flipped": 1.0}
CHECKS: Final = ("held out", "old ones", "qualification", "shadow")


@dataclass(frozen=True, slots=True)
class World:
    """A model that has not seen a source, and pictures to teach it and to try it on."""

    left_out: str
    "The source."
    parent: Bundle
    "Trained on the others."
    new: tuple[LabelledPicture, ...]
    "Of the source, from train.zip, in their order."
    old: tuple[LabelledPicture, ...]
    "Of the others."
    simulated: tuple[LabelledPicture, ...]
    "To replay."
    tested: tuple[LabelledPicture, ...]
    "test.zip, then simulated ones."
    embedding: NDArray[np.float64]
    "What the network says of those: a new head changes nothing about it."

    @property
    def is_new(self) -> NDArray[np.bool_]:
        """Which of the tested ones are of the source."""
        return np.array([picture.source == self.left_out for picture in self.tested])

    @property
    def is_real(self) -> NDArray[np.bool_]:
        """Which of them are not simulated."""
        return np.array([picture.source != "simulator" for picture in self.tested])

    def said(self, bundle: Bundle) -> NDArray[np.float64]:
        """Return the probabilities that a bundle's head gives the tested ones, N×K."""
        return np.asarray(read_head(bundle).probabilities(self.embedding), np.float64)

    def right(self, bundle: Bundle) -> NDArray[np.bool_]:
        """Return which of the tested ones a bundle tells rightly."""
        truth = np.array([LABELS.index(picture.label) for picture in self.tested])
        return np.asarray(self.said(bundle).argmax(axis=1) == truth)


@dataclass(frozen=True, slots=True)
class Run:
    """One retraining."""

    bundle: Bundle
    "What came of it."
    found: Findings
    "What the retraining itself says of it."


def main() -> None:
    """Measure both, and print tables."""
    parser = parser_of("retraining", __doc__)
    parser.add_argument("data", type=crops_folder, help="a folder with train.zip and test.zip")
    given, console = parser.parse_args(), Console(width=None if sys.stdout.isatty() else 160)
    worlds = [world(left_out, given.data) for left_out in LEFT_OUT]
    console.print(gains_table(row for each in worlds for row in gains(each)))
    console.print(refusals_table(worlds))


def world(left_out: str, data: Path) -> World:
    """Return what is there without a source; its parent is trained where it is not kept."""
    train, test = (tuple(read_pictures(data / name)) for name in ("train.zip", "test.zip"))
    old = tuple(picture for picture in train if picture.source != left_out)
    parent = _parent(left_out, old)
    tested = (*test, *simulator_pictures(TEST_SEED, SIMULATED_TRIED))
    outputs = run_graph(parent.model, [picture.image for picture in tested], parent.preprocessing, silent, "test")
    return World(
        left_out=left_out,
        parent=parent,
        new=tuple(picture for picture in train if picture.source == left_out),
        old=old,
        simulated=tuple(simulator_pictures(TRAINING_SEED, SIMULATED)),
        tested=tested,
        embedding=outputs.embedding.astype(np.float64),
    )


def _parent(left_out: str, pictures: Sequence[LabelledPicture]) -> Bundle:
    folder = FOLDER / f"without-{left_out}"
    if not folder.exists():
        save_bundle(_trained(left_out, pictures), folder)
    return load_bundle(folder)


def _trained(left_out: str, real: Sequence[LabelledPicture]) -> Bundle:
    """Fit a head to the frozen network's features, in int8 as what ships; what it knows of familiarity is nothing."""
    extra = list(simulator_pictures(TRAINING_SEED, SIMULATED_TRAINED))
    everything, wanted = [*real, *extra], Preprocessing(SIZE, "stretch")
    blank = build_model(folded_network(read_weights()), SIZE, blank_head(LABELS, EMBEDDING))
    model = quantized(blank.SerializeToString(), [picture.image for picture in real], wanted, seed=1)
    features = run_graph(model, [picture.image for picture in everything], wanted, silent, "features").embedding
    weights = picture_weights(
        [picture.source for picture in everything], np.arange(len(everything)) >= len(real), EXTRA_SHARE
    )
    truth = np.array([LABELS.index(picture.label) for picture in everything])
    head = fit_head(features.astype(np.float64), truth, LABELS, weights, INVERSE_PENALTY)
    return _bundle(left_out, _with_head(model, head), wanted)


def _with_head(model: bytes, head: Head) -> bytes:
    import onnx

    graph = onnx.load_from_string(model)
    set_head(graph, head)
    return bytes(graph.SerializeToString(deterministic=True))


def _bundle(left_out: str, model: bytes, wanted: Preprocessing) -> Bundle:
    shipped = load_bundle(BUNDLED)
    version = version_of(f"without-{left_out}", CREATED, model, LABELS, wanted)
    card = replace(shipped.card, version=version, architecture=f"{ARCHITECTURE} Frozen, and without {left_out}.")
    return replace(
        shipped,
        version=version,
        model=model,
        preprocessing=wanted,
        card=card,
        reference=None,
        expected=None,
        abstain_below=None,
    )


def retrained(where: World, count: int, draw: int, old: int, flipped: float = 0.0) -> Run:
    """Retrain on labels drawn at random, some of them flipped, as the command does."""
    rng = np.random.default_rng([draw, count])
    chosen = sorted(rng.choice(len(where.new), count, replace=False).tolist())
    wrong = set(rng.permutation(chosen)[: round(flipped * count)].tolist())
    vehicles = [_vehicle(where.new[number], number, number in wrong) for number in chosen]
    replayed = tuple(where.old[number] for number in rng.choice(len(where.old), old, replace=False).tolist())
    parts = split(vehicles)
    taught = lesson(parts, Old(base=replayed, simulated=where.simulated))
    settings = RetrainingSettings(CREATED, "benchmark", replay_share=taught.replay_share)
    made = retrain(where.parent, taught.pictures, settings, silent, replay=taught.replay, ties=taught.ties)
    held_out = _said(where.parent, made.bundle, parts.held_out)
    said = Said(made.told.truth, made.told.before, made.told.after).and_of(held_out)
    losses = (made.log_loss_before, made.log_loss_after)
    return Run(made.bundle, findings(said, len(parts.held_out), losses, forgetting(_tried(where, made.bundle)), 2))


def _vehicle(picture: LabelledPicture, number: int, wrong: bool) -> Vehicle:
    """A picture as a vehicle that passed in its turn, two minutes after the one before it."""
    at = START + number * timedelta(minutes=2)
    label = LABELS[1 - LABELS.index(picture.label)] if wrong else picture.label
    shown = (replace(picture, label=label),)
    return Vehicle(f"{picture.source}:e:{number}", label, picture.source, at.date().isoformat(), at, {}, shown)


def _said(before: Bundle, after: Bundle, vehicles: Sequence[Vehicle]) -> Said:
    if not vehicles:
        return Said((), (), ())
    images = [vehicle.pictures[0].image for vehicle in vehicles]
    embedding = run_graph(before.model, images, before.preprocessing, silent, "held out").embedding
    best = [
        tuple(LABELS[best] for best in read_head(bundle).probabilities(embedding.astype(np.float64)).argmax(axis=1))
        for bundle in (before, after)
    ]
    return Said(tuple(vehicle.label for vehicle in vehicles), *best)


def _tried(where: World, bundle: Bundle) -> list[Tried]:
    """The other sources' test pictures, and simulated ones."""
    answers = zip(where.tested, where.right(where.parent), where.right(bundle), strict=True)
    return [
        Tried(shown_picture(picture).slices, bool(before), bool(after))
        for picture, before, after in answers
        if picture.source != where.left_out
    ]


@dataclass(frozen=True, slots=True)
class Gain:
    """What so many labels brought, an entry for each draw."""

    where: World
    "The source and its parent."
    count: int
    "Labels."
    old: int
    "Old pictures mixed in, besides simulated ones."
    new: NDArray[np.float64]
    "Accuracy on the source."
    others: NDArray[np.float64]
    "On the other real ones."
    simulated: NDArray[np.float64]
    "On simulated ones."
    refused: Counter[str]
    "By which check, though the labels are right."


def gains(where: World) -> Iterator[Gain]:
    """Retrain on more and more labels, with and without old pictures."""
    for old in (0, OLD):
        for count in COUNTS:
            runs = [retrained(where, count, draw, old) for draw in range(DRAWS)]
            new, others, simulated = np.array([_scores(where, run.bundle) for run in runs]).T
            refused = Counter(check for run in runs for check in CHECKS if not _passes(check, where, run))
            yield Gain(where, count, old, new, others, simulated, refused)


def _scores(where: World, bundle: Bundle) -> tuple[float, float, float]:
    right, new, real = where.right(bundle), where.is_new, where.is_real
    return float(right[new].mean()), float(right[~new & real].mean()), float(right[~real].mean())


def _passes(check: str, where: World, run: Run) -> bool:
    """Whether a check would let a retraining pass, were it the only one."""
    if check == "held out":
        return not replace(run.found, changes=()).refusals
    if check == "old ones":
        return not any(change.forgotten for change in run.found.changes)
    return _qualifies(where, run.bundle) if check == "qualification" else _wins(where, run.bundle)


def _qualifies(where: World, bundle: Bundle) -> bool:
    """Judge the accuracy part by the table that ships, on the real test pictures."""
    real = where.is_real
    pictures = [picture for picture, is_real in zip(where.tested, real, strict=True) if is_real]

    def measured(of: Bundle) -> Measurements:
        said = where.said(of)[real].astype(np.float32)
        part = measure_accuracy(pictures, Verdicts(LABELS, said, np.empty((len(said), 0), np.float32)))
        return Measurements(_subject(where, bundle), (part,))

    both = replace(measured(bundle), champion=measured(where.parent).candidate)
    return next(part.approved for part in judge(load_thresholds(), both).parts if part.part == "accuracy")


def _subject(where: World, bundle: Bundle) -> Subject:
    return Subject(bundle.version, where.parent.version, "test.zip", "", "", {}, START)


def _wins(where: World, bundle: Bundle) -> bool:
    """Compare both on the real test pictures in any order, labels being right: whether the challenger is promoted."""
    rows = np.random.default_rng(1).permutation(np.flatnonzero(where.is_real)).tolist()
    before, after = where.right(where.parent), where.right(bundle)
    outcomes = (
        Outcome(where.tested[row].label, where.tested[row].source, bool(before[row]), bool(after[row])) for row in rows
    )
    return evidence(folded(Comparison(), outcomes)).answer == "promote"


def gains_table(rows: Iterable[Gain]) -> Table:
    """A line for each number of labels."""
    shown = Table(title=f"{DRAWS} draws each: mean, spread (standard deviation), least and most")
    for name in ("left out", "old pictures", "labels", "new: before", "after", "others: before", "after", "simulated"):
        shown.add_column(name, justify="left" if name == "left out" else "right")
    shown.add_column("refused by", justify="left")
    for row in rows:
        before = _scores(row.where, row.where.parent)
        refused = ", ".join(f"{name} {count}" for name, count in row.refused.items() if name != "shadow") or "none"
        shown.add_row(
            row.where.left_out,
            str(row.old),
            str(row.count),
            f"{before[0]:.3f}",
            _spread(row.new),
            f"{before[1]:.3f}",
            _spread(row.others),
            f"{before[2]:.3f} → {row.simulated.mean():.3f}",
            refused,
        )
    return shown


def _spread(values: NDArray[np.float64]) -> str:
    return f"{values.mean():.3f} ± {values.std(ddof=1):.3f} ({values.min():.3f} to {values.max():.3f})"


def refusals_table(worlds: Sequence[World]) -> Table:
    """A line for each kind of labels: how many retrainings each check refuses by itself, and all together."""
    shown = Table(title="100 labels, refused by each check alone; shadow: not promoted on 841 labelled vehicles")
    for name in ("labels", "retrainings", "first three", *CHECKS, "by any", "on the new source"):
        shown.add_column(name, justify="left" if name == "labels" else "right")
    for kind, flipped in FLIPPED.items():
        runs = [
            (where, retrained(where, 100, 1000 + draw, OLD, flipped)) for where in worlds for draw in range(BAD_DRAWS)
        ]
        passed = [{check: _passes(check, where, run) for check in CHECKS} for where, run in runs]
        alone = [str(sum(not each[check] for each in passed)) for check in CHECKS]
        three = sum(not all(each[check] for check in CHECKS[:3]) for each in passed)
        any_of = sum(not all(each.values()) for each in passed)
        accuracy = np.mean([_scores(where, run.bundle)[0] for where, run in runs])
        shown.add_row(kind, str(len(runs)), str(three), *alone, str(any_of), f"{accuracy:.3f}")
    return shown


if __name__ == "__main__":
    main()
