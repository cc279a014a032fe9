"""The story as it happens: each day filmed, reported and answered for, until the road is known again.

a day's cameras ─► frames … report ─► what is due after it (roadwatch.story.loop) ─► its chapter ─► the next day
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final

from models.archive.examples import Example
from producers.cameras import load_cameras
from roadwatch.demo.run import SERVICES, LocalRun, RunOptions
from roadwatch.demo.scenario import Filming, write_simulation
from roadwatch.demo.state import RunState
from roadwatch.failing.words import headline, second_line
from roadwatch.story.chapters import Chapter, Shown, Step, Story
from roadwatch.story.days import DAYS, PASSAGES, StoryDay
from roadwatch.story.loop import Loop, Progress
from roadwatch.story.oracle import Oracle
from roadwatch.supervisor import Service
from schemas.records import Passage

SECONDS_A_DAY: Final = 16.0
"Wall-clock seconds for an event-time day of four cameras on two cores."
LABELS: Final = 100
"That are asked for after each day: two days' are what the model is retrained on."
SHADOW: Final = Service("shadow", ("process", "--shadow", "--instance", "1"))
"Shows the challenger what the champion sees; idle while there is none."
SHOWN: Final = 8
"Pictures of a chapter."

MINUTES: Final = 24 * 60

Told = Callable[[str], None]
"Is told a line as it happens."


@dataclass(frozen=True, slots=True)
class Telling:
    """Who hears of it while it happens."""

    line: Told
    "A line about what came of something."
    progress: Progress
    "How far a long step is."
    fetching: Callable[[int, int], None]
    "Bytes of a download."


def tell(folder: Path, telling: Telling) -> Iterator[Story]:
    """Run the story in a folder; gives it after each chapter.

    Raises:
        LocalStackError: a service cannot be kept running, or something did not come in time.
        RoadwatchError: a step cannot be carried out.

    """
    started = time.monotonic()
    first = DAYS[0]
    write = partial(write_simulation, folder, cameras=first.cameras, filming=_filming(first))
    with LocalRun(RunOptions(folder, write, services=(*SERVICES, SHADOW)), telling.fetching) as run:
        story = Story(run.settings.monitor.min_accuracy)
        teller = _Teller(run, folder, telling)
        for day in DAYS:
            story.chapters.append(teller.chapter(day))
            story.took_s = time.monotonic() - started
            yield story


def _filming(day: StoryDay) -> Filming:
    return Filming(day.at, 1, SECONDS_A_DAY, PASSAGES, truth=False)


class _Teller:
    """Goes through the days on one system."""

    def __init__(self, run: LocalRun, folder: Path, telling: Telling) -> None:
        self._run, self._folder, self._telling = run, folder, telling
        self._loop = Loop(run.settings, folder, telling.progress)
        self._mails = 0
        self._alerts: set[str] = set()

    def chapter(self, day: StoryDay) -> Chapter:
        self._say(f"{day.name}: {day.weather}")
        before = self._loop.aliases()
        oracle = self._film(day)
        chapter = self._reported(day, before.champion, before.challenger, oracle)
        self._answer(chapter, oracle)
        if before.challenger:
            self._decide(chapter)
        elif self._has_failed(chapter):
            self._analyse(chapter)
            self._improve(chapter)
        self._collect(chapter)
        return chapter

    def _film(self, day: StoryDay) -> Oracle:
        """Let the day's cameras film until their day is reported."""
        kafka, mail = self._run.settings.kafka, self._run.settings.mail
        files = write_simulation(
            self._folder / day.name, kafka.bootstrap_servers, mail.port, cameras=day.cameras, filming=_filming(day)
        )
        with self._run.filming(files.settings) as ended:
            for state in self._run.until(lambda: ended() and day.name in self._run.state.reports, f"report {day.name}"):
                self._telling.progress(f"filming {day.name}", _minutes(state, day), MINUTES)
        return Oracle(load_cameras(files.cameras))

    def _reported(self, day: StoryDay, champion: str, challenger: str | None, oracle: Oracle) -> Chapter:
        known = [(each.label, truth) for each in self._passages(day) if (truth := _truth(oracle, each))]
        right = sum(said == truth for said, truth in known)
        return Chapter(day, champion, challenger, self._run.state.reports[day.name], len(known), right)

    def _passages(self, day: StoryDay) -> list[Passage]:
        return [each for each in self._run.state.passages if f"{each.crossed_at:%Y-%m-%d}" == day.name]

    def _answer(self, chapter: Chapter, oracle: Oracle) -> None:
        """Labels are asked for and given."""
        started, day = time.monotonic(), chapter.day.name
        found = self._loop.request(day, LABELS)
        given = self._loop.label(day, lambda example: _answered(oracle, example))
        revision = chapter.report.revision
        self._watch(lambda: self._run.state.reports[day].revision > revision, f"count the labels of {day}")
        chapter.report = self._run.state.reports[day]
        chapter.shown = tuple(self._shown(found.examples.keys(), oracle))
        accuracy = chapter.report.scores.accuracy or 0.0
        text = f"{given} labels asked for and given: {accuracy:.1%} of them right."
        why = ", ".join(f"{count} {why}" for why, count in found.by_why().most_common())
        self._done(chapter, Step("labels", f"{text} Asked for: {why}.", _since(started), {"labels": given}))

    def _has_failed(self, chapter: Chapter) -> bool:
        accuracy = chapter.report.scores.accuracy
        return accuracy is not None and accuracy < self._run.settings.monitor.min_accuracy

    def _analyse(self, chapter: Chapter) -> None:
        """What failed has something in common: a page shows what, before anything is learnt from it."""
        started = time.monotonic()
        found, page = self._loop.analyse(chapter.day.name)
        groups = [{"name": group.name, "size": len(group.members), "cost": group.cost} for group in found.groups]
        text = f"{headline(found)}. {second_line(found)}"
        where = f"{page.relative_to(self._folder)}"
        self._done(chapter, Step("failures", text, _since(started), {"groups": groups}, where))

    def _improve(self, chapter: Chapter) -> None:
        started = time.monotonic()
        found = self._loop.retrain()
        labels = sum(found.labels.vehicles.values())
        gain = f"{found.findings.before:.1%} before, {found.findings.after:.1%} after, on vehicles held out"
        became = "challenger, in shadow" if found.shadow else f"refused: {'; '.join(found.refusals)}"
        step = Step(
            "retrained",
            f"{found.version} from {labels} labels: {gain}. Tested as an application, it is {became}.",
            _since(started),
            {"version": found.version, "labels": labels, "approved": found.approved, "shadow": found.shadow},
            f"qualification/{found.version}/qualification.html",
        )
        self._done(chapter, step)

    def _decide(self, chapter: Chapter) -> None:
        started = time.monotonic()
        standing = self._loop.compare()
        if standing.evidence.answer == "promote":
            self._loop.promote(standing)
        figures = {"answer": standing.evidence.answer, "challenger": standing.asked.challenger}
        self._done(chapter, Step("compared", standing.sentence, _since(started), figures))

    def _collect(self, chapter: Chapter) -> None:
        """The day's alerts and mails: those that came since the day before was told."""
        state = self._run.state
        self._watch(lambda: state.is_told, "mail what was alerted")
        chapter.report = state.reports[chapter.day.name]
        chapter.alerts = tuple(alert for key, alert in state.alerts.items() if key not in self._alerts)
        chapter.mails = tuple(subject for _, subject in state.mails[self._mails :])
        self._alerts, self._mails = set(state.alerts), len(state.mails)

    def _shown(self, ids: Iterable[str], oracle: Oracle) -> Iterator[Shown]:
        for example in self._loop.examples(islice(ids, SHOWN)):
            frame = max(example.frames, key=lambda each: each.width * each.height)
            yield Shown(frame.picture, example.predicted or "no class", _answered(oracle, example) or "unknown")

    def _watch(self, is_over: Callable[[], bool], what: str) -> None:
        for _ in self._run.until(is_over, what):
            pass

    def _done(self, chapter: Chapter, step: Step) -> None:
        chapter.steps.append(step)
        self._say(f"  {step.title}: {step.text}")

    def _say(self, line: str) -> None:
        self._telling.line(line)


def _truth(oracle: Oracle, passage: Passage) -> str | None:
    return oracle.class_of(passage.camera_id, passage.zone_id, passage.crossed_at)


def _answered(oracle: Oracle, example: Example) -> str | None:
    return oracle.class_of(example.camera_id, example.zone_id, example.at)


def _minutes(state: RunState, day: StoryDay) -> int:
    """How far a day is, event time."""
    passed = (state.event_time or day.at) - day.at
    return min(max(int(passed.total_seconds() // 60), 0), MINUTES)


def _since(started: float) -> float:
    return time.monotonic() - started
