"""A day's examples of which the truth is known, before any picture is read.

    ledger ─┐
    labels ─┴─► truths ──────────────┐
    cluster: predictions, passages ──┼─► judged ─► all failures, right ones drawn
    archive: what is gone there ─────┘

Labels count as for a retraining: of each source the newest word, of several the weightier class. Nothing is written.
"""

import random
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from models.archive.examples import Example, GivenLabel, Request, Truth
from models.archive.opening import ArchiveAndLedger
from models.archive.truths import Truths, truths_of
from models.failures.groups import Judged
from monitor.windows import Calendar
from roadwatch.failing.request import FailuresRequest, Progress
from roadwatch.labelling.days import DayExamples, examples_of_day
from roadwatch.labelling.fetching import without_pictures
from roadwatch.labelling.keeping import word_of
from roadwatch.reporting.reading import Cluster
from runtime.registry import open_codec
from runtime.settings import Settings
from runtime.spans import logged_since
from schemas.errors import ConfigurationError, RecordError
from schemas.records import Label
from schemas.topics import LABELS

UNSEEN: Final = np.empty(0, np.float32)
"The embedding of an example whose pictures were not looked at."
OF_FAILURES: Final = 0.75
"Of all that is looked at, so much may be failures: without right ones there is nothing to compare them with."
SAID_EVERY: Final = 1000
"Labels between two words of progress."

CONTRADICTED: Final = "sources that weigh the same say different classes"
NOT_FOUND: Final = "asked for on this day, and neither on the cluster nor in the archive"
DAMAGED: Final = "damaged in the archive"


@dataclass(frozen=True, slots=True)
class Material:
    """What there is of a day."""

    judged: tuple[Judged, ...]
    "Examples whose truth is known, by time, without embeddings."
    examples: int
    "Examples of the day, labelled or not."
    timezone: str
    "In which the day begins and ends."
    found: DayExamples
    "What the cluster has of it."
    left_out: Mapping[str, tuple[str, ...]]
    "What is not among the judged though somebody labelled it, by reason."
    unreadable: int
    "Records that were none."


@dataclass(frozen=True, slots=True)
class _Words:
    """What was said, here and there."""

    words: tuple[GivenLabel, ...]
    "All that can be about the day, and much that is not."
    unreadable: int
    "Records that were none."


def material_of(settings: Settings, kept: ArchiveAndLedger, asked: FailuresRequest, progress: Progress) -> Material:
    """Return the judged examples of a day.

    Raises:
        ConfigurationError: nothing passed on that day, a camera is not known, or nobody has labelled anything.
        ArchiveError: the ledger cannot be read.
        BrokerError: the cluster does not give the day.

    """
    day = _Day(settings, kept, asked, progress)
    said = day.words()
    truths = truths_of(said.words, settings.monitor.label_trust)
    found = day.on_cluster()
    examples = (*found.examples, *day.in_archive(truths, found))
    _check_cameras(settings, asked, examples)
    known = truths.truths
    judged = tuple(_judged(each, known[each.example_id]) for each in examples if each.example_id in known)
    _check_labels(asked, examples, judged)
    return Material(
        judged=judged,
        examples=len(examples),
        timezone=settings.monitor.timezone,
        found=found,
        left_out=day.left_out(truths, {each.example_id for each in examples}),
        unreadable=said.unreadable + found.unreadable,
    )


def drawn(judged: Sequence[Judged], most: int, seed: int) -> tuple[Judged, ...]:
    """Return at most so many, failures first, each standing for those like it that are left out."""
    failed, right = [each for each in judged if each.failed], [each for each in judged if not each.failed]
    room = most if len(judged) <= most else max(most - len(right), int(most * OF_FAILURES))
    some = _some(failed, room, seed)
    return (*some, *_some(right, most - len(some), seed))


def _some(judged: Sequence[Judged], most: int, seed: int) -> list[Judged]:
    if len(judged) <= most:
        return list(judged)
    chosen = random.Random(seed).sample(judged, most)  # noqa: S311  # no secret
    stands_for = sum(each.weight for each in judged) / sum(each.weight for each in chosen)
    return [replace(each, weight=each.weight * stands_for) for each in chosen]


