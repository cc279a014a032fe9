"""What is asked of an analysis of failures."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

MOST: Final = 2000
"Examples that are looked at: 5,000 pictures take ten seconds on two cores."
SHOWN: Final = 6
"Examples of a group that are shown."

Progress = Callable[[str, int, int], None]
"Told a step's name, how much of it is done, and how much there is."


@dataclass(frozen=True, slots=True)
class FailuresRequest:
    """Whose failures, and how much is looked at."""

    day: str
    "The day, `2026-11-25`."
    cameras: tuple[str, ...] = ()
    "Of these cameras; empty: of all."
    most: int = MOST
    "Examples that are looked at, at most: failures first."
    seed: int = 0
    "Of what is drawn."
    shown: int = SHOWN
    "Examples of each group that are shown with what decided in them."
    about: str = ""
    "What it is asked for, such as an alert's title; empty for the day itself."

    @property
    def whose(self) -> str:
        """The day, with the cameras if some were named."""
        return f"{self.day}, {', '.join(self.cameras)}" if self.cameras else self.day
