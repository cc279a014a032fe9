"""Labels from a file into the ledger, and from there onto the topic.

    file ──► lines ──► words, as the request weighs them ──► ledger ──► labels

The ledger comes first: killed between the two, a second run finds the words there and sends them. A word that the ledger
knows is sent again as it was given, and counts once.

What was answered before it was asked for, or before its day was asked about once more, weighs otherwise now: such answers
are said again with their new weights, a moment after they were given, so that a correction still holds. They are sent
with each import, for nobody knows whether the last run came so far.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import Any, Final

from models.archive.examples import GivenLabel
from models.archive.opening import ArchiveAndLedger
from producers.label_import import Check, Defaults, Line, source_faults
from producers.labels import done_of, label_of
from roadwatch.labelling.reading import Format, Known, format_of, read_file
from roadwatch.labelling.words import Words, thing_of, weighed_anew
from runtime.admin import TopicAdmin
from runtime.clients import Writer
from runtime.registry import open_codec
from runtime.settings import Settings
from schemas.errors import ConfigurationError
from schemas.records import Label
from schemas.topics import LABELS

TICK_S: Final = 0.005
"Kafka stamps records by the millisecond: what ends an import is stamped later than its labels."
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
    "Answers of before that were sent again, for their requests say now what they weigh."
    outweighed: int = 0
    "Labels that were given before what their source has said since: they change nothing."
    passed: int = 0
    "Labels that are as they were exported: the word of others."

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        check = {"right": self.check.good, "wrong": self.check.bad, "open": self.check.open}
        told = {"sent": self.sent, "new": self.new, "asked": self.asked, "unasked": self.unasked}
        weighed = {"reweighed": self.reweighed, "again": self.again}
        weighed |= {"outweighed": self.outweighed, "passed": self.passed}
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
            yield f"{self.again} answers of before were sent again with the weights that their requests give them now."
        if self.outweighed:
            yield (
                f"{self.outweighed} were given before what the same source has said of the same since, and change nothing;"
                " where they are corrections, say in labelled_at when they were made, or leave it empty."
            )
        if self.passed:
            yield f"{self.passed} are as they were exported, the word of others: they were passed over."
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
        source = wanted.source or self.kind
        if faults := [*source_faults(source)]:
            raise ConfigurationError("--source", faults)
        self._defaults = Defaults(wanted.classes, source, wanted.at, settings.monitor.max_skew)
        self._said = Words(self._ledger.requests(), self._ledger.labels())

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
            given = self._words()
            while words := list(islice(given, AT_ONCE)):
                outcome.new += self._ledger.add(words)
                for word in words:
                    said[_sent(writer, word)] = word.source
                    outcome.sent += 1
                    progress()
            weighed = weighed_anew(self._ledger.requests(), self._ledger.labels())
            self._ledger.add(weighed)
            for word in weighed:
                said[_sent(writer, word)] = word.source
            outcome.again = len(weighed)
            _finish(writer, said)

    def _words(self) -> Iterator[GivenLabel]:
        """What the right lines say."""
        for line in self._lines():
            if line.label is not None and not line.is_as_exported:
                yield self._said.word_of(line, line.label)

    @cached_property
    def _known(self) -> Known:
        """Examples that were asked for or are kept: looked for where a file must be about these."""
        return Known.of(self._said.questions.keys() | self._archive.ids())

    def _lines(self) -> Iterator[Line]:
        known = Known.of(()) if self.kind == "csv" else self._known
        for line in read_file(self._wanted.path, self.kind, self._defaults, known):
            yield self._of_camera(self._of_known(line))

    def _of_known(self, line: Line) -> Line:
        """The line, or a wrong one where an exported file is about what was not exported."""
        if line.label is None or not line.is_exported or self._known.find(thing_of(line.label)):
            return line
        fault = f"{thing_of(line.label)} was neither asked for nor is kept; correct the id, or leave the line out"
        return replace(line, label=None, faults=(fault,))

    def _of_camera(self, line: Line) -> Line:
        """The line, or a wrong one where it is of a camera that was not named."""
        cameras = self._wanted.cameras
        if line.label is None or cameras is None or line.label.camera_id in cameras:
            return line
        fault = f"is of camera {line.label.camera_id!r}, and the file is to be of {', '.join(sorted(cameras))}"
        return replace(line, label=None, faults=(f"{fault}; leave it out, or name the camera with --camera",))

    def _count(self, outcome: Outcome, line: Line, label: Label) -> None:
        if line.is_as_exported:
            outcome.passed += 1
            return
        outcome.outweighed += self._said.is_outweighed(line)
        question = self._said.questions.get(thing_of(label))
        if question is None:
            outcome.unasked[label.camera_id] = outcome.unasked.get(label.camera_id, 0) + 1
            return
        outcome.asked += 1
        outcome.reweighed += line.is_weighted and label.weight != question.weight


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