class _Day:
    """Reads what there is of a day."""

    def __init__(self, settings: Settings, kept: ArchiveAndLedger, asked: FailuresRequest, progress: Progress) -> None:
        self._settings, self._asked, self._progress = settings, asked, progress
        self._archive, self._ledger = kept
        self._since = Calendar(settings.monitor.timezone).bounds(asked.day)[0] - settings.monitor.max_skew
        self._damaged: list[str] = []

    def words(self) -> _Words:
        """What the ledger holds, and what was said on the topic since the day began."""
        kafka = self._settings.kafka
        codec, name = open_codec(kafka), kafka.names.of(LABELS)
        words, unreadable = list(self._ledger.labels()), 0
        for number, record in enumerate(logged_since(kafka, name, self._since), 1):
            try:
                word = word_of(codec.decode(record.value, Label))
            except RecordError:  # the monitor sent it to dead letters
                word, unreadable = None, unreadable + 1
            words += [word] if word else []
            if number % SAID_EVERY == 0:
                self._progress(f"reading {name}", number, number)
        return _Words(tuple(words), unreadable)

    def on_cluster(self) -> DayExamples:
        """What the topics still have."""
        return examples_of_day(
            self._settings,
            self._asked.day,
            self._asked.cameras or None,
            pictures=False,
            progress=lambda topic, number: self._progress(f"reading {topic}", number, max(number, 1)),
        )

    def in_archive(self, truths: Truths, found: DayExamples) -> tuple[Example, ...]:
        """Labelled examples of the day that only the archive has, without their pictures."""
        names = self._elsewhere(truths, {each.example_id for each in found.examples})
        kept = self._archive.ids() if names else frozenset()
        read = self._archive.read((name for name in names if name in kept), self._damaged.append)
        return tuple(without_pictures(each) for each in read if each.day == self._asked.day)

    def left_out(self, truths: Truths, there: AbstractSet[str]) -> dict[str, tuple[str, ...]]:
        """What somebody labelled that is not among the judged, by reason."""
        wanted = {name for request in self._requests(own=True) for name in self._names(request)}
        lost = tuple(name for name in truths.truths if name in wanted and name not in there)
        contradicted = tuple(name for name in truths.contradicted if name in wanted | there)
        reasons = {CONTRADICTED: contradicted, NOT_FOUND: lost, DAMAGED: tuple(self._damaged)}
        return {reason: names for reason, names in reasons.items() if names}

    def _elsewhere(self, truths: Truths, there: AbstractSet[str]) -> list[str]:
        """Labelled things that the cluster does not have, and that can be of this day."""
        others = {asked.example_id for request in self._requests(own=False) for asked in request.asked}
        known, known_truths = there | others, truths.truths.items()
        young = [name for name, truth in known_truths if truth.given_at >= self._since and name not in known]
        return [name for name in young if self._is_of(name)]

    def _requests(self, *, own: bool) -> Iterator[Request]:
        """Requests for the day, or for others."""
        return (request for request in self._ledger.requests() if (request.day == self._asked.day) is own)

    def _names(self, request: Request) -> Iterator[str]:
        return (asked.example_id for asked in request.asked if self._is_of(asked.example_id))

    def _is_of(self, example_id: str) -> bool:
        """Whether it is of a camera that is asked for."""
        cameras = self._asked.cameras
        return not cameras or any(example_id.startswith(f"{camera}:") for camera in cameras)


def _judged(example: Example, truth: Truth) -> Judged:
    return Judged(example, truth.label, UNSEEN, truth.weight)


def _check_cameras(settings: Settings, asked: FailuresRequest, examples: Sequence[Example]) -> None:
    seen = {each.camera_id for each in examples}
    if missing := [camera for camera in asked.cameras if camera not in seen]:
        raise ConfigurationError(
            "--camera", [f"{name}: nothing of it on {asked.day}; {_cameras(settings, asked.day)}" for name in missing]
        )
    if not examples:
        fault = (
            f"no vehicle and no single frame of {asked.day} is on the cluster or in the archive;"
            " 'roadwatch report list' names the days that were reported"
        )
        raise ConfigurationError("DAY", [fault])


def _cameras(settings: Settings, day: str) -> str:
    report = Cluster(settings).reports().get(day)
    names = sorted(camera.camera_id for camera in report.cameras) if report else []
    return f"that day has {', '.join(names)}" if names else "there is no report of that day"


def _check_labels(asked: FailuresRequest, examples: Sequence[Example], judged: Sequence[Judged]) -> None:
    if not judged:
        cameras = "".join(f" --camera {name}" for name in asked.cameras)
        fault = (
            f"nobody has labelled any of the {len(examples)} vehicles and single frames of {asked.whose};"
            f" ask with 'roadwatch label request {asked.day}{cameras}'"
        )
        raise ConfigurationError("DAY", [fault])
