"""`python -m benchmarks.accuracy FOLDER`: how right the recipe is, with three seeds, and on cameras never seen.

FOLDER has train.zip and test.zip. A second argument names a folder for the graphs; further ones are seeds. About ten
minutes a seed on two cores.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console
from rich.table import Table

from benchmarks.options import crops_folder, parser_of
from models.bundle import Bundle, save_bundle
from models.evaluation import Score, evaluate
from models.training.backbone import folded
from models.training.bundling import Given
from models.training.data import LabelledPicture, read_pictures
from models.training.features import silent
from models.training.fit import fit, gathered
from models.training.train import TrainingSettings, finished
from models.training.weights import read_weights
from processors.classifier import Classifier
from roadwatch.commands.models.training import TRAINING_SEED, simulator_pictures

SEEDS: Final = (5, 1, 2)
UNSEEN: Final = ("highways", "overpass")
"Cameras that a second training goes without, and is scored on."
SIMULATED: Final = 1500

Row = tuple[int, str, Score]
"Seed, what was measured, and a source's figures."


def main() -> None:
    """Measure, and print a table for each seed."""
    parser = parser_of("accuracy", __doc__)
    parser.add_argument("data", type=crops_folder, help="a folder with train.zip and test.zip")
    parser.add_argument("out", nargs="?", type=Path, help="a folder for the graphs")
    parser.add_argument("seeds", nargs="*", type=int, default=SEEDS)
    given = parser.parse_args()
    for seed in given.seeds:
        Console().print(_table(list(_rows(seed, given.data, given.out))))


def _rows(seed: int, data: Path, out: Path | None) -> Iterator[Row]:
    """Train twice, with all cameras and without some, and yield the figures on test pictures."""
    settings = TrainingSettings(created=datetime.now(UTC).date(), code_version="benchmark", seed=seed)
    network = folded(read_weights())
    real, simulated = list(read_pictures(data / "train.zip")), list(simulator_pictures(TRAINING_SEED, SIMULATED))
    tested = list(read_pictures(data / "test.zip"))
    new = [picture for picture in tested if picture.source in UNSEEN]
    everything = gathered(network, real, simulated, settings.recipe, silent)
    for name, chosen, asked in (("all", everything, tested), ("unseen", everything.without(UNSEEN), new)):
        bundle = finished(settings, fit(network, chosen, settings.recipe, silent), real, Given(), asked, silent)
        if out is not None:
            save_bundle(bundle, out / f"{name}-{seed}")
        yield from _scores(seed, f"{name}, int8", bundle, asked)
        yield from _scores(seed, f"{name}, fp32", _in_fp32(bundle), asked)


def _in_fp32(bundle: Bundle) -> Bundle:
    return replace(bundle, model=bundle.reference or bundle.model, expected=None)


def _scores(seed: int, name: str, bundle: Bundle, tested: Sequence[LabelledPicture]) -> Iterator[Row]:
    evaluation = evaluate(Classifier.load(bundle).classify, tested)
    return ((seed, name, score) for score in (*evaluation.sources, evaluation.overall))


def _table(rows: Sequence[Row]) -> Table:
    table = Table(title="Accuracy on test pictures")
    for name in ("seed", "trained on", "source", "pictures", "accuracy", "95 % interval", "calibration error"):
        table.add_column(name, justify="left" if name in ("trained on", "source") else "right")
    for seed, name, score in rows:
        interval, error = f"{score.low:.3f} to {score.high:.3f}", f"{score.calibration_error:.3f}"
        table.add_row(str(seed), name, score.source, str(score.n), f"{score.accuracy:.3f}", interval, error)
    return table


if __name__ == "__main__":
    main()
