"""`roadwatch models train` and `evaluate`: a model made, and measured on labelled pictures."""

from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Annotated

import typer
from rich.markdown import Markdown
from rich.table import Table

from models.bundle import SHIPPED, Bundle, load_bundle
from models.evaluation import Evaluation, Score, evaluate
from models.training.data import LabelledPicture, read_pictures
from roadwatch.context import AsJson, console, print_json
from roadwatch.progress import counted

TRAINING_SEED, TEST_SEED = 1, 2
"Simulated roads for training and for testing: no vehicle is on both."


def run_evaluation(
    data: Annotated[
        Path, typer.Argument(help="A zip with labels.csv, a folder with a subfolder a class, or 'simulator'.")
    ],
    bundle: Annotated[str, typer.Option(help="A bundle's folder, 'bundled' or 'fast'.")] = "bundled",
    as_json: AsJson = False,
) -> None:
    """Measure a bundle on labelled pictures: accuracy, recall and calibration, for each source."""
    from processors.classifier import Classifier

    classifier = Classifier.load(_bundle(bundle))
    simulated = str(data) == "simulator"
    pictures = list(simulator_pictures(TEST_SEED, 500) if simulated else read_pictures(data))
    evaluation = evaluate(classifier.classify, pictures)
    if as_json:
        print_json({"version": classifier.version, **asdict(evaluation)})
    else:
        console.print(_scores(classifier.version, evaluation))


def train(
    data: Annotated[Path, typer.Argument(help="A folder with train.zip and test.zip.")],
    out: Annotated[Path, typer.Option(help="The new bundle's folder.")] = Path("roadwatch-data/bundle"),
    simulated: Annotated[int, typer.Option(help="Simulated pictures to train on besides.")] = 1500,
    teacher: Annotated[
        str | None,
        typer.Option(help="A bundle's folder, or 'bundled': teach a small, fast model what it knows."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model anew on labelled crops and simulated ones, and write it as a bundle with its card.

    Needs roadwatch[train]; some six minutes on two cores. The same data give the same file.
    """
    from roadwatch.training import teach_bundle, train_bundle

    make = train_bundle if teacher is None else partial(teach_bundle, teacher=_bundle(teacher))
    with counted() as progress:
        card = make(
            data,
            out,
            extra=simulator_pictures(TRAINING_SEED, simulated),
            extra_test=simulator_pictures(TEST_SEED, 500),
            created=datetime.now(UTC).date(),
            progress=progress,
        )
    if as_json:
        print_json({"version": card.version, "bundle": str(out)})
    else:
        console.print(Markdown(card.to_markdown()))
        console.print(f"{card.version} is in {out}; 'roadwatch models register {out}' keeps it.")


def _bundle(name: str) -> Bundle:
    return load_bundle(SHIPPED.get(name) or Path(name))


def simulator_pictures(seed: int, count: int) -> Iterator[LabelledPicture]:
    """Labelled crops from simulated roads on clear days."""
    from producers.simulator import training_crops

    for number, (image, label, kind) in enumerate(training_crops(seed, count)):
        yield LabelledPicture(f"{seed}-{number}", image, label, "simulator", f"simulator-{kind}")


def _scores(version: str, evaluation: Evaluation) -> Table:
    table = Table(title=version)
    for name in ("source", "pictures", "accuracy", "95 % interval", "recall", "calibration error"):
        table.add_column(name, justify="left" if name == "source" else "right")
    for score in (*evaluation.sources, evaluation.overall):
        table.add_row(*_score(score), style="bold" if score is evaluation.overall else "")
    return table


def _score(score: Score) -> tuple[str, ...]:
    recalls = ", ".join(f"{recall.label} {recall.recall:.3f}" for recall in score.recalls)
    interval = f"{score.low:.3f} to {score.high:.3f}"
    return score.source, str(score.n), f"{score.accuracy:.3f}", interval, recalls, f"{score.calibration_error:.3f}"


COMMANDS = {"train": train, "evaluate": run_evaluation}
