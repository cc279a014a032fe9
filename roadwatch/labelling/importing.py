"""Labels from a file into the ledger, and from there onto the topic.

    file ──► lines ──► words, as the request weighs them ──► ledger ──► labels

The ledger comes first: killed between the two, a second run finds the words there and sends them. A word that the ledger
knows is sent again as it was given, and counts once.

A day that was asked about a second time has other weights than before: answers that were given then are sent again with
them, each time, for nobody knows whether the last run came so far.
"""

import math
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from models.archive.examples import GivenLabel
from models.archive.opening import ArchiveAndLedger
from producers.label_import import Check, Defaults, Line
from producers.labels import done_of, label_of
from roadwatch.labelling.queue import queue_of
from roadwatch.labelling.reading import Format, Known, format_of, read_file
from runtime.admin import TopicAdmin
from runtime.clients import Writer
from runtime.registry import open_codec
from runtime.settings import Settings
from schemas.records import Label
from schemas.topics import LABELS

TICK_S: Final = 0.005
"Kafka stamps records by the millisecond: what ends an import is stamped later than its labels."
LATER: Final = timedelta(milliseconds=1)
"Of two words of one source the later holds."
AT_ONCE: Final = 1000
"Words that are recorded, and then sent, together."


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is imported, and how."""

    path: Path
    "The file."
    classes: tuple[str, ...]
    "The labels that there are."
    at: datetime
    "When labels were given of which the file does not say so; UTC."
    source: str | None = None
    "Who gave the labels, where the file does not say; None: the format's name."
    cameras: frozenset[str] | None = None
    "Labels of other cameras are wrong; None: of any."


@dataclass(slots=True)
class Outcome:
    """What came of an import."""

    kind: Format
    "What the file is."
    check: Check
    "What is right, wrong and open in it."
    sent: int = 0
    "Labels that were sent."
    new: int = 0
    "Words that the ledger had not."
    asked: int = 0
    "Labels of examples that were asked for."
    unasked: dict[str, int] = field(default_factory=dict)
    "Labels of what nobody asked for, by camera."
    reweighed: int = 0
    "Labels whose weight the request tells, and the file tells otherwise."
    again: int = 0
    "Answers of before that were sent again, for their day was asked about once more."

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        check = {"right": self.check.good, "wrong": self.check.bad, "open": self.check.open}
        told = {"sent": self.sent, "new": self.new, "asked": self.asked, "unasked": self.unasked}
        weighed = {"reweighed": self.reweighed, "again": self.again}
        return {"format": self.kind, **check, **told, **weighed, "faults": self.check.faults}

    def sentences(self, dry_run: bool) -> Iterator[str]:
        """Say it in words."""
        known = self.sent - self.new
        before = f", {known} of which the ledger knew: they count once" if known else ""
        done = "nothing was sent (dry run)" if dry_run else f"{self.sent} labels sent{before}"
        left_open = f", {self.check.open} not filled in" if self.check.open else ""
        yield f"{self.check.good} right lines, {self.check.bad} wrong{left_open}: {done}."
        if self.asked:
            yield f"{self.asked} answer what was asked for, and weigh as their requests say."
        if self.reweighed:
            yield f"The file gives {self.reweighed} of them another weight, which was not taken."
        if self.again:
            yield f"{self.again} answers of before were sent again with new weights: their day was asked about once more."
        if self.asked and self.unasked:
            cameras = ", ".join(f"{count} of {camera_id}" for camera_id, count in sorted(self.unasked.items()))
            yield f"Nobody asked for the others: {cameras}."


class Import:
    """One file: checked as a whole, then recorded and sent."""

    def __init__(self, settings: Settings, kept: ArchiveAndLedger, wanted: Wanted) -> None:
        """Raises ConfigurationError where the file is none, ArchiveError where the ledger cannot be read."""
        self._archive, self._ledger = kept
        self._settings = settings
        self._wanted = wanted
        self.kind: Format = format_of(wanted.path)
        self._defaults = Defaults(wanted.classes, wanted.source or self.kind, wanted.at)
        requests = self._ledger.requests()
        queue = queue_of(requests, (), {})
        self._asked_anew = {day for day, count in Counter(each.day for each in requests).items() if count > 1}
        self._questions = {question.example_id: question for question in queue.questions}
        self._newest = _newest(self._ledger.labels())

    def check(self) -> Outcome:
        """Read the whole file; raises ConfigurationError where the file itself is wrong."""
        outcome = Outcome(self.kind, Check())
        for line in self._lines():
            outcome.check.add(line)
            if line.label is not None:
                self._count(outcome, line, line.label)
        return outcome

    def send(self, outcome: Outcome, progress: Callable[[], None]) -> None:
        """Record the right lines and send them.

        Raises:
            ArchiveError: the ledger takes no more; what it took before is sent when this is done again.
            BrokerError: likewise.

        """
        TopicAdmin(self._settings.kafka).require()
        kafka, said = self._settings.kafka, dict[str, str]()
        with Writer(kafka, open_codec(kafka)) as writer:
            right = (self._word(line, line.label) for line in self._lines() if line.label is not None)
            while words := list(islice(right, AT_ONCE)):
                outcome.new += self._ledger.add(words)
                for word in words:
                    said[_sent(writer, word)] = word.source
                    outcome.sent += 1
                    progress()
            weighed = self._weighed_anew()
            self._ledger.add(weighed)
            for word in weighed:
                said[_sent(writer, word)] = word.source
            outcome.again = len(weighed)
            _finish(writer, said)

    def _weighed_anew(self) -> list[GivenLabel]:
        """Answers of before that still stand, of days that were asked about more than once, as they weigh now."""
        return [
            _weighed(word, question.weight, self._wanted.at)
            for key, word in _newest(self._ledger.labels()).items()
            if (question := self._questions.get(word.example_id))
            and question.day in self._asked_anew
            and key in self._newest
            and word.label is not None
        ]

    @cached_property
    def _known(self) -> Known:
        """Examples that were asked for or are kept: looked for where a file must be about these."""
        return Known.of(self._questions.keys() | self._archive.ids())

    def _lines(self) -> Iterator[Line]:
        known = Known({}) if self.kind == "csv" else self._known
        for line in read_file(self._wanted.path, self.kind, self._defaults, known):
            yield self._of_camera(self._of_known(line))

    def _of_known(self, line: Line) -> Line:
        """The line, or a wrong one where an exported file is about what was not exported."""
        if line.label is None or not line.is_exported or self._known.find(_target(line.label)):
            return line
        fault = f"{_target(line.label)} was neither asked for nor is kept; correct the id, or leave the line out"
        return replace(line, label=None, faults=(fault,))

    def _of_camera(self, line: Line) -> Line:
        """The line, or a wrong one where it is of a camera that was not named."""
        cameras = self._wanted.cameras
        if line.label is None or cameras is None or line.label.camera_id in cameras:
            return line
        fault = f"is of camera {line.label.camera_id!r}, and the file is to be of {', '.join(sorted(cameras))}"
        return replace(line, label=None, faults=(f"{fault}; leave it out, or name the camera with --camera",))

    def _count(self, outcome: Outcome, line: Line, label: Label) -> None:
        question = self._questions.get(_target(label))
        if question is None:
            outcome.unasked[label.camera_id] = outcome.unasked.get(label.camera_id, 0) + 1
            return
        outcome.asked += 1
        outcome.reweighed += line.is_weighted and label.weight != question.weight

    def _word(self, line: Line, label: Label) -> GivenLabel:
        """What is said, weighed as it was asked; said again without a time, it is what was said before."""
        target, question = _target(label), self._questions.get(_target(label))
        weight = question.weight if question else label.weight
        word = GivenLabel(target, label.label, label.source, label.labelled_at, weight)
        before = self._newest.get((target, label.source))
        return before if before and before.label == word.label and not line.is_timed else word


def _target(label: Label) -> str:
    return label.frame_id or label.passage_id or ""


def _newest(words: Iterable[GivenLabel]) -> dict[tuple[str, str], GivenLabel]:
    """The newest word of each source about each example; they come the oldest first."""
    return {(word.example_id, word.source): word for word in words}


def _weighed(word: GivenLabel, weight: float, at: datetime) -> GivenLabel:
    """The word with another weight, said again: later than before, so that it holds."""
    if math.isclose(word.weight, weight):
        return word
    return replace(word, weight=weight, labelled_at=max(at, word.labelled_at + LATER))


def _sent(writer: Writer, word: GivenLabel) -> str:
    """Send a word; return its camera."""
    label = label_of(word.example_id, word.label, source=word.source, labelled_at=word.labelled_at, weight=word.weight)
    writer.send(LABELS, label.camera_id, label)
    return label.camera_id


def _finish(writer: Writer, said: Mapping[str, str]) -> None:
    """Say of each camera that its labels were sent: late ones need not wait to be counted."""
    writer.flush()
    time.sleep(TICK_S)
    for camera_id, source in said.items():
        writer.send(LABELS, camera_id, done_of(camera_id, source, datetime.now(UTC)))
    writer.flush()
