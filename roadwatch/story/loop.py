"""What a team does after a day, and what Roadwatch does for it: labels, analysis, retraining, comparison, promotion.

    day ─► label request ─► answers ─► label import ─► revision, alerts, mails
             └─ accuracy below its threshold ─► failures ─► models retrain ─► qualified ─► challenger
    next day, with a challenger ─► models compare ─► promote, or keep

Each is the function behind the command of that name; none knows the story.
"""

import csv
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from models.archive.examples import Example
from models.archive.opening import open_archive
from models.bundle import BUNDLED, read_manifest
from models.comparison import Rule
from models.registry.history import Step as RegistryStep
from models.registry.opening import open_registry
from roadwatch.announcing import announce, whoami
from roadwatch.comparing import Standing, asked_of, compared
from roadwatch.failing.page import write_page
from roadwatch.failing.request import FailuresRequest
from roadwatch.failing.session import Failing, failures_of
from roadwatch.labelling.classes import classes_served
from roadwatch.labelling.importing import Import
from roadwatch.labelling.importing import Wanted as WantedImport
from roadwatch.labelling.queue import queue_of
from roadwatch.labelling.requesting import Requested, Wanted, requested
from roadwatch.reporting.reading import Cluster
from roadwatch.retraining.request import Retrained, RetrainRequest
from roadwatch.retraining.session import retrained
from runtime.settings import Settings

SOURCE: Final = "ml-team"
"Who gives the labels."
LOOK_AT: Final = 300
"Pictures that are looked at for outliers and near-duplicates."

Answer = Callable[[Example], str | None]
"What somebody says that an example shows; None where nobody can tell."
Progress = Callable[[str, int, int], None]


@dataclass(frozen=True, slots=True)
class Aliases:
    """Who serves, and who runs in shadow."""

    champion: str
    "The version."
    challenger: str | None
    "The version; None without one."


class Loop:
    """The steps on one system."""

    def __init__(self, settings: Settings, folder: Path, progress: Progress) -> None:
        """Whatever they write for people lies in `folder`."""
        self._settings, self._folder, self._progress = settings, folder, progress
        self._kept = open_archive(settings.archive)
        self._registry = open_registry(settings.models)

    def aliases(self) -> Aliases:
        """Return who serves now."""
        holders = self._registry.state().holders
        champion, challenger = holders.get("champion"), holders.get("challenger")
        return Aliases(
            champion.version if champion else read_manifest(BUNDLED).version, challenger.version if challenger else None
        )

    def request(self, day: str, budget: int) -> Requested:
        """Ask for labels of a day."""
        wanted = Wanted(day, budget, None, 0, LOOK_AT, whoami(), datetime.now(UTC))
        reports = Cluster(self._settings).reports()
        return requested(self._settings, self._kept, wanted, reports, self._reading)

    def label(self, day: str, answer: Answer) -> int:
        """Answer what is open of a day, as a file that is imported; return how many were answered."""
        archive, ledger = self._kept
        queue = queue_of(ledger.requests(), ledger.labels(), {})
        open_ids = [question.example_id for question in queue.open if question.day == day]
        answers = [(each.example_id, said) for each in archive.read(open_ids) if (said := answer(each))]
        if not answers:
            return 0
        file = self._folder / f"labels-{day}.csv"
        _write(file, answers)
        classes = classes_served(self._settings)
        importing = Import(self._settings, self._kept, WantedImport(file, classes, datetime.now(UTC), SOURCE))
        outcome = importing.check()
        importing.send(outcome, lambda: None)
        return outcome.sent

    def analyse(self, day: str) -> tuple[Failing, Path]:
        """Group the failures of a day; return them, and the page that shows them."""
        found = failures_of(self._settings, FailuresRequest(day), self._progress)
        return found, write_page(found, self._folder / "failures" / day)

    def retrain(self) -> Retrained:
        """Retrain on all labels since the champion; qualify, and start in shadow, what is worth it."""
        asked = RetrainRequest(
            quick=True,
            shadow_share=1.0,
            folder=self._folder / "retraining",
            outputs=self._folder / "qualification",
        )
        return retrained(self._settings, asked, self._progress)

    def compare(self) -> Standing:
        """Compare champion and challenger on all labels that there are."""
        return compared(self._settings.kafka, asked_of(self._settings, None, None, Rule(), None), self._reading)

    def promote(self, standing: Standing) -> None:
        """Make the challenger champion, for the reason that the comparison gives."""
        version = standing.asked.challenger
        step = RegistryStep("promoted", version, datetime.now(UTC), whoami(), standing.sentence, "champion")
        announce(self._settings, self._registry.record(step))

    def examples(self, ids: Iterable[str]) -> list[Example]:
        """Return kept examples with their pictures."""
        return list(self._kept[0].read(ids))

    def _reading(self, topic: str, number: int) -> None:
        self._progress(f"reading {topic}", number, max(number, 1))


def _write(file: Path, answers: Sequence[tuple[str, str]]) -> None:
    with file.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("passage_id", "label"))
        rows.writerows(answers)
