"""The story: what is laid down, who answers, and the page that tells it."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from producers.camera import simulator_of
from producers.cameras import CameraConfig, load_cameras
from roadwatch.cli import app
from roadwatch.demo.scenario import Filming, write_simulation
from roadwatch.story.chapters import Chapter, Shown, Step, Story
from roadwatch.story.days import DAYS, StoryDay
from roadwatch.story.oracle import Oracle
from roadwatch.story.page import accuracy_plot, headline, story_page
from tests.support.records import an_alert
from tests.support.reports import a_bad_day, a_report


def cameras_of(day: StoryDay, folder: Path) -> tuple[CameraConfig, ...]:
    """Those that film on a day, read from the file that is written for them."""
    filming = Filming(start=day.at, days=1, passages_per_day=20, truth=False)
    return load_cameras(write_simulation(folder, "localhost:1", 1, cameras=day.cameras, filming=filming).cameras)


@pytest.mark.parametrize("day", DAYS, ids=lambda day: day.name)
def test_each_day_can_be_filmed_and_befalls_every_camera_alike(day: StoryDay, tmp_path: Path) -> None:
    """Its cameras film on that day alone, under its conditions and its nights."""
    cameras = cameras_of(day, tmp_path)
    assert {camera.start for camera in cameras} == {day.at}
    kinds = {condition.kind for camera in cameras for condition in camera.simulator.conditions}
    assert kinds == {"night", *(kind for kind, _ in day.conditions)}
    assert not any(camera.simulator.truth for camera in cameras)


def test_the_new_camera_comes_with_the_fog() -> None:
    first, second = (tuple(camera.id for camera in day.cameras) for day in DAYS[:2])
    assert second == (*first, "highway")


def test_the_oracle_knows_who_crossed_a_line(tmp_path: Path) -> None:
    """Asked a little beside the true crossing, as a camera sees it."""
    cameras = cameras_of(DAYS[0], tmp_path)
    oracle, road = Oracle(cameras), simulator_of(cameras[0])
    true = road.passages(road.start, road.end)
    late = timedelta(seconds=0.3)
    assert [oracle.class_of(cameras[0].id, each.lane, each.crossed_at + late) for each in true] == [
        each.label for each in true
    ]


def test_the_oracle_knows_nothing_of_what_nobody_made(tmp_path: Path) -> None:
    """Another camera, another lane, or an hour at which nobody drives."""
    cameras = cameras_of(DAYS[0], tmp_path)
    oracle, road = Oracle(cameras), simulator_of(cameras[0])
    true = road.passages(road.start, road.end)[0]
    assert oracle.class_of("elsewhere", true.lane, true.crossed_at) is None
    assert oracle.class_of(cameras[0].id, "no lane", true.crossed_at) is None
    assert oracle.class_of(cameras[0].id, true.lane, road.start) is None


def a_story() -> Story:
    """A good day, a bad one with everything, and a good one with another model."""
    picture = cv2.imencode(".jpg", np.zeros((20, 30, 3), np.uint8))[1].tobytes()
    bad = Chapter(
        DAYS[1],
        "road-a",
        None,
        a_bad_day(),
        vehicles=100,
        right=50,
        alerts=(an_alert(), replace(an_alert(), state="resolved")),
        mails=("[Roadwatch] critical: <accuracy> fell",),
        steps=[Step("retrained", "road-b from 138 labels.", 40.0, {"version": "road-b"}, "qualification/road-b.html")],
        shown=(Shown(picture, "car", "truck"), Shown(picture, "car", "car")),
    )
    good = Chapter(DAYS[0], "road-a", None, a_report(), vehicles=80, right=80)
    again = Chapter(DAYS[2], "road-b", "road-c", a_report(), vehicles=100, right=97)
    return Story(0.6, [good, bad, again], took_s=181.0)


def test_the_headline_says_how_it_went() -> None:
    assert (
        headline(a_story())
        == "Right on 100.0\u00a0% of vehicles, then on 50.0\u00a0%, and on 97.0\u00a0% of the same kind once it had learnt"
    )
    assert headline(Story(0.6)) == "Nothing has been filmed yet"


def test_the_page_tells_every_day_and_needs_nothing_else() -> None:
    """Weather, models, alerts, mails, steps and pictures; text is escaped, nothing is fetched."""
    page = story_page(a_story())
    for told in ("parcel pick-ups", "road-b", "runs in shadow", "138 labels", "truck, said: car", "data:image/jpeg"):
        assert told in page
    assert "&lt;accuracy&gt; fell" in page
    assert 'class="wrong"' in page
    assert "http" not in page.replace("http://www.w3.org", "")


def test_the_plot_marks_where_another_model_serves() -> None:
    plot = accuracy_plot(a_story())
    assert [rule.label for rule in plot.rules] == ["road-b serves"]


def test_a_story_is_not_told_on_a_clip(tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["demo", "--story", "--video", "x.mp4", "--folder", str(tmp_path / "story")])
    assert "the story has its own cameras" in str(done.exception)
