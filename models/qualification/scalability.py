"""How frames per second and memory grow with partitions and workers. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from models.qualification.figures import Curve, Fault, Figure, Measured


@dataclass(frozen=True, slots=True)
class ScaleRun:
    """One run of the processors over a topic that was filled before."""

    partitions: int
    "Of the topic of frames."
    workers: int
    "Processor processes."
    frames_per_second: float
    "Predicted, all workers together."
    memory_mb: float
    "Resident at the peak, all workers together, MiB."


def measure_scalability(runs: Sequence[ScaleRun]) -> Measured:
    """Return the scalability part; runs are told apart by their workers.

    Figures: for each number of workers `frames_per_second.<workers>`, `memory_mb.<workers>`,
    `memory_mb_a_worker.<workers>`, and but for the fewest `speedup.<workers>` over the fewest. No run is a fault.
    """
    if not runs:
        return Measured("scalability", (), faults=(Fault("no run of the processors came to its end"),))
    ordered = sorted(runs, key=lambda run: run.workers)
    return Measured(
        "scalability",
        (
            *(Figure(f"frames_per_second.{run.workers}", run.frames_per_second) for run in ordered),
            *(_speedup(run, ordered[0]) for run in ordered[1:]),
            *(Figure(f"memory_mb.{run.workers}", run.memory_mb) for run in ordered),
            *(Figure(f"memory_mb_a_worker.{run.workers}", run.memory_mb / run.workers) for run in ordered),
        ),
        curves=(
            _curve("frames per second", "frames/s", [(run.workers, run.frames_per_second) for run in ordered]),
            _curve("memory", "MiB", [(run.workers, run.memory_mb) for run in ordered]),
        ),
    )


def _speedup(run: ScaleRun, first: ScaleRun) -> Figure:
    value = run.frames_per_second / first.frames_per_second if first.frames_per_second else None
    return Figure(f"speedup.{run.workers}", value)


def _curve(chart: str, unit: str, points: Sequence[tuple[float, float]]) -> Curve:
    return Curve(chart, "measured", "workers, a partition each", unit, tuple((float(x), y) for x, y in points))
