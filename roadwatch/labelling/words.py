"""What sources have said until now, and what a line of a file adds to it. Pure.

given        10:00  car ×1 ─── asked ─── import: 10:00:00.001  car ×3      weighed anew, a moment later
corrected    10:20  truck ────────────────────────────────────────────►    holds, whenever it is imported

10:00  car   and again                       nothing new: the word that is known
10:00  truck, a file that was changed        10:00:00.001  truck: it is meant
09:00  truck, of the same source             outweighed: what it has said since holds
"""

import math
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Final

from models.archive.examples import GivenLabel, Request
from producers.label_import import Line
from roadwatch.labelling.queue import Question, queue_of
from schemas.records import Label

LATER: Final = timedelta(milliseconds=1)
"Of two words of one source the later holds."
SAME_TIME: Final = timedelta(seconds=1)
"Words this close are of one time: a file's label was changed and its time was not, or they were weighed anew."


class Words:
    """What was asked and said when an import begins."""

    def __init__(self, requests: Iterable[Request], words: Iterable[GivenLabel]) -> None:
        """Words come the oldest first."""
        self.questions = _questions(requests)
        self._newest = {key: said[-1] for key, said in _by_source(words).items()}

    def is_outweighed(self, line: Line) -> bool:
        """Whether its source has said something else since."""
        before = self._before(line.label) if line.label and line.is_timed else None
        if before is None or line.label is None or before.label == line.label.label:
            return False
        return line.label.labelled_at <= before.labelled_at - SAME_TIME

    def word_of(self, line: Line, label: Label) -> GivenLabel:
        """Return what it says, weighed as it was asked.

        Said again it is what was said before; changed, and its time left as it was, it comes after what it changes.
        """
        word, before = self._given(label), self._before(label)
        if before is None or self.is_outweighed(line):
            return word
        if before.label != word.label or self._is_weighed_otherwise(line, word, before):
            return replace(word, labelled_at=max(word.labelled_at, before.labelled_at + LATER))
        return word if line.is_timed and word.labelled_at > before.labelled_at else before

    def _before(self, label: Label) -> GivenLabel | None:
        return self._newest.get((thing_of(label), label.source))

    def _given(self, label: Label) -> GivenLabel:
        question = self.questions.get(thing_of(label))
        weight = question.weight if question else label.weight
        return GivenLabel(thing_of(label), label.label, label.source, label.labelled_at, weight)

    def _is_weighed_otherwise(self, line: Line, word: GivenLabel, before: GivenLabel) -> bool:
        """Whether the file gives another weight to what nobody asked for."""
        return line.is_weighted and word.example_id not in self.questions and word.weight != before.weight


def thing_of(label: Label) -> str:
    """Return the id of what is labelled."""
    return label.frame_id or label.passage_id or ""


def weighed_anew(requests: Iterable[Request], words: Iterable[GivenLabel]) -> list[GivenLabel]:
    """Return answers that stand and were given with another weight than their requests say now, as they weigh now."""
    questions = _questions(requests)
    answers = _by_source(word for word in words if word.example_id in questions)
    return [found for said in answers.values() if (found := _weighed(said, questions[said[0].example_id]))]


def _questions(requests: Iterable[Request]) -> dict[str, Question]:
    return {question.example_id: question for question in queue_of(requests, (), {}).questions}


def _weighed(said: Sequence[GivenLabel], question: Question) -> GivenLabel | None:
    """What a source has said of an example as it weighs now, a moment later, so that it holds; None where it always did."""
    word, weight = said[-1], question.weight
    if word.label is None:
        return None
    if not math.isclose(word.weight, weight):
        return replace(word, weight=weight, labelled_at=word.labelled_at + LATER)
    alike = (each for each in said if each.label == word.label)
    return None if all(math.isclose(each.weight, weight) for each in alike) else word


def _by_source(words: Iterable[GivenLabel]) -> dict[tuple[str, str], list[GivenLabel]]:
    """The words of each source about each example, in their order."""
    found: defaultdict[tuple[str, str], list[GivenLabel]] = defaultdict(list)
    for word in words:
        found[word.example_id, word.source].append(word)
    return found
