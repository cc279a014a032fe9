"""The loop as a team goes through it, by commands, each killed at some point of its work and given once more."""

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final

from models.archive.examples import GivenLabel
from models.archive.opening import open_archive
from producers.cameras import load_cameras
from roadwatch.demo.run import SERVICES, LocalRun, RunOptions
from roadwatch.demo.scenario import START, Filming, SimulatedCamera, write_simulation
from roadwatch.story.oracle import Oracle
from roadwatch.supervisor import Service
from runtime.groups import GroupWatch
from schemas.records import DayReport
from schemas.topics import LABELS, SHADOW_PREDICTIONS
from tests.support.monitors import sent

KILLING: Final = Path(__file__).with_name("killing.py")
VIEWS: Final = (("toll-gate", "gate", 11), ("junction", "junction", 12), ("highway", "highway", 14))
"Cameras: id, the simulator's view, and the seed of traffic and noise."
CONDITIONS: Final = ("fog@{at:%Y-%m-%dT%H:%M}=0.5~0m", "pickups@{at:%Y-%m-%dT%H:%M}=0.9~0m")
"Fog, and nine in ten trucks are parcel pick-ups: what the model that ships does not know."
SHADOW: Final = Service("shadow", ("process", "--shadow", "--instance", "1"))
PATIENCE_S: Final = 600.0

Kills = Sequence[tuple[str, int]]
"Which service is killed, in turn, once so many frames of a day were predicted."


@dataclass(frozen=True, slots=True)
class LoopDay:
    """One day of filming."""

    number: int
    "From 0."
    passages: int
    "Vehicles a camera."
    seconds: float
    "Wall clock that it takes at least."

    @property
    def name(self) -> str:
        """`2026-03-02`."""
        return f"{self.filming.start:%Y-%m-%d}"

    @property
    def filming(self) -> Filming:
        """When cameras film, and how much passes."""
        return Filming(START + self.number * timedelta(days=1), 1, self.seconds, self.passages, truth=False)

    @property
    def cameras(self) -> tuple[SimulatedCamera, ...]:
        """Those that film."""
        befalls = tuple(condition.format(at=self.filming.start) for condition in CONDITIONS)
        return tuple(SimulatedCamera(name, view, seed, befalls) for name, view, seed in VIEWS)


class TeamLoop:
    """One system, and the team's commands in its folder."""

    def __init__(self, run: LocalRun, folder: Path) -> None:
        """Whatever commands write lies in `folder`."""
        self.run, self.folder = run, folder
        self.settings = run.settings
        self.archive, self.ledger = open_archive(run.settings.archive)
        self.answers: dict[str, dict[str, str]] = {}

    def film(self, day: LoopDay, kills: Kills = ()) -> Oracle:
        """Film a day until it is reported, services killed on the way; return who knows what passed."""
        kafka, mail = self.settings.kafka, self.settings.mail
        files = write_simulation(
            self.folder / day.name, kafka.bootstrap_servers, mail.port, cameras=day.cameras, filming=day.filming
        )
        before, left = self.run.state.frames, list(kills)
        with self.run.filming(files.settings) as ended:
            for state in self.run.until(lambda: ended() and day.name in self._reports, f"report {day.name}"):
                if left and state.frames - before >= left[0][1] and self.kill(left[0][0]):
                    del left[0]
        assert not left, f"not killed, for the day was over before: {left}"
        return Oracle(load_cameras(files.cameras))

    def kill(self, service: str) -> bool:
        """Kill a service, which is then started again; False where it does not run, or the shadow has seen nothing."""
        pid = self.run.pids().get(service)
        if pid is None or (service == SHADOW.name and not sent(self.settings, SHADOW_PREDICTIONS)):
            return False
        os.kill(pid, signal.SIGKILL)
        return True

    def write_answers(self, day: str, oracle: Oracle) -> Path:
        """Answer what is open of a day, in a file."""
        asked = [each["example_id"] for each in self.told("label", "queue")["open"] if each["day"] == day]
        examples = list(self.archive.read(asked))
        said = {each.example_id: oracle.class_of(each.camera_id, each.zone_id, each.at) for each in examples}
        self.answers[day] = {name: label for name, label in said.items() if label}
        file = self.folder / f"labels-{day}.csv"
        with file.open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("passage_id", "label"), *self.answers[day].items()])
        return file

    def despite(self, kills: Iterable[str], *arguments: str) -> Any:
        """Give a command that is killed at each of these functions, and once more; return what it tells at last."""
        for function in kills:
            self.killed_at(function, *arguments)
        return self.told(*arguments)

    def killed_at(self, function: str, *arguments: str) -> None:
        """Give a command that is killed where it comes to a function."""
        done = self._given([sys.executable, str(KILLING), function, *arguments])
        assert done.returncode == -signal.SIGKILL, done.stdout + done.stderr

    def told(self, *arguments: str) -> Any:
        """Give a command; return what it tells."""
        done = self._given([sys.executable, "-P", "-m", "roadwatch", *arguments, "--json"])
        assert done.returncode == 0, done.stdout + done.stderr
        return json.loads(done.stdout)

    def labels_are_read(self) -> bool:
        """Whether the monitor is through with the labels that are there."""
        kafka = self.settings.kafka
        with GroupWatch(kafka, self.settings.monitor.group) as group:
            return not group.behind([kafka.names.of(LABELS)])

    def counted(self, day: str) -> DayReport:
        """Wait until all answers of a day are counted; return its newest report."""
        self.until(lambda: self._reports[day].scores.labelled >= len(self.answers[day]), f"count labels of {day}")
        return self._reports[day]

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Wait, services kept running."""
        for _ in self.run.until(holds, what):
            pass

    def words(self, day: str) -> list[GivenLabel]:
        """What the ledger has of a day's answers."""
        return [word for word in self.ledger.labels() if word.example_id in self.answers[day]]

    @property
    def _reports(self) -> dict[str, DayReport]:
        return self.run.state.reports

    def _given(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        environment = {name: value for name, value in os.environ.items() if not name.startswith("ROADWATCH_")}
        return subprocess.run(
            command, cwd=self.folder, env=environment, capture_output=True, text=True, check=False, timeout=PATIENCE_S
        )


@contextmanager
def team_loop(folder: Path, first: LoopDay) -> Iterator[TeamLoop]:
    """A system whose cameras film when they are told to."""
    write = partial(write_simulation, folder, cameras=first.cameras, filming=first.filming)
    options = RunOptions(folder, write, timeout_s=PATIENCE_S, services=(*SERVICES, SHADOW))
    with LocalRun(options, lambda _done, _total: None) as run:
        yield TeamLoop(run, folder)
