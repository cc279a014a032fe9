"""Faults that no picture shows: of the way that records take, of clocks, devices, labels and models."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from benchmarks.faulty.shelf import Logged
from benchmarks.faulty.streams import Start, relabelled, renumbered, rows_of, sequences_of
from producers.simulator.fleet import CAR, TRUCK
from producers.truth import SOURCE
from schemas.ids import parse_id
from schemas.observations import NONE
from schemas.records import Label, Observations, Telemetry

MOST_LOST = 0.5
"Share of frames that are lost, or of records that come twice or late, at full severity."
UNSURE, REFUSED = 0.6, 0.4
"Of a strange vehicle's probabilities, the part that says nothing; and the share of its frames that the model refuses."
MOST_SKEW = timedelta(hours=2)
MOST_LEAK_HPA = 40.0
OTHER = {CAR: TRUCK, TRUCK: CAR}


@dataclass(frozen=True, slots=True)
class Spell:
    """A fault's time and how bad it is."""

    start: datetime
    "When it begins."
    end: datetime
    "When it is over."
    level: float
    "0..1."
    seed: int
    "Of what is drawn."

    def __contains__(self, logged: Logged) -> bool:
        return self.start <= logged.at < self.end

    def rng(self) -> np.random.Generator:
        """A generator of its own."""
        return np.random.default_rng([self.seed, 43])


Change = Callable[[Sequence[Logged], Spell], list[Logged]]
"""One camera's records with a fault in them, in the order of their log."""


