"""What the fixtures give: a recording in, an outcome out.

Errors of ours leave without our own lines: the message says what to change, and the test's line is what pytest shows.
"""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from roadwatch.testing.outcome import Outcome

if TYPE_CHECKING:
    from runtime.settings import KafkaSettings, Settings


@dataclass(frozen=True, slots=True)
class BacktestRecording:
    """Answers in this process, without a broker."""

    def __call__(
        self,
        path: str | Path,
        *,
        model: str | Path | None = None,
        rules: str | Path | None = None,
        monitor: Mapping[str, Any] | None = None,
        cameras: Collection[str] | None = None,
    ) -> Outcome:
        """The reports, alerts, passages and predictions that a recording gives.

        What was observed when it was recorded counts; where a model is named, or nothing was observed, the recorded
        pictures are classified anew, and latencies count as none.

        Args:
            path: The recording, a folder or a zip file.
            model: A model bundle's folder, `bundled` or `fast`.
            rules: A file: its [monitor] section says when days are over, its [[rules]] what raises an alert.
            monitor: Single settings of that section, on top: `{"min_accuracy": 0.9}`.
            cameras: Only these; None: all.

        Raises:
            RecordingError: no recording, a torn one, or one without what is needed.
            ConfigurationError: faults in rules or monitor, all of them named.
            ModelError: no such model, or one that may not serve.

        """
        __tracebackhide__ = True
        from roadwatch.testing.backtesting import backtest
        from schemas.errors import RoadwatchError

        try:
            return backtest(Path(path), model=model, rules=rules, monitor=monitor, cameras=cameras)
        except RoadwatchError as error:
            raise error.with_traceback(None) from None


@dataclass(frozen=True, slots=True)
class ReplayRecording:
    """Answers by a real Kafka and the services themselves."""

    kafka: "KafkaSettings" = field(repr=False)
    "The cluster."
    new_folder: Callable[[], Path] = field(repr=False)
    "Makes a folder for settings and logs."

    def __call__(
        self,
        path: str | Path,
        *,
        model: str | Path | None = None,
        rules: str | Path | None = None,
        monitor: Mapping[str, Any] | None = None,
        cameras: Collection[str] | None = None,
        speed: float | None = None,
        cluster: "Settings | None" = None,
        timeout_s: float = 120.0,
    ) -> Outcome:
        """The reports, alerts, passages and predictions that came out.

        Recorded observations, labels and telemetry are sent; where a model is named, or nothing was observed, frames
        instead of observations, and a processor classifies them. Days are closed at the recording's end. What comes out
        equals what `backtest_recording` gives, but for the timings of what is classified anew.

        Args:
            path: The recording, a folder or a zip file.
            model: A model bundle's folder, `bundled` or `fast`.
            rules: A file: its [monitor] section says when days are over, its [[rules]] what raises an alert.
            monitor: Single settings of that section, on top: `{"min_accuracy": 0.9}`.
            cameras: Only these; None: all.
            speed: Times as fast as it was recorded; None: at once.
            cluster: `roadwatch_cluster`, whose topics can be looked into afterwards; one replay for each. None: topics
                that are gone when the answer is there.
            timeout_s: How long the answer may take.

        Raises:
            RecordingError: no recording, a torn one, or one without what is needed.
            ConfigurationError: faults in rules or monitor, all of them named.
            ModelError: no such model, or one that may not serve.
            LocalStackError: no answer in time, or a service that does not stay up; says what was waited for, and how
                the services' logs end.

        """
        __tracebackhide__ = True
        from roadwatch.testing.clusters import cluster_of_its_own
        from roadwatch.testing.replaying import Replay, replay
        from schemas.errors import RoadwatchError

        asked = Replay(Path(path), model, rules, monitor or {}, cameras, speed, timeout_s)
        folder = self.new_folder()
        try:
            if cluster is not None:
                return replay(asked, cluster, folder)
            with cluster_of_its_own(self.kafka, folder) as settings:
                return replay(asked, settings, folder)
        except RoadwatchError as error:
            raise error.with_traceback(None) from None
