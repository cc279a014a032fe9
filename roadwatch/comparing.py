"""Champion against challenger on the cluster: their predictions and the labels read, paired, and weighed.

labels ──────────────┐
predictions ─────────┼─► models.pairing ─► models.comparison ─► Standing
shadow-predictions ──┘
"""

import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from threading import Event
from typing import Any, Final

from models.bundle import BUNDLED, read_manifest
from models.comparison import Comparison, Evidence, Rule, evidence
from models.pairing import Paired, Pairing
from models.registry.opening import open_registry
from runtime.admin import TopicAdmin
from runtime.clients import Reader, Received
from runtime.registry import open_codec
from runtime.settings import KafkaSettings, Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import ConfigurationError, ModelRegistryError, RecordError
from schemas.records import Label, Prediction
from schemas.topics import LABELS, PREDICTIONS, SHADOW_PREDICTIONS

READ_S: Final = 600.0
"The longest that a topic is read to its end."
BATCH: Final = 500

Progress = Callable[[str, int], None]
"Told the topic that is read, and how many of its records were."


@dataclass(frozen=True, slots=True)
class Asked:
    """What is compared."""

    champion: str
    "The version that serves."
    challenger: str
    "The version in shadow."
    rule: Rule
    "When the comparison is over."
    since: datetime | None = None
    "Pictures taken before it are left out; None: none are."
    trust: Mapping[str, float] = field(default_factory=dict)
    "What a label source's word weighs where sources differ; 1 for those not named."


@dataclass(frozen=True, slots=True)
class Standing:
    """How a comparison stands."""

    asked: Asked
    "What is compared."
    evidence: Evidence
    "What it says."
    left_out: Mapping[str, int]
    "What is not in it, by reason."
    sentence: str
    "The answer in words."

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"sentence": self.sentence, **asdict(self.asked), **asdict(self.evidence), "left_out": {**self.left_out}}


def asked_of(
    settings: Settings, champion: str | None, challenger: str | None, rule: Rule, since: datetime | None
) -> Asked:
    """Return what is to be compared: the versions named, else the registry's; raises ModelRegistryError without one."""
    champion = champion or _champion(settings)
    challenger = challenger or _challenger(settings)
    if champion == challenger:
        raise ConfigurationError(
            "--challenger", [f"{challenger} is the champion too: a version has no match in itself"]
        )
    return Asked(champion, challenger, rule, since, settings.monitor.label_trust)


def compared(kafka: KafkaSettings, asked: Asked, progress: Progress) -> Standing:
    """Compare on everything that is on the cluster now; labels count in the order in which they were given.

    Memory holds labels, and the predictions of labelled vehicles. Raises BrokerError.
    """
    TopicAdmin(kafka).require()
    table = _Table(kafka, asked, labels_follow=False)
    for topic in table.topics:
        _read(kafka, topic, table, progress)
    return table.settled()


def followed(kafka: KafkaSettings, asked: Asked, stop: Event, progress: Progress) -> Iterator[Standing]:
    """Compare on what is on the cluster and on what comes, until `stop` is set; a standing after each batch.

    Labels count as soon as their vehicle is over. Raises BrokerError.
    """
    TopicAdmin(kafka).require()
    table = _Table(kafka, asked, labels_follow=True)
    _read(kafka, kafka.names.of(LABELS), table, progress)
    yield table.standing()
    with Reader(kafka, list(table.topics), f"roadwatch-compare-{uuid.uuid4()}") as reader:
        while not stop.is_set():
            for record in reader.read(BATCH):
                table.take(record)
            yield table.standing()


def _champion(settings: Settings) -> str:
    """A bundle that the settings name serves whatever the registry says; the one that ships, while it says nothing."""
    if settings.processor.bundle:
        return read_manifest(settings.processor.bundle).version
    holder = open_registry(settings.models).state().holders.get("champion")
    return holder.version if holder else read_manifest(BUNDLED).version


