"""What is asked for and not answered. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime

from models.archive.examples import Asked, GivenLabel, Request, Why
from models.archive.truths import Truths, truths_of
from models.asking import weights_of


@dataclass(frozen=True, slots=True)
class Question:
    """An example for which a label was asked."""

    example_id: str
    "The example."
    day: str
    "Its day."
    why: Why
    "Why it."
    weight: float
    "How many examples of the day its label stands for, all requests of the day together."
    request_id: str
    "The request that asked first."
    asked_at: datetime
    "When."


@dataclass(frozen=True, slots=True)
class Queue:
    """Everything that was asked, and what came of it."""

    questions: tuple[Question, ...]
    "Each example once; the oldest day first, within it in the order in which they are best labelled."
    truths: Truths
    "What the words say together."

    @property
    def open(self) -> tuple[Question, ...]:
        """Those that nobody has answered; an answer that was taken back is none."""
        return tuple(question for question in self.questions if not self.is_answered(question))

    def is_answered(self, question: Question) -> bool:
        """Whether a source's word stands, be it contradicted."""
        return question.example_id in self.truths.truths or question.example_id in self.truths.contradicted

    def label_of(self, question: Question) -> str | None:
        """Return what was said; None where nothing was, or sources contradict each other."""
        truth = self.truths.truths.get(question.example_id)
        return truth.label if truth else None

    def by_day(self) -> dict[str, Counter[str]]:
        """Return, by day, how many were asked for, how many are open, and the open ones by why."""
        counts: dict[str, Counter[str]] = {}
        open_ids = {question.example_id for question in self.open}
        for question in self.questions:
            count = counts.setdefault(question.day, Counter())
            count["asked"] += 1
            if question.example_id in open_ids:
                count.update(["open", question.why])
        return counts


def queue_of(requests: Iterable[Request], labels: Iterable[GivenLabel], trust: Mapping[str, float]) -> Queue:
    """Return what was asked by these requests, and answered by these words."""
    questions: dict[str, Question] = {}
    ordered = sorted(requests, key=lambda request: (request.day, request.asked_at))
    weights = weights_of(ordered)
    for request in ordered:
        for asked in request.asked:
            questions.setdefault(asked.example_id, _question(request, asked, weights[asked.example_id]))
    return Queue(tuple(questions.values()), truths_of(labels, trust))


def of_days(questions: Sequence[Question], days: AbstractSet[str] | None) -> list[Question]:
    """Return those of these days; of all without."""
    return [question for question in questions if days is None or question.day in days]


def _question(request: Request, asked: Asked, weight: float) -> Question:
    return Question(asked.example_id, request.day, asked.why, weight, request.request_id, request.asked_at)
