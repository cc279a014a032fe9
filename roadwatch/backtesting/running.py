"""A backtest's run: the recording read once, its pictures shown to all models, each variant's monitor fed.

items ─► chunks ─► frames: Predictor ─► Claims ─┐
                   recorded observations ───────┴─► Feed of each model ─► Ran of each variant
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import chain, groupby
from typing import Final, cast

import cv2

from monitor.offline import OfflineMonitor
from monitor.policies import policy
from processors.classifier import Classifier
from producers.recordings.recording import Recording, Selection
from roadwatch.backtesting.claiming import Claims, Held, batches
from roadwatch.backtesting.columns import as_sent, part, timed, timings_of
from roadwatch.backtesting.differing import Vehicles
from roadwatch.backtesting.feeding import Feed
from roadwatch.backtesting.outcome import Cost, Live, Outcome, Ran
from roadwatch.backtesting.predicting import Predictor, Together
from roadwatch.backtesting.stream import Item, Plan, items, total
from roadwatch.backtesting.variants import Model, RuleSet, variants_of
from runtime.clients import Received
from runtime.settings import ProcessorSettings
from schemas.observations import pack
from schemas.records import AlertAction, Label, Observations, Passage, Prediction, Record, Telemetry
from schemas.times import from_us

CHUNK: Final = 4096
"Records that are looked at before frames are classified, however few frames are among them."

Progress = Callable[[str, int, int], None]
"Told what is done, how many of it are done and how many there are."
Batches = Callable[[list[Item]], Iterator[tuple[Observations, list[int]]]]
"Makes batches of recorded items, each with when its rows were logged."


def run(
    recording: Recording,
    plan: Plan,
    models: Sequence[Model],
    rules: Sequence[RuleSet],
    limits: ProcessorSettings,
    progress: Progress = lambda _what, _done, _total: None,
) -> Outcome:
    """Try each model with each rule set on a recording.

    Raises:
        RecordingError: a segment is missing, torn, or was changed.
        ModelError: a model may not serve, or fails on a batch.

    """
    cv2.setNumThreads(1)
    work = _Run(plan, models, rules, limits)
    try:
        for done, chunk in work.chunks(items(recording, plan, work.outcome.counts), limits.batch):
            work.take(chunk)
            progress(recording.where, done, total(recording, plan))
        work.finish()
    finally:
        work.close()
    return work.outcome


class _Run:
    """The state of a run."""

    def __init__(
        self, plan: Plan, models: Sequence[Model], rules: Sequence[RuleSet], limits: ProcessorSettings
    ) -> None:
        ran = [Ran(variant) for variant in variants_of(models, rules)]
        self.outcome = Outcome(
            list(models), list(rules), ran, Live(), Vehicles(len(models)), Counter(), Cost(), plan.told is not None
        )
        self._plan, self._batch = plan, limits.batch
        self._feeds = [self._feed(number, rules) for number in range(len(models))]
        self._anew = [number for number, model in enumerate(models) if model.bundle is not None]
        self._claims = Claims()
        self._newest_ms = -1
        self._together = _together(models)
        self._predictor = Predictor(self._together, limits.max_pixels) if self._together else None
        self._takers: dict[type[object], Callable[[Iterable[Item]], None]] = {
            AlertAction: self._actions,
            Label: self._labels,
            Observations: partial(self._told, _rows),
            Prediction: partial(self._told, _packed),
            Telemetry: self._telemetry,
        }

    def chunks(self, source: Iterable[Item], frames: int) -> Iterator[tuple[int, list[Item]]]:
        """The items in chunks of at most so many frames, with how many were read so far."""
        source, done = iter(source), 0
        while True:
            with self.outcome.cost.of("reading"):
                chunk = _chunk(source, frames)
            if not chunk:
                return
            done += len(chunk)
            yield done, chunk

    def take(self, chunk: Sequence[Item]) -> None:
        """Take a chunk in: its frames first, which recorded observations may refer to."""
        self._settle(chunk[0].logged_ms)
        self._classify([item.record for item in chunk if isinstance(item.record, Received)])
        for kind, group in groupby(chunk, key=lambda item: type(item.record)):
            if kind is not Received:
                self._takers.get(kind, self._live)(group)
        self._newest_ms = max(self._newest_ms, chunk[-1].logged_ms)
        self._release(self._claims.overflow() if self._plan.told else self._claims.rest())

    def finish(self) -> None:
        """What no recorded observation has claimed comes last, and each monitor ends its days."""
        self._release(self._claims.rest())
        with self.outcome.cost.of("monitor"):
            for feed in self._feeds:
                feed.finish()
            for ran, refused in zip(self.outcome.ran, chain.from_iterable(f.refused for f in self._feeds), strict=True):
                ran.refused = refused
            self.outcome.vehicles.finish()

    def close(self) -> None:
        """End the threads."""
        if self._predictor:
            self._predictor.close()

    def _settle(self, next_ms: int) -> None:
        """Between two milliseconds only: what was logged together is reported together."""
        if next_ms > self._newest_ms:
            with self.outcome.cost.of("monitor"):
                for feed in self._feeds:
                    feed.settle()

    def _feed(self, model: int, rules: Sequence[RuleSet]) -> Feed:
        monitors = [OfflineMonitor(policy(each.settings), each.rules) for each in rules]

        def take(number: int, record: Record) -> None:
            self.outcome.ran[model * len(rules) + number].take(record)
            if number == 0 and isinstance(record, Passage):
                self.outcome.vehicles.take(model, record)

        return Feed(monitors, take)

    def _classify(self, frames: Sequence[Received]) -> None:
        if self._predictor is None or self._together is None or not frames:
            return
        before = self._together.inference_s
        with self.outcome.cost.of("decoding"):
            seen = self._predictor.predict(frames)
        inferred = self._together.inference_s - before
        phases = self.outcome.cost.phases
        phases["decoding"] -= inferred
        phases["inference"] = phases.get("inference", 0.0) + inferred
        self.outcome.counts["frames"] += len(frames)
        self.outcome.counts["unreadable pictures"] += seen.unreadable
        with self.outcome.cost.of("columns"):
            logged = {(frame.partition, frame.offset): frame.timestamp_ms for frame in frames}
            self._claims.hold(seen.predictions, [logged[p.origin.partition, p.origin.offset] for p in seen.predictions])

    def _told(self, batches_of: Batches, found: Iterable[Item]) -> None:
        """Recorded observations, or recorded predictions packed as a processor packs them."""
        with self.outcome.cost.of("columns"):
            told = list(batches_of(list(found)))
        for batch, logged in told:
            self._observed(batch, logged)

    def _live(self, found: Iterable[Item]) -> None:
        for item in found:
            self.outcome.live.take(cast("Record", item.record))

    def _observed(self, batch: Observations, logged: Sequence[int]) -> None:
        """A recorded batch: as it is for whoever takes it so, else with the model's own answers in its place."""
        with self.outcome.cost.of("columns"):
            batch, logged = _within(batch, logged, self._plan.selection)
            self.outcome.counts["observations"] += len(logged)
        if not logged:
            return
        for number, model in enumerate(self.outcome.models):
            if model.bundle is None:
                self._feed_one(number, batch, logged)
        if self._anew:
            self._claimed(batch, logged)

    def _claimed(self, batch: Observations, logged: Sequence[int]) -> None:
        with self.outcome.cost.of("columns"):
            predictions, rows = self._claims.claim(batch)
            self.outcome.counts["observations without their frame"] += len(logged) - len(rows)
        timings = [timings_of(batch, row) for row in rows]
        if predictions:
            self._said(predictions, timings, [logged[row] for row in rows])

    def _release(self, held: Sequence[Held]) -> None:
        """Take predictions in that no recorded observation stands for."""
        if self._plan.told:
            self.outcome.counts["frames without a recorded observation"] += len(held)
        for some in batches(held, self._batch):
            predictions = [prediction for prediction, _ in some]
            self._said(predictions, [(0.0,)] * len(some), [at_ms for _, at_ms in some])

    def _said(self, predictions: list[Prediction], timings: Sequence[tuple[float, ...]], logged: Sequence[int]) -> None:
        with self.outcome.cost.of("columns"):
            assert self._predictor is not None  # noqa: S101  # nothing is held without one
            at = {_thing(p): (took, at_ms) for p, took, at_ms in zip(predictions, timings, logged, strict=True)}
            wide = list(self._predictor.wide_batches(predictions))
        for batch in wide:
            with self.outcome.cost.of("columns"):
                own = [at[batch.camera_id, batch.epoch, sequence] for sequence in batch.sequences]
                sent = as_sent(timed(batch, [took for took, _ in own]))
            self._said_by_each(sent, [at_ms for _, at_ms in own])

    def _said_by_each(self, wide: Observations, logged: Sequence[int]) -> None:
        for place, number in enumerate(self._anew):
            with self.outcome.cost.of("columns"):
                assert self._predictor is not None  # noqa: S101  # as above
                batch = self._predictor.narrow(wide, place)
            self._feed_one(number, batch, logged)

    def _feed_one(self, number: int, batch: Observations, logged: Sequence[int]) -> None:
        with self.outcome.cost.of("monitor"):
            self._feeds[number].observations(batch, logged)

    def _labels(self, found: Iterable[Item]) -> None:
        with self.outcome.cost.of("monitor"):
            for item in found:
                label = cast("Label", item.record)
                taken = [feed.label(label, item.logged_ms) for feed in self._feeds]
                self.outcome.counts["labels" if all(taken) else "labels of what is not their camera's"] += 1

    def _telemetry(self, found: Iterable[Item]) -> None:
        with self.outcome.cost.of("monitor"):
            for item in found:
                for feed in self._feeds:
                    feed.telemetry(cast("Telemetry", item.record), item.logged_ms)
                self.outcome.counts["telemetry"] += 1

    def _actions(self, found: Iterable[Item]) -> None:
        with self.outcome.cost.of("monitor"):
            for item in found:
                for feed in self._feeds:
                    feed.action(cast("AlertAction", item.record))


