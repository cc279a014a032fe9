"""A whole qualification: the candidate loaded, measured part by part, the champion beside it where that is compared."""

import os
import platform
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Final

import structlog

from models.bundle import Bundle
from models.qualification.figures import PARTS, Fault, Measured, Measurements, Part, Subject
from processors.classifier import Classifier
from roadwatch.qualification.bench import Bench, Progress, Sizes, Tested
from roadwatch.qualification.held_out import HeldOut, require_known
from roadwatch.qualification.load import try_latency, try_scalability
from roadwatch.qualification.parts import accuracy_here, try_accuracy, try_consistency, try_errors, try_robustness
from roadwatch.qualification.stack import Stack
from roadwatch.qualification.worker import WorkerError
from runtime.settings import KafkaSettings
from schemas.errors import LocalStackError, ModelError

log = structlog.get_logger(__name__)

PACKAGES: Final = ("roadwatch", "onnxruntime", "opencv-python-headless", "numpy", "confluent-kafka")

Try = Callable[[Bench, Tested], Measured]

ON_THE_STACK: Final[Mapping[Part, Try]] = {
    "accuracy": try_accuracy,
    "errors": try_errors,
    "consistency": try_consistency,
    "latency": try_latency,
    "scalability": try_scalability,
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What to qualify, against what, with what."""

    candidate: tuple[Bundle, Path]
    "The candidate, and where processors find it."
    champion: tuple[Bundle, Path] | None
    "What it is compared with; None: nothing."
    held_out: HeldOut
    "The pictures."
    sizes: Sizes
    "How much is measured."
    parts: Collection[Part]
    "Those to measure."
    kafka: KafkaSettings | None
    "A cluster to use; None: a local broker."
    folder: Path
    "For everything that is gone afterwards."


def qualify(plan: Plan, progress: Progress, downloads: Callable[[int, int], None] | None = None) -> Measurements:
    """Measure the candidate, part by part.

    A candidate that cannot be loaded is measured no further: that is its one fault, in `errors`.
    Raises ConfigurationError for data of classes that it does not know, BrokerError and LocalStackError for a broker
    that is not there or goes away.
    """
    bundle, folder = plan.candidate
    require_known(plan.held_out, bundle.version, bundle.labels)
    subject = _subject(plan)
    try:
        candidate = Tested(bundle, folder, Classifier.load(bundle))
    except ModelError as error:
        return Measurements(subject, (Measured("errors", (), (Fault(f"it does not load: {error}"),)),))
    champion = _champion(plan)
    with Stack(plan.folder, plan.kafka, downloads, shared=plan.sizes.quick) as stack:
        bench = Bench(stack, plan.held_out, plan.sizes, progress, threads=min(4, os.cpu_count() or 1))
        measured = [_measure(part, bench, candidate, champion) for part in PARTS if part in plan.parts]
    return Measurements(subject, tuple(ours for ours, _ in measured), tuple(its for _, its in measured if its))


def _champion(plan: Plan) -> Tested | None:
    if plan.champion is None:
        return None
    bundle, folder = plan.champion
    require_known(plan.held_out, bundle.version, bundle.labels)
    return Tested(bundle, folder, Classifier.load(bundle))


def _measure(part: Part, bench: Bench, candidate: Tested, champion: Tested | None) -> tuple[Measured, Measured | None]:
    started = time.monotonic()
    ours, its = _both(part, bench, candidate, champion)
    seconds = time.monotonic() - started
    log.info("part measured", part=part, version=candidate.version, seconds=round(seconds, 1), faults=len(ours.faults))
    return replace(ours, seconds=seconds), its


def _both(part: Part, bench: Bench, candidate: Tested, champion: Tested | None) -> tuple[Measured, Measured | None]:
    if part == "robustness":
        return try_robustness(bench, candidate, champion)
    ours = _candidates(ON_THE_STACK[part], part, bench, candidate)
    return ours, _champions(part, bench, champion) if champion and part in bench.sizes.beside else None


def _candidates(measure: Try, part: Part, bench: Bench, candidate: Tested) -> Measured:
    """A processor that ends under a candidate is the candidate's fault."""
    try:
        return measure(bench, candidate)
    except WorkerError as error:
        return Measured(part, (), (Fault(str(error)),))


def _champions(part: Part, bench: Bench, champion: Tested) -> Measured:
    """One that ends under the champion leaves nothing to compare with."""
    if bench.sizes.quick and part == "accuracy":
        return accuracy_here(bench, champion)
    try:
        return ON_THE_STACK[part](bench, champion)
    except WorkerError as error:
        raise LocalStackError(f"{champion.version}, to compare with, cannot be run: {error}") from error


def _subject(plan: Plan) -> Subject:
    return Subject(
        version=plan.candidate[0].version,
        champion=plan.champion[0].version if plan.champion else None,
        data=plan.held_out.about,
        data_sha256=plan.held_out.sha256,
        machine=f"{_processor()}, {os.cpu_count()} cores, {platform.platform(terse=True)}, load {os.getloadavg()[0]:.1f}",
        packages={**{name: package_version(name) for name in PACKAGES}, "python": platform.python_version()},
        at=datetime.now(UTC),
    )


def _processor() -> str:
    """The processor's name as Linux tells it; elsewhere its kind."""
    return next(_model_names(), platform.machine())


def _model_names() -> Iterator[str]:
    try:
        text = Path("/proc/cpuinfo").read_text("utf-8")
    except OSError:
        return
    yield from (line.partition(":")[2].strip() for line in text.splitlines() if line.startswith("model name"))
