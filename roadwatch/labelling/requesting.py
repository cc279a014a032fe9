"""Asking for labels of a day: which examples, and their pictures kept before they are gone.

    the day's examples ─► those whose pictures are there ─► models.asking ─► pictures ─► archive ─► ledger

The ledger comes last: whatever is asked for has its pictures. Killed before that, the same is chosen and kept again.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from models.archive.archive import Archive
from models.archive.examples import Asked, Example, Request
from models.archive.ledger import Ledger
from models.archive.opening import ArchiveAndLedger
from models.asking import Candidate, ask, reach_of
from monitor.windows import Calendar
from processors.classifier import Classifier
from roadwatch.explaining import Picture, model_for
from roadwatch.labelling.days import DayExamples, Progress, examples_of_day
from roadwatch.labelling.embedding import Embedding, embeddings_of
from roadwatch.labelling.fetching import pictures_of, with_pictures, without_pictures
from runtime.settings import Settings
from schemas.errors import ConfigurationError
from schemas.records import DayReport
from schemas.topics import FRAMES, PREDICTIONS

MOST: Final = 10_000
"Labels that are asked for at once: people give some hundreds an hour."
PURPOSE: Final = "day"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is asked for."""

    day: str
    "The day."
    budget: int
    "How many labels."
    cameras: tuple[str, ...] | None
    "Of these cameras; None: of all."
    seed: int
    "Draws another sample of the same day."
    look_at: int
    "So many examples' pictures are looked at for outliers and near-duplicates; 0 for none."
    by: str
    "Who asks."
    at: datetime
    "When, UTC."

    @property
    def request_id(self) -> str:
        """Follows from what is asked for, not from who asks and when."""
        said = json.dumps([PURPOSE, self.day, self.budget, sorted(self.cameras or ()), self.seed])
        return f"{self.day}-{hashlib.sha256(said.encode()).hexdigest()[:8]}"


@dataclass(frozen=True, slots=True)
class Requested:
    """What came of it."""

    request: Request
    "As it is in the ledger."
    is_new: bool
    "Whether it was not asked before."
    examples: Mapping[str, Example]
    "Those that were asked for and are kept, by id, without their pictures."
    gone: tuple[str, ...]
    "Examples of the day that could not be chosen: their pictures are no longer on the cluster."
    lost: tuple[str, ...]
    "Examples that were chosen, and whose pictures went before they were read."
    ends: datetime
    "When the day ends, UTC."

    def by_why(self) -> Counter[str]:
        """Return how many were asked for, by why."""
        return Counter(asked.why for asked in self.request.asked)

    @property
    def is_early(self) -> bool:
        """Whether it was asked before the day was over."""
        return self.request.asked_at < self.ends


def requested(
    settings: Settings, kept: ArchiveAndLedger, wanted: Wanted, reports: Mapping[str, DayReport], progress: Progress
) -> Requested:
    """Ask for labels of a day; asked twice it is the same request.

    Raises:
        ConfigurationError: there is nothing on the cluster to ask about.
        ArchiveError: the pictures or the request cannot be kept; nothing was asked for.
        BrokerError: the cluster does not give the day.

    """
    archive, ledger = kept
    ends = Calendar(settings.monitor.timezone).bounds(wanted.day)[1]
    if known := _known(ledger, wanted.request_id):
        return _again(archive, known, ends)
    found = examples_of_day(settings, wanted.day, wanted.cameras, pictures=False, progress=progress)
    reachable = found.reachable()
    _check(settings, wanted, found, reachable)
    candidates = _candidates(settings, wanted, found, reachable, reports)
    chosen = ask(candidates, wanted.budget, wanted.seed)
    return _record(settings, kept, wanted, found, chosen, ends)


def _known(ledger: Ledger, request_id: str) -> Request | None:
    return next((request for request in ledger.requests() if request.request_id == request_id), None)


def _again(archive: Archive, request: Request, ends: datetime) -> Requested:
    kept = archive.read((asked.example_id for asked in request.asked), damaged=lambda _: None)
    return Requested(request, False, {each.example_id: without_pictures(each) for each in kept}, (), (), ends)


