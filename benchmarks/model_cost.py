"""What a model costs beside what it gives: CPU time a crop on one core, against accuracy, over input size and precision.

    python -m benchmarks.model_cost --data road-vehicles --bundle runs/fast-48 --json cost.json

Every model is opened as the processor opens it and measured in turn with all others, round after round, so that a
machine's moods fall on all; the table has the least and the median of the rounds. Beside them stands what has to be
done for a crop whatever the model: decoding its JPEG, and resizing. The accuracy of a bundle is measured where `--data`
has pictures, and taken from its card where not; the frozen networks are only there with `--data`, a head fitted for each.
"""

import argparse
import json
import statistics
import sys
import time
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import cv2
import numpy as np
import onnxruntime as ort
from rich.console import Console
from rich.table import Table

from models.bundle import BUNDLED, Bundle, load_bundle
from models.evaluation import Evaluation, evaluate
from models.preprocessing import Image, Preprocessing, prepare
from models.training.backbone import EMBEDDING, build_model, folded, set_head
from models.training.data import LabelledPicture, read_pictures
from models.training.features import run_graph, silent
from models.training.gather import picture_weights
from models.training.head import blank_head, fit_head
from models.training.quantize import quantized
from models.training.weights import read_weights
from models.verdicts import Verdicts

LABELS: Final = ("car", "truck")
FROZEN_SIZES: Final = (96, 112, 128, 160)
BATCHES: Final = (1, 32)
ROUNDS: Final = 9
TURN_S: Final = 0.06
"CPU time of one measurement, at least."
INVERSE_PENALTY: Final = 0.03
SEED: Final = 1
WIDTH: Final = 180
"Of the table in a file, characters."
SAMPLE: Final = 256
"Crops that are decoded and resized, over and over."


@dataclass(frozen=True, slots=True)
class Candidate:
    """A graph to measure."""

    name: str
    "What it is."
    size: int
    "Height and width of its input, pixels."
    precision: str
    "`fp32` or `int8`."
    model: bytes
    "The graph."
    accuracy: Mapping[str, float]
    "By source, `all` among them; empty where it is not known."
    calibration_error: float | None
    "Over all sources; None where it is not known."


@dataclass(frozen=True, slots=True)
class Cost:
    """CPU time, milliseconds a crop."""

    least: float
    "The quietest round."
    median: float
    "Of the rounds."


@dataclass(frozen=True, slots=True)
class Row:
    """What the table says of one model, or of what comes before every model."""

    name: str
    "What it is."
    size: int
    "Pixels; 0 where that says nothing."
    precision: str
    "`fp32`, `int8`, or nothing."
    megabytes: float
    "Of the graph's file."
    costs: Mapping[int, Cost]
    "By batch."
    accuracy: Mapping[str, float]
    "By source."
    calibration_error: float | None
    "Over all sources."


def main() -> None:
    """Measure and print."""
    told = _arguments()
    cv2.setNumThreads(1)
    candidates = list(_candidates(told.data, [BUNDLED, *told.bundle]))
    rows = [*_before_the_model(told.data), *measured(candidates, told.rounds)]
    Console(width=None if sys.stdout.isatty() else WIDTH).print(_table(rows))
    if told.json:
        told.json.write_text(json.dumps([asdict(row) for row in rows], indent=2), encoding="utf-8")


def measured(candidates: Sequence[Candidate], rounds: int = ROUNDS) -> list[Row]:
    """Return a row for each candidate, all measured in turn."""
    sessions = [_session(candidate.model) for candidate in candidates]
    work = {
        (place, batch): _inference(sessions[place], candidate.size, batch)
        for place, candidate in enumerate(candidates)
        for batch in BATCHES
    }
    costs = in_turn(work, rounds)
    return [
        _row(candidate, {batch: costs[place, batch] for batch in BATCHES}) for place, candidate in enumerate(candidates)
    ]


def in_turn(work: Mapping[Any, Callable[[], int]], rounds: int) -> dict[Any, Cost]:
    """Return the cost of each piece of work, which returns how many crops it dealt with; the first round warms up."""
    found: dict[Any, list[float]] = {key: [] for key in work}
    for _ in range(rounds + 1):
        for key, piece in work.items():
            found[key].append(_ms_a_crop(piece))
    return {key: Cost(min(values[1:]), statistics.median(values[1:])) for key, values in found.items()}


def _ms_a_crop(work: Callable[[], int]) -> float:
    """Return CPU time of the process, all threads, over the crops of as many calls as fill a turn."""
    work()
    begin, crops = time.process_time(), 0
    while (used := time.process_time() - begin) < TURN_S:
        crops += work()
    return used / crops * 1e3


