"""Predictions wait until the recording comes to where the live run's stood: its place, its batch and its latency are kept.

frames ─► hold ─── sequence 7, 8, 9 ───► claim ─► the same rows, said by another model
recorded observations ─── 7, 8 ────────────┘
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from schemas.records import Observations, Prediction

MOST_HELD: Final = 100_000
"Predictions that wait; as many frames the live processors may have been behind."

Run = tuple[str, str]
"A camera and an epoch."
Held = tuple[Prediction, int]
"A prediction, and when its frame was logged (ms)."


@dataclass(slots=True)
class Claims:
    """Holds what was predicted, by camera, epoch and sequence."""

    _held: dict[Run, dict[int, list[Held]]] = field(default_factory=dict)
    _count: int = 0

    def __len__(self) -> int:
        """How many wait."""
        return self._count

    def hold(self, predictions: Sequence[Prediction], logged_ms: Sequence[int]) -> None:
        """Let predictions wait."""
        for prediction, at_ms in zip(predictions, logged_ms, strict=True):
            run = self._held.setdefault((prediction.camera_id, prediction.epoch), {})
            run.setdefault(prediction.sequence, []).append((prediction, at_ms))
        self._count += len(predictions)

    def claim(self, batch: Observations) -> tuple[list[Prediction], list[int]]:
        """The predictions for a recorded batch, and the numbers of its rows for which there is one.

        A frame that was sent twice was observed twice.
        """
        run = self._held.get((batch.camera_id, batch.epoch), {})
        found: list[Prediction] = []
        rows: list[int] = []
        for row, sequence in enumerate(batch.sequences):
            if sequence in run:
                found.append(_first(run, sequence))
                rows.append(row)
        self._count -= len(rows)
        return found, rows

    def overflow(self) -> list[Held]:
        """What can wait no longer, for too many do: all, in order; else nothing."""
        return self.rest() if self._count > MOST_HELD else []

    def rest(self) -> list[Held]:
        """All that waits, in the order of each camera's frames."""
        held = [each for run in self._held.values() for frames in run.values() for each in frames]
        self._held, self._count = {}, 0
        return held


def _first(run: dict[int, list[Held]], sequence: int) -> Prediction:
    waiting = run[sequence]
    prediction, _ = waiting.pop(0)
    if not waiting:
        del run[sequence]
    return prediction


def batches(held: Sequence[Held], size: int) -> Iterator[Sequence[Held]]:
    """Pieces of so many."""
    for start in range(0, len(held), size):
        yield held[start : start + size]