def _check(settings: Settings, wanted: Wanted, found: DayExamples, reachable: Sequence[Example]) -> None:
    cameras = f" of {', '.join(wanted.cameras)}" if wanted.cameras else ""
    predictions, frames = (settings.kafka.names.of(topic) for topic in (PREDICTIONS, FRAMES))
    if not found.examples:
        fault = (
            f"{predictions} holds no vehicle{cameras} that crossed a line on {wanted.day}, and no single frame;"
            " name a day whose predictions are still kept"
        )
        raise ConfigurationError("DAY", [fault])
    if not reachable:
        fault = (
            f"{wanted.day}{cameras}: the pictures of all {len(found.examples)} vehicles and single frames are no longer on"
            f" {frames}; ask for a day that is younger than its retention, or let it keep frames for longer"
        )
        raise ConfigurationError("DAY", [fault])


def _candidates(
    settings: Settings,
    wanted: Wanted,
    found: DayExamples,
    reachable: Sequence[Example],
    reports: Mapping[str, DayReport],
) -> list[Candidate]:
    seen = _embeddings(settings, wanted, found, reachable)
    failed = failed_slices(reports, wanted.day)
    return [Candidate(each, seen.get(each.example_id), bool(failed & set(each.scene.items()))) for each in reachable]


def failed_slices(reports: Mapping[str, DayReport], day: str) -> frozenset[tuple[str, str]]:
    """Return the slices, dimension and value, that were found to be worse in the newest report up to a day."""
    known = [name for name in reports if name <= day]
    slices = reports[max(known)].slices if known else ()
    return frozenset((each.dimension, each.value) for each in slices if each.discovered)


def _embeddings(
    settings: Settings, wanted: Wanted, found: DayExamples, reachable: Sequence[Example]
) -> dict[str, Embedding]:
    """What the model that served saw of some examples, of each its largest frame."""
    looked_at = _looked_at(reachable, wanted.look_at, wanted.seed)
    if not looked_at:
        return {}
    shown = {_largest(each): each.example_id for each in looked_at}
    served = Counter(each.model_version for each in looked_at).most_common(1)[0][0]
    model = Classifier.load(model_for(settings, Picture("", b"", served), None, None).bundle)
    pictures = pictures_of(settings.kafka, {name: found.origins[name] for name in shown})
    embedded = embeddings_of(model.classify, pictures, settings.processor.max_pixels)
    return {shown[name]: embedding for name, embedding in embedded}


def _looked_at(examples: Sequence[Example], most: int, seed: int) -> list[Example]:
    """Half of them where the model is least sure, the others at random."""
    unsure = sorted(examples, key=lambda each: (each.confidence, each.example_id))
    least, rest = unsure[: most // 2], unsure[most // 2 :]
    return least + random.Random(seed).sample(rest, min(len(rest), most - len(least)))  # noqa: S311  # no secret


def _largest(example: Example) -> str:
    return max(example.frames, key=lambda frame: frame.width * frame.height).frame_id


def _record(
    settings: Settings,
    kept: ArchiveAndLedger,
    wanted: Wanted,
    found: DayExamples,
    chosen: Iterable[Asked],
    ends: datetime,
) -> Requested:
    """Keep the pictures of what was chosen, and then the request."""
    (archive, ledger), reachable = kept, found.reachable()
    asked = {each.example_id: each for each in chosen}
    examples = [each for each in reachable if each.example_id in asked]
    pictures = dict(pictures_of(settings.kafka, found.origins_of(examples)))
    shown = {each.example_id: each for each in with_pictures(examples, pictures)}
    archive.keep(shown.values())
    there = tuple(each for name, each in asked.items() if name in shown)
    request = Request(wanted.request_id, wanted.day, wanted.at, wanted.by, len(reachable), there, reach_of(reachable))
    is_new = ledger.ask(request)
    lost = tuple(name for name in asked if name not in shown)
    known = request if is_new else _known(ledger, wanted.request_id) or request
    return Requested(
        known, is_new, {name: without_pictures(each) for name, each in shown.items()}, found.gone, lost, ends
    )
