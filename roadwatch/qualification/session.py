"""A qualification from beginning to end: what is asked for, measured, judged, written and recorded.

    request ─► candidate, champion, pictures ─► measured ─► judged ─► page and JSON ─► the registry's history

Nothing is recorded of one that was stopped in the middle.
"""

from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass
from pathlib import Path

from models.qualification.checks import PartJudgement
from models.qualification.figures import PARTS, Measurements, Part
from models.qualification.judgement import Judgement, judge
from models.qualification.thresholds import load_thresholds
from models.registry.history import Entry
from models.registry.store import Registry
from models.training.data import LabelledPicture
from roadwatch.interrupts import scratch_folder, sigterm_as_interrupt
from roadwatch.qualification.bench import Progress, Sizes
from roadwatch.qualification.held_out import held_out
from roadwatch.qualification.outcome import Written, record, require_writable, write
from roadwatch.qualification.run import Plan, qualify
from roadwatch.qualification.versions import find, find_champion, require_the_registered
from runtime.settings import KafkaSettings


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    candidate: str
    "A version, an alias, a folder, or `bundled`."
    against: str | None
    "The same, or `none`; None: the registry's champion."
    data: str
    "What the pictures are, in words."
    pictures: Callable[[], Iterable[LabelledPicture]]
    "Reads or draws them."
    thresholds: Path | None
    "The table; None: the one that ships."
    parts: Collection[Part]
    "Those to measure."
    sizes: Sizes
    "How much is measured."
    kafka: KafkaSettings | None
    "A cluster to use; None: a local broker."
    out: Path | None
    "The folder for page and document; None: named after the version, in `outputs`."
    outputs: Path
    "See `out`."
    is_spoilt: Callable[[LabelledPicture], bool] = lambda _picture: False
    "Tells pictures that weather or night have spoilt already: they are half at most of those that are corrupted besides."


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of it."""

    judgement: Judgement
    "The verdict: refused where not all parts were measured."
    measurements: Measurements
    "What it was passed on."
    folder: Path
    "Holds page and document."
    entry: Entry | None
    "The step in the registry's history; None: the version is not registered there, or not all parts were measured."
    parts: tuple[PartJudgement, ...]
    "The verdicts on the parts that were asked for."

    @property
    def approved(self) -> bool:
        """Whether each part that was asked for is."""
        return all(part.approved for part in self.parts)


def carry_out(
    request: Request, registry: Registry, progress: Progress, downloads: Callable[[int, int], None]
) -> Outcome:
    """Qualify a candidate.

    Raises ConfigurationError for faults in table, options or data; ModelError for a bundle that is not there or is
    damaged; BrokerError and LocalStackError where the stack cannot be had.
    """
    table = load_thresholds(request.thresholds)
    with sigterm_as_interrupt(), scratch_folder() as folder:
        measurements = qualify(_plan(request, registry, folder), progress, downloads)
    judgement = judge(table, measurements)
    out = _folder_of(request, judgement.version)
    written = write(judgement, measurements, out)
    entry = _recorded(request, registry, judgement, measurements, written)
    asked = tuple(part for part in judgement.parts if part.part in request.parts)
    return Outcome(judgement, measurements, out, entry, asked)


def _plan(request: Request, registry: Registry, folder: Path) -> Plan:
    candidate = find(request.candidate, registry, folder)
    require_the_registered(candidate[0], registry)
    champion = find_champion(request.against, candidate[0], registry, folder)
    require_writable(_folder_of(request, candidate[0].version))
    pictures = held_out(request.data, tuple(request.pictures()), request.is_spoilt)
    return Plan(candidate, champion, pictures, request.sizes, request.parts, request.kafka, folder)


def _folder_of(request: Request, version: str) -> Path:
    return request.out or request.outputs / version


def _recorded(
    request: Request, registry: Registry, judgement: Judgement, measurements: Measurements, written: Written
) -> Entry | None:
    whole = set(PARTS) <= set(request.parts)
    if whole and judgement.version in registry.state().versions:
        return record(registry, judgement, measurements, written)
    return None
