"""The model in service: one ONNX Runtime session, shared by all threads, tried before it is trusted."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from models.bundle import Bundle
from models.preprocessing import Image, Preprocessing, prepare
from models.verdicts import Verdicts
from schemas.errors import ModelError

BATCH: Final = 32
"Pictures to one inference: more gains nothing on a core, and holds the others up."

INPUT: Final = "images"
PROBABILITIES: Final = "probabilities"
EMBEDDING: Final = "embedding"

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

    def __init__(self, session: ort.InferenceSession, version: str, labels: tuple[str, ...], wanted: Preprocessing):
        """Take a session that was tried; `load` makes one."""
        self._session = session
        self._wanted = wanted
        self._outputs = [output.name for output in session.get_outputs()]
        self.version = version
        self.labels = labels

    @classmethod
    def load(cls, bundle: Bundle) -> Self:
        """Open the bundle's graph and try it on a made picture; raises ModelError where it may not serve."""
        classifier = cls(_open(bundle), bundle.version, bundle.labels, bundle.preprocessing)
        classifier._try_out()
        return classifier

    def classify(self, images: Sequence[Image]) -> Verdicts:
        """Return a verdict for each picture, uint8 H×W×3 BGR of any size, in order; raises ValueError for others."""
        for image in images:
            _check(image)
        chunks = [self._run(images[start : start + BATCH]) for start in range(0, len(images), BATCH)]
        return Verdicts(
            self.labels,
            _joined([chunk[PROBABILITIES] for chunk in chunks], len(self.labels)),
            _joined([chunk[EMBEDDING] for chunk in chunks if EMBEDDING in chunk], 0),
        )

    def _run(self, images: Sequence[Image]) -> Mapping[str, NDArray[np.float32]]:
        values = self._session.run(self._outputs, {INPUT: prepare(images, self._wanted)})
        return dict(zip(self._outputs, values, strict=True))

    def _try_out(self) -> None:
        """Classify two made pictures: what a broken graph would do to the first frame, it does here."""
        ramp = np.linspace(0, 255, 48 * 64 * 3).astype(np.uint8).reshape(48, 64, 3)
        try:
            found = self.classify([ramp, 255 - ramp]).probabilities
        except REFUSALS as error:
            raise ModelError(f"{self.version}: the graph fails on a sample: {error}") from error
        if found.shape != (2, len(self.labels)):
            raise ModelError(f"{self.version}: {found.shape[1]} probabilities for {len(self.labels)} labels")
        if not (np.isfinite(found).all() and np.allclose(found.sum(axis=1), 1, atol=1e-3)):
            raise ModelError(
                f"{self.version}: probabilities of a sample are {found.tolist()}: each row should sum to 1"
            )


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
    outputs = {node.name: _sides(node) for node in session.get_outputs()}
    if PROBABILITIES not in outputs:
        raise ModelError(f"{bundle.version}: gives {', '.join(outputs)}, not {PROBABILITIES}")
    if outputs[PROBABILITIES] != [len(bundle.labels)]:
        told = ", ".join(bundle.labels)
        raise ModelError(f"{bundle.version}: gives {outputs[PROBABILITIES]} probabilities for the labels {told}")


def _sides(node: Any) -> list[int | str]:
    """Return the shape without the batch."""
    return list(node.shape)[1:]


def _check(image: Image) -> None:
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or 0 in image.shape:
        raise ValueError(f"a picture is {image.dtype} of shape {image.shape}, not uint8 of H×W×3")


def _joined(parts: Sequence[NDArray[np.float32]], columns: int) -> NDArray[np.float32]:
    return np.concatenate(parts) if parts else np.empty((0, columns), np.float32)
