"""The history of the registry: its entries, and the state that they make together. Pure.

    registered ─► qualified ─► promoted to challenger ─► promoted to champion ─┐
                    │ refused                  │ withdrawn          ▲          │ rolled_back
                    └─ back to training        └─ keeps the champion└──────────┘ to the one before

Nothing is ever changed or removed: the state at any past time is the fold of the entries until then.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

Action = Literal["registered", "qualified", "promoted", "rolled_back", "withdrawn"]
Alias = Literal["champion", "challenger"]


@dataclass(frozen=True, slots=True)
class Step:
    """What somebody did to a version, before it has a place in the history."""

    action: Action
    "What was done."
    version: str
    "The version that it was done to; of a rollback, the one that the alias came back to."
    at: datetime
    "When, UTC."
    by: str
    "Who: `user@host`, or a service."
    reason: str = ""
    "Why; empty where it speaks for itself. A promotion without qualification must have one."
    alias: Alias | None = None
    "The alias that moved; None: none did."
    share: float | None = None
    "Of a challenger: the share of live traffic that it classifies in shadow, above 0 up to 1."
    approved: bool | None = None
    "Of a qualification: whether it was approved."
    figures: Mapping[str, float] | None = None
    "Figures that the step stands on, by name, such as `accuracy`."
    manifest_sha256: str | None = None
    "Of a registration: the checksum of `bundle.json`, which holds those of the other files."


@dataclass(frozen=True, slots=True)
class Entry:
    """A step in its place."""

    number: int
    "1, 2, 3 …, without gaps."
    previous: str
    "SHA-256 of the entry before, in hex; empty for the first: a changed past shows."
    step: Step
    "What was done."


@dataclass(frozen=True, slots=True)
class Holder:
    """Who has an alias."""

    version: str
    "The version."
    since: datetime
    "When the alias came to it."
    share: float
    "Of live traffic; 1 for the champion."


@dataclass(frozen=True, slots=True)
class VersionState:
    """What became of a version."""

    registered: Entry
    "Its registration."
    qualified: Entry | None
    "Its newest qualification, approved or refused; None: it has had none."
    aliases: tuple[Alias, ...]
    "Those that it holds."

    @property
    def approved(self) -> bool:
        """Whether its newest qualification approved it."""
        return self.qualified is not None and bool(self.qualified.step.approved)


@dataclass(frozen=True, slots=True)
class State:
    """The registry at some time."""

    versions: Mapping[str, VersionState]
    "By version, in the order of registration."
    holders: Mapping[Alias, Holder]
    "By alias; an alias that nobody holds is missing."


def fold(entries: Iterable[Entry]) -> State:
    """Return the state that entries, in order, make together."""
    raise NotImplementedError
