"""For your own tests: a broker, a recording played through it, and the reports that came out.

    def test_the_day_is_good(backtest_recording: BacktestRecording) -> None:
        outcome = backtest_recording("recording", rules="rules.toml")
        assert outcome.reports["2026-03-02"].scores.accuracy > 0.9

pytest finds the fixtures by itself where Roadwatch is installed; `pytest --fixtures` lists them. Here are their types.
"""

from roadwatch.testing.calls import BacktestRecording, ReplayRecording
from roadwatch.testing.outcome import Outcome

__all__ = ["BacktestRecording", "Outcome", "ReplayRecording"]
