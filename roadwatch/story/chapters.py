"""What a story tells: a chapter for each day, with what came of it and what was done about it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from roadwatch.story.days import StoryDay
from schemas.records import Alert, DayReport


@dataclass(frozen=True, slots=True)
class Step:
    """Something that was done after a day."""

    title: str
    "Such as `retrained`."
    text: str
    "What came of it, in a sentence or two."
    took_s: float
    "Wall clock, seconds."
    figures: Mapping[str, Any] = field(default_factory=dict)
    "Plain values, for JSON."
    page: str = ""
    "A page that tells more, beside the story's; empty for none."


@dataclass(frozen=True, slots=True)
class Shown:
    """A vehicle in a picture."""

    jpeg: bytes
    "The picture."
    said: str
    "What the model that served said."
    truth: str
    "What it is."


@dataclass(slots=True)
class Chapter:
    """One day."""

    day: StoryDay
    "The day."
    champion: str
    "The version that served."
    challenger: str | None
    "The version in shadow; None without one."
    report: DayReport
    "Its report, as it stands after the labels."
    vehicles: int
    "Vehicles that crossed a line and were given a class."
    right: int
    "Of them, those that were given the right one, by the simulator's truth of all: nobody else knows that."
    alerts: tuple[Alert, ...] = ()
    "Alerts that were raised on it."
    mails: tuple[str, ...] = ()
    "Subjects of the mails that came."
    steps: list[Step] = field(default_factory=list)
    "What was done after it, in order."
    shown: tuple[Shown, ...] = ()
    "Some of the vehicles that were asked about."

    @property
    def true_accuracy(self) -> float | None:
        """Of all vehicles; None without any."""
        return self.right / self.vehicles if self.vehicles else None


@dataclass(slots=True)
class Story:
    """The whole of it."""

    threshold: float
    "The accuracy below which a day alerts the team."
    chapters: list[Chapter] = field(default_factory=list)
    "In order."
    took_s: float = 0.0
    "Wall clock, seconds."

    def plain(self) -> dict[str, Any]:
        """Return it as plain JSON."""
        return {"took_s": round(self.took_s, 1), "days": [_plain(chapter) for chapter in self.chapters]}


def _plain(chapter: Chapter) -> dict[str, Any]:
    scores = chapter.report.scores
    return {
        "day": chapter.day.name,
        "weather": chapter.day.weather,
        "champion": chapter.champion,
        "challenger": chapter.challenger,
        "vehicles": chapter.vehicles,
        "labelled": scores.labelled,
        "accuracy": scores.accuracy,
        "true_accuracy": chapter.true_accuracy,
        "alerts": [alert.title for alert in chapter.alerts],
        "mails": list(chapter.mails),
        "steps": [{"title": step.title, "took_s": round(step.took_s, 1), **step.figures} for step in chapter.steps],
    }
