"""What every step of a retraining works with."""

from dataclasses import dataclass
from typing import Final

from models.registry.history import Entry, Step, VersionState
from models.registry.store import Registry
from roadwatch.announcing import announce
from roadwatch.retraining.request import Progress, RetrainRequest
from runtime.settings import Settings

STEPS: Final = ("labels", "trained", "registered", "recorded", "qualified", "challenger")


@dataclass(frozen=True, slots=True)
class Desk:
    """Settings, what is asked for, and where models are."""

    settings: Settings
    "All settings."
    asked: RetrainRequest
    "What is asked for."
    registry: Registry
    "Where models are kept."
    progress: Progress
    "Told how far it is."

    def done(self, step: str) -> None:
        """Say that a step is behind us."""
        self.progress("retraining", STEPS.index(step) + 1, len(STEPS))

    def record(self, step: Step) -> Entry:
        """Put a step into the history, and tell of it."""
        return self.tell(self.registry.record(step))

    def tell(self, entry: Entry) -> Entry:
        """Tell of what was recorded; without a broker nobody is told, and processors look by themselves."""
        announce(self.settings, entry)
        return entry

    def state_of(self, version: str) -> VersionState | None:
        """Return what became of a version; None where it is not registered."""
        return self.registry.state().versions.get(version)