def _session(model: bytes) -> ort.InferenceSession:
    """Open a graph as the processor does: one thread, no spinning."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    return ort.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def _inference(session: ort.InferenceSession, size: int, batch: int) -> Callable[[], int]:
    images = np.random.default_rng(SEED).integers(0, 256, (batch, size, size, 3), np.uint8)
    outputs = [output.name for output in session.get_outputs()]

    def run() -> int:
        session.run(outputs, {"images": images})
        return batch

    return run


def _candidates(data: Path | None, bundles: Sequence[Path]) -> Iterator[Candidate]:
    tested = list(read_pictures(data / "test.zip")) if data else []
    if data:
        yield from _frozen(list(read_pictures(data / "train.zip")), tested)
    for folder in bundles:
        yield from _of_bundle(load_bundle(folder), tested)


def _frozen(pictures: Sequence[LabelledPicture], tested: Sequence[LabelledPicture]) -> Iterator[Candidate]:
    """Yield the pretrained network with a head of its own for each size, in both precisions."""
    network = folded(read_weights())
    images = [picture.image for picture in pictures]
    truth = np.array([LABELS.index(picture.label) for picture in pictures])
    weights = picture_weights([picture.source for picture in pictures], np.zeros(len(pictures), bool), 0)
    for size in FROZEN_SIZES:
        wanted = Preprocessing(size, "stretch")
        graph = build_model(network, size, blank_head(LABELS, EMBEDDING))
        features = run_graph(graph.SerializeToString(), images, wanted, silent, "features").embedding
        set_head(graph, fit_head(features.astype(np.float64), truth, LABELS, weights, INVERSE_PENALTY))
        model = graph.SerializeToString()
        yield _candidate("Lite0, frozen", wanted, "fp32", model, tested)
        yield _candidate("Lite0, frozen", wanted, "int8", quantized(model, images, wanted, SEED), tested)


def _of_bundle(bundle: Bundle, tested: Sequence[LabelledPicture]) -> Iterator[Candidate]:
    """Yield the bundle's graph, after the one that it was quantised from."""
    wanted = bundle.preprocessing
    graphs = [("fp32", bundle.reference), ("int8", bundle.model)] if bundle.reference else [("fp32", bundle.model)]
    for precision, model in graphs:
        if model is not None and tested:
            yield _candidate(bundle.version, wanted, precision, model, tested)
        elif model is not None:
            known = model is bundle.model
            accuracy, error = _figures(bundle.card.evaluation) if known else ({}, None)
            yield Candidate(bundle.version, wanted.size, precision, model, accuracy, error)


def _candidate(
    name: str, wanted: Preprocessing, precision: str, model: bytes, tested: Sequence[LabelledPicture]
) -> Candidate:
    def classify(images: Sequence[Image]) -> Verdicts:
        outputs = run_graph(model, images, wanted, silent, "test")
        return Verdicts(LABELS, outputs.probabilities, outputs.embedding)

    return Candidate(name, wanted.size, precision, model, *_figures(evaluate(classify, tested)))


def _figures(evaluation: Evaluation) -> tuple[dict[str, float], float]:
    scores = (evaluation.overall, *evaluation.sources)
    return {score.source: score.accuracy for score in scores}, evaluation.overall.calibration_error


def _before_the_model(data: Path | None) -> Iterator[Row]:
    """Yield what decoding and resizing cost: of real crops where there are some, else of noise of their size."""
    encoded = list(_encoded(data))
    decoded = [_decoded(raw) for raw in encoded]
    work: dict[tuple[str, int], Callable[[], int]] = {
        ("decode JPEG", 0): lambda: len([_decoded(raw) for raw in encoded])
    }
    for size in (64, 128):
        work["resize", size] = _resizing(decoded, Preprocessing(size, "stretch"))
    for (name, size), cost in in_turn(work, ROUNDS).items():
        yield Row(name, size, "", 0, {1: cost}, {}, None)


def _resizing(images: Sequence[Image], wanted: Preprocessing) -> Callable[[], int]:
    return lambda: len(prepare(images, wanted))


def _encoded(data: Path | None) -> Iterator[bytes]:
    if data is None:
        noise = np.random.default_rng(SEED).integers(0, 256, (SAMPLE, 12, 14, 3), np.uint8)
        for picture in noise:
            yield cv2.imencode(".jpg", cv2.resize(picture, (112, 96)))[1].tobytes()
        return
    with zipfile.ZipFile(data / "test.zip") as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        for index in np.random.default_rng(SEED).permutation(len(names))[:SAMPLE]:
            yield archive.read(names[index])


def _decoded(raw: bytes) -> Image:
    return np.asarray(cv2.imdecode(np.frombuffer(raw, np.uint8), cv2.IMREAD_COLOR), np.uint8)


def _row(candidate: Candidate, costs: Mapping[int, Cost]) -> Row:
    return Row(
        name=candidate.name,
        size=candidate.size,
        precision=candidate.precision,
        megabytes=len(candidate.model) / 1e6,
        costs=costs,
        accuracy=candidate.accuracy,
        calibration_error=candidate.calibration_error,
    )


def _table(rows: Sequence[Row]) -> Table:
    sources = sorted({source for row in rows for source in row.accuracy} - {"all"})
    table = Table(
        title="CPU milliseconds a crop on one core, the least of rounds in turn (their median), beside accuracy"
    )
    for name in (
        "model",
        "pixels",
        "precision",
        "MB",
        *(f"batch {batch}" for batch in BATCHES),
        "all",
        *sources,
        "ECE",
    ):
        table.add_column(name, justify="left" if name == "model" else "right")
    for row in rows:
        table.add_row(*_cells(row, sources))
    return table


def _cells(row: Row, sources: Sequence[str]) -> Iterator[str]:
    yield row.name
    yield str(row.size or "")
    yield row.precision
    yield f"{row.megabytes:.1f}" if row.megabytes else ""
    for batch in BATCHES:
        cost = row.costs.get(batch)
        yield f"{cost.least:.3f} ({cost.median:.3f})" if cost else ""
    for source in ("all", *sources):
        yield f"{row.accuracy[source]:.4f}" if source in row.accuracy else ""
    yield f"{row.calibration_error:.4f}" if row.calibration_error is not None else ""


def _arguments() -> Any:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model_cost", description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="a folder with train.zip and test.zip: accuracy is measured on them")
    parser.add_argument("--bundle", type=Path, action="append", default=[], help="another bundle's folder; repeatable")
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured")
    parser.add_argument("--json", type=Path, help="a file for the figures")
    return parser.parse_args()


if __name__ == "__main__":
    main()
