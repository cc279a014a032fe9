"""Reports and the pictures of their frames, from a real Kafka."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from roadwatch.cli import app
from roadwatch.reporting.pictures import HEIGHT, pictures
from runtime.clients import Writer
from runtime.settings import Settings
from schemas.codec import Codec
from schemas.records import Frame, Record
from schemas.topics import FRAMES, REPORTS, Topic
from tests.support.records import NOON, a_frame
from tests.support.reports import a_bad_day, a_report, days_before

pytestmark = pytest.mark.integration
PICTURE = cv2.imencode(".jpg", np.full((400, 300, 3), 90, np.uint8))[1].tobytes()

Run = Callable[..., Any]


@pytest.fixture
def run(settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `roadwatch report` on the test's cluster, in its folder."""
    monkeypatch.chdir(tmp_path)
    environment = {
        "ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "ROADWATCH_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "COLUMNS": "120",
    }

    def call(*arguments: str) -> str:
        done = CliRunner().invoke(app, ["report", *arguments], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done.stdout

    return call


def _send(settings: Settings, topic: Topic, records: Iterable[tuple[str, Record]]) -> None:
    with Writer(settings.kafka, Codec()) as writer:
        for key, record in records:
            writer.send(topic, key, record)
        writer.flush()


def test_the_newest_revision_of_a_day_is_shown(settings: Settings, run: Run) -> None:
    _send(settings, REPORTS, [(each.day, each) for each in (a_report(), a_bad_day(), a_report())])
    assert "revision 2" in run("show", "latest")
    assert json.loads(run("show", "--json"))["revision"] == 2


def test_days_are_listed_and_summed_up(settings: Settings, run: Run) -> None:
    _send(settings, REPORTS, [(each.day, each) for each in (*days_before(3), a_bad_day())])
    assert [line["day"][-2:] for line in json.loads(run("list", "--json"))] == ["20", "21", "22", "23"]
    told = json.loads(run("range", "--from", "2026-11-20", "--to", "2026-11-23", "--json"))
    assert sum(cell["count"] for cell in told["confusion"]) == told["accuracy"]["n"]


def test_a_topic_without_reports_says_so(run: Run) -> None:
    assert "no report yet" in run("list")


def test_a_page_holds_the_pictures_that_are_still_kept(settings: Settings, run: Run, tmp_path: Path) -> None:
    worst = a_bad_day().cameras[1].worst[1]
    _send(settings, REPORTS, [("2026-11-23", a_bad_day())])
    _send(settings, FRAMES, [("gate-north", _frame(101, "gate-north", "2026-11-23", frame_id=worst.frame_id))])
    run("export", "--to", "page.html")
    page = (tmp_path / "page.html").read_text()
    assert page.count("data:image/jpeg;base64,") == 1
    assert page.count("picture no longer kept") == 4


def _frame(sequence: int, camera_id: str = "gate", epoch: str = "2026-03-02", **changes: Any) -> Frame:
    return a_frame(sequence, camera_id, epoch=epoch, picture=PICTURE, **changes)


def test_pictures_are_found_among_others_and_made_small(settings: Settings) -> None:
    """Taken long before they were logged, as in a replay."""
    frames = [_frame(n, camera) for n in range(40) for camera in ("gate", "bridge")]
    _send(settings, FRAMES, [(frame.camera_id, frame) for frame in frames])
    found = pictures(settings, {"gate:2026-03-02:31": NOON, "bridge:2026-03-02:2": NOON, "no id": NOON})
    assert sorted(found) == ["bridge:2026-03-02:2", "gate:2026-03-02:31"]
    image = cv2.imdecode(np.frombuffer(found["gate:2026-03-02:31"], np.uint8), cv2.IMREAD_COLOR)
    assert image is not None
    assert image.shape[0] == HEIGHT


def test_what_is_logged_before_a_frame_was_taken_is_not_read(settings: Settings) -> None:
    _send(settings, FRAMES, [("gate", _frame(n)) for n in range(3)])
    later = datetime.now(UTC) + timedelta(hours=1)
    assert pictures(settings, {"gate:2026-03-02:1": NOON})
    assert pictures(settings, {"gate:2026-03-02:1": later}), "pictures of tomorrow are looked for everywhere"


def test_a_frame_that_is_gone_ends_the_search_at_the_next_of_its_camera(settings: Settings) -> None:
    """The others, 300 later frames, are not read."""
    _send(settings, FRAMES, [("gate", _frame(n)) for n in range(10, 310)])
    assert pictures(settings, {"gate:2026-03-02:9": NOON}) == {}
