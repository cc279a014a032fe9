"""What every part of a qualification works with: the versions under test, the pictures, the stack, the sizes."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from models.bundle import Bundle
from models.qualification.figures import Part
from processors.classifier import Classifier
from roadwatch.qualification.held_out import HeldOut
from roadwatch.qualification.stack import Stack

Progress = Callable[[str, int, int], None]
"Told a step's name, how much of it is done, and how much there is."


@dataclass(frozen=True, slots=True)
class Tested:
    """A version under test."""

    bundle: Bundle
    "Read and found whole."
    folder: Path
    "Where processors find it."
    classifier: Classifier
    "The same in this process, for what needs no stack."

    @property
    def version(self) -> str:
        """Its version."""
        return self.bundle.version


@dataclass(frozen=True, slots=True)
class Sizes:
    """How much is measured. The defaults fit `make qualify` into five minutes on two cores."""

    repeated: int = 120
    "Pictures whose frames are sent twice, and once more one by one."
    changed: int = 300
    "Pictures that are shifted, turned, encoded again and recoloured: fewer might miss a wrong colour order."
    load: float = 40.0
    "Frames a second of the latency's load."
    load_s: float = 15.0
    "How long that load lasts, after a warm-up."
    corrupted: int = 120
    "Pictures that are corrupted in every way."
    workers: tuple[int, ...] = (1, 2, 4)
    "Processors, a partition each, whose throughput is measured."
    drain_s: float = 5.0
    "About how long each of those takes over its backlog."
    quick: bool = False
    "Whether one processor does for all parts but scalability, and the champion's accuracy is asked of it in this process."
    beside: tuple[Part, ...] = ("accuracy", "latency")
    "Parts that are measured of the champion too, besides robustness: what thresholds compare."


QUICK: Final = Sizes(
    repeated=40,
    changed=150,
    load_s=3.0,
    corrupted=32,
    workers=(1, 2),
    drain_s=1.0,
    quick=True,
    beside=("accuracy",),
)
"All six parts in under a minute: a retrained head differs from its parent by what it says, not by how fast."


@dataclass(frozen=True, slots=True)
class Bench:
    """Everything that a part needs."""

    stack: Stack
    "The broker."
    held_out: HeldOut
    "The pictures."
    sizes: Sizes
    "How much is measured."
    progress: Progress
    "Told how far it is."
    threads: int
    "Cores to use in this process."