def gaps(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """Frames are lost on their way, one by one."""
    rng, out = spell.rng(), []
    for logged in records:
        if isinstance(logged.record, Observations) and logged in spell:
            kept = np.flatnonzero(rng.random(len(logged.record.sequences)) >= MOST_LOST * spell.level)
            out += [replace(logged, record=rows_of(logged.record, kept.tolist()))] if kept.size else []
        else:
            out.append(logged)
    return out


def repeats(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """Records come twice."""
    rng, out = spell.rng(), []
    for logged in records:
        again = _is_seen(logged, spell) and rng.random() < MOST_LOST * spell.level
        out += [logged, logged] if again else [logged]
    return out


def disorder(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """Records come behind the one that follows them."""
    rng, out, held = spell.rng(), [], None
    for logged in records:
        if held is None and _is_seen(logged, spell) and rng.random() < MOST_LOST * spell.level:
            held = logged
            continue
        out.append(logged)
        if held is not None and isinstance(logged.record, Observations):
            out.append(replace(held, at=logged.at))
            held = None
    return out


def silent(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """The camera is without power, and begins a new run of frames afterwards."""
    before, after = _around(records, spell)
    first = min(sequences_of(after))
    counts = max((t.pictures for t in _telemetry(before)), default=0)
    start = Start(f"{_epoch(after)}-again", -first, -counts)
    return [*before, *(renumbered(logged, start) for logged in after if _is_whole(logged, first))]


def stalled(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """The source gives no picture; the camera's process lives, and opens it again and again."""
    before, after = _around(records, spell)
    first = min(sequences_of(after))
    last = [*_telemetry(before)][-1]
    waits = [logged for logged in records if logged in spell and isinstance(logged.record, Telemetry)]
    tries = [Logged(logged.at, _stalled(last, logged.record, n)) for n, logged in enumerate(waits, 1)]  # type: ignore[arg-type]
    start = Start(_epoch(after), max(sequences_of(before)) + 1 - first)
    later = [renumbered(logged, start) for logged in after if _is_whole(logged, first)]
    return [*before, *tries, *(_reconnected(logged, len(tries)) for logged in later)]


def clock_back(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """The camera's clock jumps back, and at the end forward again."""
    return [_at(logged, -MOST_SKEW * spell.level) if logged in spell else logged for logged in records]


def clock_ahead(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """The camera's clock jumps ahead, and at the end back again."""
    return [_at(logged, MOST_SKEW * spell.level) if logged in spell else logged for logged in records]


def stuck(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """The temperature sensor gives its last value again and again."""
    first = next(_telemetry([logged for logged in records if logged in spell]))
    return [_sensed(logged, temperature_c=first.temperature_c) if logged in spell else logged for logged in records]


def leak(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """The housing leaks: the pressure sensor falls steadily below the air's."""

    def lost_hpa(at: datetime) -> float:
        return MOST_LEAK_HPA * spell.level * ((at - spell.start) / (spell.end - spell.start))

    return [_sensed(logged, lost_hpa=lost_hpa(logged.at)) if logged in spell else logged for logged in records]


def worse_model(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """A model is promoted that is less sure, and wrong more often."""
    rng = spell.rng()
    return [
        Logged(logged.at, _misjudged(logged.record, spell.level, rng))
        if logged in spell and isinstance(logged.record, Observations)
        else logged
        for logged in records
    ]


def strangers(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """Vehicles drive by that the model does not know: it is unsure of them, and refuses many.

    Put into the records, because the shipped model knows the simulator's new kind well: in 24 hours of nothing but
    tractors for trucks it took each for a truck, as surely as the others.
    """
    return [
        Logged(logged.at, _estranged(logged.record, spell))
        if logged in spell and isinstance(logged.record, Observations)
        else logged
        for logged in records
    ]


def flipped_labels(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """One of the sources of labels takes some vehicles for the other class."""
    rng, out = spell.rng(), []
    for logged in records:
        wrong = _is_label(logged, spell) and rng.random() < spell.level
        out.append(Logged(logged.at, _flipped(logged.record)) if wrong else logged)  # type: ignore[arg-type]
    return out


def no_labels(records: Sequence[Logged], spell: Spell) -> list[Logged]:
    """The source of labels is silent, its promises too."""
    return [logged for logged in records if not (logged in spell and isinstance(logged.record, Label))]


def _is_seen(logged: Logged, spell: Spell) -> bool:
    return isinstance(logged.record, Observations) and logged in spell


def _is_label(logged: Logged, spell: Spell) -> bool:
    record = logged.record
    return isinstance(record, Label) and record.source == SOURCE and record.label is not None and logged in spell


def _around(records: Sequence[Logged], spell: Spell) -> tuple[list[Logged], list[Logged]]:
    before = [logged for logged in records if logged.at < spell.start]
    return before, [logged for logged in records if logged.at >= spell.end]


def _telemetry(records: Sequence[Logged]) -> Iterator[Telemetry]:
    return (logged.record for logged in records if isinstance(logged.record, Telemetry))


def _epoch(records: Sequence[Logged]) -> str:
    return next(logged.record.epoch for logged in records if isinstance(logged.record, Observations))


def _is_whole(logged: Logged, first: int) -> bool:
    """Whether it concerns nothing that began before the first frame: such vehicles are lost."""
    record = logged.record
    if isinstance(record, Observations):
        return all(passage == NONE or passage >= first for passage in record.passage)
    return not (isinstance(record, Label) and record.passage_id) or parse_id(record.passage_id).sequence >= first


def _stalled(last: Telemetry, record: Telemetry, tries: int) -> Telemetry:
    return replace(
        record, state="stalled", pictures=last.pictures, frames=last.frames, reconnects=last.reconnects + tries
    )


def _reconnected(logged: Logged, tries: int) -> Logged:
    record = logged.record
    if not isinstance(record, Telemetry):
        return logged
    return replace(logged, record=replace(record, reconnects=record.reconnects + tries))


def _at(logged: Logged, skew: timedelta) -> Logged:
    """A record whose own times are off; the log's is right."""
    record = logged.record
    if isinstance(record, Observations):
        captured = tuple(at + skew for at in record.captured_at)
        crossed = tuple(at and at + skew for at in record.crossed_at)
        return Logged(logged.at, replace(record, captured_at=captured, crossed_at=crossed))
    if isinstance(record, Telemetry):
        return Logged(logged.at, replace(record, measured_at=record.measured_at + skew))
    until = record.complete_until and record.complete_until + skew
    return Logged(logged.at, replace(record, labelled_at=record.labelled_at + skew, complete_until=until))


def _sensed(logged: Logged, *, temperature_c: float | None = None, lost_hpa: float = 0.0) -> Logged:
    record = logged.record
    if not isinstance(record, Telemetry):
        return logged
    warmth = record.temperature_c if temperature_c is None else temperature_c
    pressure = None if record.pressure_hpa is None else round(record.pressure_hpa - lost_hpa, 2)
    return Logged(logged.at, replace(record, temperature_c=warmth, pressure_hpa=pressure))


def _misjudged(batch: Observations, level: float, rng: np.random.Generator) -> Observations:
    """Logits shrunk and stirred; at full severity as often wrong as right."""
    table = np.array(batch.probabilities).reshape(len(batch.sequences), -1)
    logits = np.log(np.maximum(table, 1e-6)) * (1 - level) + rng.normal(0, 3 * level, table.shape)
    said = np.exp(logits - logits.max(axis=1, keepdims=True))
    said = np.where(table.sum(axis=1, keepdims=True) > 0, said / said.sum(axis=1, keepdims=True), 0.0)
    label = np.where(np.array(batch.label) == NONE, NONE, said.argmax(axis=1))
    return replace(
        batch, model_version="worse-1", label=tuple(label.tolist()), probabilities=tuple(said.ravel().tolist())
    )


def _estranged(batch: Observations, spell: Spell) -> Observations:
    """Which vehicles are strange follows from their numbers alone: a vehicle's frames may lie in several records."""
    table, label = np.array(batch.probabilities).reshape(len(batch.sequences), -1), list(batch.label)
    for row, (passage, sequence) in enumerate(zip(batch.passage, batch.sequences, strict=True)):
        if passage != NONE and np.random.default_rng([spell.seed, passage]).random() < spell.level:
            draw = np.random.default_rng([spell.seed, passage, sequence])
            table[row] = (1 - UNSURE) * draw.dirichlet(np.ones(len(batch.classes))) + UNSURE / len(batch.classes)
            label[row] = NONE if draw.random() < REFUSED else int(table[row].argmax())
    return replace(batch, label=tuple(label), probabilities=tuple(table.ravel().tolist()))


def _flipped(label: Label) -> Label:
    return relabelled(label, label.passage_id or "", OTHER[label.label or CAR])
