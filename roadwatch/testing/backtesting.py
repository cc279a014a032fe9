"""A recording's answer in this process: the same folds as the monitor's, on what a backtest reads.

observations, or frames ─► processor ─┐
labels ───────────────────────────────┴─► monitor ─► Outcome
"""

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final

import structlog

from monitor.offline import OfflineMonitor
from monitor.policies import policy, rules_of
from producers.recordings.recording import Recording, Selection, open_recording
from roadwatch.backtesting.feeding import Feed
from roadwatch.backtesting.stream import Item, Plan, items
from roadwatch.testing.classifying import InProcess, Model, in_process, is_classified
from roadwatch.testing.outcome import Outcome
from roadwatch.testing.rules import Rules, monitor_settings
from runtime.clients import Received
from runtime.settings import MonitorSettings
from schemas.errors import RecordingError
from schemas.records import Label, Observations, Record, Telemetry
from schemas.topics import OBSERVATIONS

log = structlog.get_logger(__name__)

BATCH: Final = 256
"Frames that are decoded together."


def backtest(
    path: Path,
    *,
    model: Model,
    rules: Rules,
    monitor: Mapping[str, Any] | None,
    cameras: Collection[str] | None,
) -> Outcome:
    """Give the answer; as `BacktestRecording.__call__`."""
    settings = monitor_settings(rules, monitor, MonitorSettings())
    recording = open_recording(path)
    classify = is_classified(recording, model)
    with ExitStack() as running:
        processor = running.enter_context(in_process(model)) if classify else None
        bench = _Bench(settings, processor)
        bench.play(recording, None if cameras is None else frozenset(cameras))
    return Outcome.of(bench.said)


class _Bench:
    """A monitor, and a processor where frames are classified."""

    def __init__(self, settings: MonitorSettings, processor: InProcess | None) -> None:
        monitor = OfflineMonitor(policy(settings), rules_of(settings))
        self.said: list[Record] = []
        self._feed = Feed([monitor], lambda _, record: self.said.append(record))
        self._processor = processor
        self._frames: list[Received] = []

    def play(self, recording: Recording, cameras: frozenset[str] | None) -> None:
        """Take a recording in, and end its days."""
        counts: Counter[str] = Counter()
        plan = Plan(
            self._processor is not None, None if self._processor else OBSERVATIONS.name, Selection(None, cameras)
        )
        taken = sum(map(self._take, items(recording, plan, counts)))
        for what, count in counts.items():
            log.warning("passed over, as the monitor would put it aside", what=what, records=count)
        if not taken:
            raise RecordingError(
                f"{recording.where}: nothing in it is of these cameras: {', '.join(sorted(cameras or ()))}"
            )
        self._classify()
        self._feed.finish()

    def _take(self, item: Item) -> bool:
        """Take a record in; whether it tells of a picture."""
        match item.record:
            case Label() as label:
                self._feed.label(label, item.logged_ms)
            case Observations() as batch:
                self._feed.observations(batch, [item.logged_ms] * len(batch.sequences))
            case Telemetry() as telemetry:
                self._feed.telemetry(telemetry, item.logged_ms)
            case Received() as frame:
                self._frames.append(frame)
            case _:
                pass  # what the live run said
        if len(self._frames) == BATCH:
            self._classify()
        return isinstance(item.record, Observations | Received)

    def _classify(self) -> None:
        for predictions, columns, logged_ms in self._processed():
            self.said += predictions
            self._feed.observations(columns, logged_ms)

    def _processed(self) -> Iterator[Any]:
        frames, self._frames = self._frames, []
        if self._processor and frames:
            yield from self._processor.classified(frames)
