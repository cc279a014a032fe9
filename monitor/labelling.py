"""What the labels of one thing say together: late ones, corrections, withdrawals, and sources that contradict each other.

    a person   car ──── truck (corrected)          truck, weighs 1   ┐
    loop       car                                 car, weighs .5    ├─► truck, contradicted
    csv        car ──── withdrawn                  —                 ┘

Of each source the newest word holds. Where sources differ, the class wins whose sources weigh more together; of two that
weigh the same, the one that was named last.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from monitor.chunks import Given
from schemas.errors import DecodingError
from schemas.records import Label

WITHDRAWN = ""
"Stands for a class where a source takes back what it said."
MOST: Final = {"classes": 200, "sources": 200, "weights": 500}
"""So many different ones may a camera's labels name.

A camera-day names each, and is a record of a megabyte at most: of 2,159 vehicles, one with 200 classes has 175 KB (with
1,000, 450), with 500 weights or with 200 sources of 200 characters 44 KB."""
KEPT_DAYS: Final = 10
"What was not named for so many days of the log is forgotten: longer than labels count for a day, as it is shipped."
MOST_WORDS: Final = 100
"Of one thing: they all lie in one chunk, until its days are forgotten."
_DAY_MS: Final = 86_400_000


@dataclass(frozen=True, slots=True)
class Decision:
    """What is taken for the truth of one thing."""

    label: str | None
    "The class; None where every source has taken back its word."
    source: str
    "Who said so last; empty without a class."
    late: bool
    "Whether a label counts that came after the day had closed."
    contradicted: bool
    "Whether sources say different classes."
    withdrawn: bool
    "Whether a source took back its word."
    weight: float = 1.0
    "How many like it the label stands for: what any of the sources knows, some of which were not asked."


@dataclass(frozen=True, slots=True)
class Cut:
    """Which labels count for a day."""

    end_us: int
    "The day's end."
    cutoff_ms: int | None
    "When the record was logged at which it stopped waiting for labels; None before that."
    heeds_promises: bool
    "Whether it is closed by a promise."
    revised_ms: int = -1
    "Labels that were logged before this time count, late or not."
    trust: tuple[tuple[str, float], ...] = ()
    "What a source's word weighs; 1 for those not named."

    def is_in_time(self, given: Given) -> bool:
        """Whether a label came before the day closed."""
        return given.is_in_time(self.end_us, self.cutoff_ms, self.heeds_promises)

    def counts(self, given: Given) -> bool:
        """Whether a label came before the day closed, or before its revision."""
        return self.is_in_time(given) or given.logged_ms < self.revised_ms

    def decide(self, given: Iterable[Given]) -> Decision | None:
        """What the labels that count say of their thing; None when none counts."""
        counted = [g for g in given if self.counts(g)]
        return _decision(self, counted) if counted else None

    def left_out(self, given: Iterable[Given]) -> Iterator[Given]:
        """Those that do not count yet."""
        return (g for g in given if not self.counts(g))


def _decision(cut: Cut, counted: list[Given]) -> Decision:
    words = _newest_of_each_source(counted)
    said = [given for given in words if given.label != WITHDRAWN]
    chosen = _weightiest(said, dict(cut.trust))
    return Decision(
        label=chosen.label if chosen else None,
        source=chosen.source if chosen else "",
        late=not all(cut.is_in_time(given) for given in words),
        contradicted=len({given.label for given in said}) > 1,
        withdrawn=len(said) < len(words),
        weight=max((given.weight for given in said), default=1.0),
    )


def _newest_of_each_source(counted: Iterable[Given]) -> list[Given]:
    newest: dict[str, Given] = {}
    for given in sorted(counted, key=_age):
        newest[given.source] = given
    return sorted(newest.values(), key=_age)


def _age(given: Given) -> tuple[int, str]:
    return given.labelled_us, given.label_id


def _weightiest(said: list[Given], trust: dict[str, float]) -> Given | None:
    weights: dict[str, float] = defaultdict(float)
    for given in said:
        weights[given.label] += trust.get(given.source, 1.0)
    return max(said, key=lambda given: (weights[given.label], _age(given)), default=None)


@dataclass(slots=True)
class Variety:
    """What a camera's labels have named of late: known from labels alone, in their order."""

    day: int = -1
    "The newest day of the log, since 1970, in UTC."
    known: dict[str, dict[str, int]] = field(default_factory=dict)
    "Classes, sources and weights, each with the day on which it was named last."

    def admit(self, label: Label, logged_ms: int) -> None:
        """Know what a label names.

        Raises:
            DecodingError: it would be one too many; nothing is known of it then.

        """
        day = max(self.day, logged_ms // _DAY_MS)
        known = {kind: _since(day - KEPT_DAYS, self.known.get(kind, {})) for kind in MOST}
        for kind, name in _named(label):
            if name not in known[kind] and len(known[kind]) >= MOST[kind]:
                raise DecodingError(
                    f"label {label.label_id} names {name!r}, and labels of {label.camera_id} have named {MOST[kind]}"
                    f" {kind} within {KEPT_DAYS} days of the log: more are not told apart"
                )
            known[kind][name] = day
        self.day, self.known = day, known


def _since(day: int, known: dict[str, int]) -> dict[str, int]:
    return {name: named for name, named in known.items() if named > day}


def _named(label: Label) -> Iterator[tuple[str, str]]:
    yield "sources", label.source
    yield "weights", repr(label.weight)
    if label.label is not None:
        yield "classes", label.label


def with_word(known: list[Given], given: Given) -> list[Given]:
    """Labels of a thing and one more; one that is no newer than what its source said before changes nothing."""
    if any(other.source == given.source and _age(given) <= _age(other) for other in known):
        return known
    return [*known, given]
