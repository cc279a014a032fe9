"""The model in service: one ONNX Runtime session, shared by all threads, tried before it is trusted."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.bundle import Bundle
from models.preprocessing import Image, prepare
from models.selftest import TOLERANCE, check_selftest, selftest_pictures
from models.verdicts import Verdicts
from schemas.errors import ModelError

BATCH: Final = 32
"Pictures to one inference: more gains nothing on a core, and holds the others up."

INPUT: Final = "images"
PROBABILITIES: Final = "probabilities"
EMBEDDING: Final = "embedding"
FAMILIARITY: Final = "familiarity"
"How like its training pictures each picture is, one number a picture: only graphs that can abstain have it."

REFUSALS: Final = (
    ort_errors.Fail,
    ort_errors.InvalidArgument,
    ort_errors.InvalidGraph,
    ort_errors.InvalidProtobuf,
    ort_errors.NoModel,
    ort_errors.NotImplemented,
    ort_errors.RuntimeException,
)
"What ONNX Runtime raises for a graph that it cannot serve: its errors share no class of their own."


class Classifier:
    """Classifies pictures. Threads may share one: it keeps nothing between calls."""

    def __init__(self, session: ort.InferenceSession, bundle: Bundle) -> None:
        """Take a session of the bundle's graph; `load` makes one and tries it."""
        self._session = session
        self._wanted = bundle.preprocessing
        self._abstain_below = bundle.abstain_below
        given = {output.name for output in session.get_outputs()}
        self._outputs = sorted(given & {*_wanted_outputs(bundle), EMBEDDING})
        self.version = bundle.version
        self.labels = bundle.labels

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        """Open the bundle's graph and try it on made pictures; raises ModelError where it may not serve."""
        classifier = cls(_open(bundle), bundle)
        classifier._test_itself(bundle)
        return classifier

    def classify(self, images: Sequence[Image]) -> Verdicts:
        """Return a verdict for each picture, uint8 H×W×3 BGR of any size, in order.

        Raises ValueError for what is no such picture, ModelError where the graph fails or gives no numbers.
        """
        for image in images:
            _check(image)
        chunks = [self._run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        probabilities = _joined([chunk[PROBABILITIES] for chunk in chunks], len(self.labels))
        if not np.isfinite(probabilities).all():
            raise ModelError(f"{self.version}: the graph gives probabilities that are no numbers")
        return Verdicts(
            self.labels,
            probabilities,
            _joined([chunk[EMBEDDING] for chunk in chunks if EMBEDDING in chunk], 0),
            self._familiar(chunks),
        )

    def _familiar(self, chunks: Sequence[Mapping[str, NDArray[np.float32]]]) -> NDArray[np.bool_] | None:
        if self._abstain_below is None:
            return None
        told = [chunk[FAMILIARITY] for chunk in chunks]
        return np.concatenate(told) >= self._abstain_below if told else np.empty(0, np.bool_)

    def _run(self, images: Sequence[Image]) -> Mapping[str, NDArray[np.float32]]:
        try:
            values = self._session.run(self._outputs, {INPUT: prepare(images, self._wanted)})
        except REFUSALS as error:
            raise ModelError(f"{self.version}: the graph fails on a batch of {len(images)}: {error}") from error
        return dict(zip(self._outputs, values, strict=True))

    def _test_itself(self, bundle: Bundle) -> None:
        """What a broken graph would do to the first frame, it does here: in a batch, and on a single picture."""
        said = self.classify(selftest_pictures())
        check_selftest(self.version, said, bundle.expected)
        alone = self.classify(selftest_pictures()[:1]).probabilities
        if not np.allclose(alone, said.probabilities[:1], atol=TOLERANCE):
            raise ModelError(f"{self.version}: says {alone.tolist()} of a picture alone, and another thing in a batch")


def _open(bundle: Bundle) -> ort.InferenceSession:
    ort.disable_telemetry_events()
    try:
        session = ort.InferenceSession(bundle.model, _options(), providers=["CPUExecutionProvider"])
    except REFUSALS as error:
        raise ModelError(f"{bundle.version}: ONNX Runtime refuses the graph: {error}") from error
    _check_ends(bundle, session)
    return session


def _options() -> ort.SessionOptions:
    """One thread a call: the caller has a thread for each core."""
    options = ort.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.log_severity_level = 3  # errors: they also come as exceptions, warnings speak of optimisation
    return options


def _check_ends(bundle: Bundle, session: ort.InferenceSession) -> None:
    """Compare the graph's inputs and outputs with what the bundle says of them."""
    size = bundle.preprocessing.size
    inputs = [(node.name, node.type, _sides(node)) for node in session.get_inputs()]
    if inputs != [(INPUT, "tensor(uint8)", [size, size, 3])]:
        raise ModelError(f"{bundle.version}: takes {inputs}, not {INPUT} of uint8 and N×{size}×{size}×3")
    outputs = {node.name: (node.type, _sides(node)) for node in session.get_outputs()}
    for name, sides in _wanted_outputs(bundle).items():
        if name not in outputs:
            raise ModelError(f"{bundle.version}: gives {', '.join(outputs)}, not {name}")
        _check_output(bundle, name, sides, *outputs[name])


def _check_output(bundle: Bundle, name: str, sides: list[int], kind: str, found: list[int | str]) -> None:
    if found != sides:
        told = ", ".join(bundle.labels)
        raise ModelError(f"{bundle.version}: gives {found} {name} for the labels {told}, not {sides}")
    if kind != "tensor(float)":
        raise ModelError(f"{bundle.version}: gives {name} as {kind}, not as float32")


def _wanted_outputs(bundle: Bundle) -> dict[str, list[int]]:
    """Return each output's sides without the batch."""
    always: dict[str, list[int]] = {PROBABILITIES: [len(bundle.labels)]}
    return always if bundle.abstain_below is None else {**always, FAMILIARITY: []}


def _sides(node: Any) -> list[int | str]:
    """Return the shape without the batch."""
    return list(node.shape)[1:]


def _check(image: Image) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"a picture is {image.dtype} of shape {image.shape}, not uint8 of H×W×3")


def _joined(parts: Sequence[NDArray[np.float32]], columns: int) -> NDArray[np.float32]:
    return np.concatenate(parts) if parts else np.empty((0, columns), np.float32)
