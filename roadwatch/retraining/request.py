"""What is asked of a retraining, and what came of it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from models.retraining.judging import Findings
from roadwatch.qualification.session import Outcome
from runtime.settings import KafkaSettings

CHAMPION: Final = "champion"
FOLDER: Final = Path("roadwatch-data/retraining")
"For retrainings that are not registered yet, or were refused."
REPLAY: Final = 600
"Old vehicles; a thousand keep no more than these (docs/decisions.md)."
SHADOW_SHARE: Final = 0.25
"As for promote: enough for thousands of paired labels a week, at a quarter of the cost."

Progress = Callable[[str, int, int], None]
"Told a step's name, how much of it is done, and how much there is."


@dataclass(frozen=True, slots=True)
class Whole:
    """How the whole network is tuned: as `models train` does."""

    rows: int = 6000
    "About how many pictures, changed copies among them, each source is trained with."
    steps: int = 1000
    "Of 32 pictures each."
    simulated: int = 1500
    "Simulated pictures, where the parent was trained on such."


@dataclass(frozen=True, slots=True)
class RetrainRequest:
    """What is asked for."""

    parent: str = CHAMPION
    "A registered version, the beginning of one, or an alias; while nobody is champion, the model that ships."
    since: str = CHAMPION
    "A day, from which on labelled vehicles are new; `champion`: those are new that the parent was not taught."
    base: tuple[Path, ...] = ()
    "Labelled pictures of old; a folder with train.zip and test.zip is tried on the latter."
    replay: int = REPLAY
    "Old vehicles to mix in, at most; of the archive, and of `base`, which a whole network is given all of."
    whole: Whole | None = None
    "Train the whole network; None: its head alone."
    qualify: bool = True
    "Whether it is tested as an application once it is registered."
    quick: bool = False
    "Whether that is done in under a minute."
    thresholds: Path | None = None
    "The table to judge by; None: the one that ships."
    kafka: KafkaSettings | None = None
    "A cluster to test it on; None: a local broker."
    shadow_share: float | None = SHADOW_SHARE
    "Of live traffic, once it is approved; None: it is not started in shadow."
    force: bool = False
    "Whether it is registered although it is worse, or has forgotten something."
    folder: Path = FOLDER
    "For what is not registered yet."
    outputs: Path = Path("roadwatch-data/qualification")
    "For the qualification's page, in a folder named after the version."


@dataclass(frozen=True, slots=True)
class Labels:
    """What there was to learn from."""

    vehicles: Mapping[str, int]
    "New vehicles, by class."
    held_out: int
    "Of them, those that are not taught, now or later."
    pictures: int
    "That show those that are."
    days: tuple[str, ...]
    "Of the new vehicles, sorted."
    cameras: tuple[str, ...]
    "Likewise."
    requests: tuple[str, ...]
    "That asked for them, in the order asked."
    replayed: Mapping[str, int] = field(default_factory=dict)
    "Old pictures mixed in: `archive`, `base`, `simulator`."
    left_out: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    "Labelled examples that are not learnt from, by reason."


@dataclass(frozen=True, slots=True)
class Retrained:
    """What came of it."""

    version: str
    "The candidate."
    parent: str
    "What it was made from."
    labels: Labels
    "What it was made with."
    findings: Findings
    "What that brought."
    trained: bool
    "Whether it was trained now; False: it was gone on with."
    registered: bool
    "Whether it is in the registry; False: it was refused before."
    approved: bool | None = None
    "Its newest qualification's verdict; None: it has none."
    qualification: Outcome | None = None
    "What was measured now; None: nothing was."
    shadow: float | None = None
    "The share of live traffic that it has as challenger; None: it is not challenger."
    replaced: str | None = None
    "The challenger whose place it took; None: nobody was."
    not_started: str | None = None
    "What was decided about it before, so that it is not started in shadow again, and how to; None: nothing was."

    @property
    def refusals(self) -> tuple[str, ...]:
        """Why it goes no further; empty where it does."""
        if not self.registered:
            return self.findings.refusals
        return ("its qualification refused it",) if self.approved is False else ()