def _challenger(settings: Settings) -> str:
    holder = open_registry(settings.models).state().holders.get("challenger")
    if holder is None:
        raise ModelRegistryError(
            f"{settings.models.registry}: nobody is challenger; 'roadwatch models promote' makes a version one,"
            " or name it with --challenger"
        )
    return holder.version


def _read(kafka: KafkaSettings, topic: str, table: "_Table", progress: Progress) -> None:
    progress(topic, 0)
    for number, record in enumerate(read_all(kafka, topic, READ_S), 1):
        table.take(record)
        if number % BATCH == 0:
            progress(topic, number)


class _Table:
    """Takes records of three topics and keeps the comparison."""

    def __init__(self, kafka: KafkaSettings, asked: Asked, *, labels_follow: bool) -> None:
        self._codec: Codec = open_codec(kafka)
        self._asked = asked
        self._pairing = Pairing(asked.champion, asked.challenger, labels_follow=labels_follow, trust=asked.trust)
        self._comparison = Comparison(asked.rule)
        self.topics: dict[str, Callable[[bytes], list[Paired]]] = {
            kafka.names.of(LABELS): self._label,
            kafka.names.of(PREDICTIONS): self._prediction,
            kafka.names.of(SHADOW_PREDICTIONS): self._prediction,
        }

    def take(self, record: Received) -> None:
        try:
            self._count(self.topics[record.topic](record.value))
        except RecordError:
            self._pairing.losses["unreadable records"] += 1

    def settled(self) -> Standing:
        self._count(self._pairing.settle_all())
        return self.standing()

    def standing(self) -> Standing:
        found = evidence(self._comparison)
        left_out = {**self._pairing.losses, **self._pairing.waiting(), **self._weighted()}
        return Standing(self._asked, found, {k: n for k, n in left_out.items() if n}, in_words(self._asked, found))

    def _label(self, value: bytes) -> list[Paired]:
        return self._pairing.take_label(self._codec.decode(value, Label))

    def _prediction(self, value: bytes) -> list[Paired]:
        prediction = self._codec.decode(value, Prediction)
        if self._asked.since and prediction.captured_at < self._asked.since:
            self._pairing.losses["predictions of pictures before --since"] += 1
            return []
        return self._pairing.take_prediction(prediction)

    def _count(self, pairs: Iterable[Paired]) -> None:
        for paired in pairs:
            if paired.before:
                self._comparison = self._comparison.with_revision(paired.before, paired.outcome)
            elif paired.outcome:
                self._comparison = self._comparison.with_outcome(paired.outcome)

    def _weighted(self) -> dict[str, int]:
        return {"labels that stand for more than one vehicle, and count once": self._pairing.weighted()}


def in_words(asked: Asked, found: Evidence) -> str:
    """Return the answer in a sentence."""
    if found.counts.labels == 0:
        return f"Not yet: no vehicle that both {asked.champion} and {asked.challenger} saw is labelled."
    told = f"on {found.counts.labels} labelled vehicles {asked.challenger} is {_beside(found)} {asked.champion}"
    return f"{found.answer.capitalize()}: {told}; {_reason(asked.rule, found)}."


def points(margin: float) -> str:
    """Return a difference in accuracy in words."""
    return f"{margin * 100:g} point{'' if margin == 0.01 else 's'}"


def _beside(found: Evidence) -> str:
    difference = round(found.difference * 100, 1)
    if difference == 0:
        return "as often right as"
    return f"{abs(difference)} points {'better' if difference > 0 else 'worse'} than"


def _reason(rule: Rule, found: Evidence) -> str:
    decision = found.decision
    if decision is None:
        return f"at this rate about {found.labels_wanted} more will say {found.heading_for}"
    if decision.reason == "better":
        return f"that it is better was clear after {decision.labels}"
    if decision.reason == "not better":
        return f"that it is not better by {points(rule.margin)} was clear after {decision.labels}"
    return f"{decision.labels} did not show that it is better, and no more were to be used"