def _together(models: Sequence[Model]) -> Together | None:
    bundles = [model.bundle for model in models if model.bundle is not None]
    if not bundles:
        return None
    return Together([Classifier.load(bundle) for bundle in bundles], [b.abstain_below is not None for b in bundles])


def _chunk(source: Iterator[Item], frames: int) -> list[Item]:
    chunk: list[Item] = []
    for item in source:
        chunk.append(item)
        frames -= isinstance(item.record, Received)
        if not frames or len(chunk) == CHUNK:
            break
    return chunk


def _rows(found: list[Item]) -> Iterator[tuple[Observations, list[int]]]:
    """Batches, with when each row was logged."""
    for item in found:
        batch = cast("Observations", item.record)
        yield batch, [item.logged_ms] * len(batch.sequences)


def _packed(found: list[Item]) -> Iterator[tuple[Observations, list[int]]]:
    predictions = [cast("Prediction", item.record) for item in found]
    logged = {_thing(p): item.logged_ms for p, item in zip(predictions, found, strict=True)}
    classes = tuple(dict.fromkeys(name for prediction in predictions for name in prediction.probabilities))
    for batch in pack(predictions, classes):
        yield as_sent(batch), [logged[batch.camera_id, batch.epoch, sequence] for sequence in batch.sequences]


def _thing(prediction: Prediction) -> tuple[str, str, int]:
    return prediction.camera_id, prediction.epoch, prediction.sequence


def _within(batch: Observations, logged: Sequence[int], span: Selection) -> tuple[Observations, Sequence[int]]:
    """The rows of a batch that lie in the wanted span."""
    if span.from_us is None and span.to_us is None:
        return batch, logged
    since = from_us(span.from_us or 0)
    until = None if span.to_us is None else from_us(span.to_us)
    rows = [i for i, at in enumerate(batch.captured_at) if at >= since and (until is None or at < until)]
    return (batch, logged) if len(rows) == len(logged) else (part(batch, rows), [logged[row] for row in rows])
