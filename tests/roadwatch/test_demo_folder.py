"""The demo deletes what the demo has made, and nothing else."""

from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from typer.testing import CliRunner

from roadwatch.cli import app
from roadwatch.demo.folder import MARK, take
from runtime.broker_folder import FolderInUseError, Holder, claimed, write_holder
from schemas.errors import ConfigurationError


def _demo(*arguments: str) -> Any:
    done = CliRunner().invoke(app, ["demo", *arguments])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def _files(folder: Path) -> set[str]:
    return {f"{path.relative_to(folder)}" for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A folder in which a demo has run."""
    folder = tmp_path / "run"
    take(folder)
    for name in ("broker/data/0.log", "cameras.toml", "roadwatch.toml", "inbox/a.eml", "2026-03-02/cameras.toml"):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    """A video of one picture."""
    file = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(file), cv2.VideoWriter.fourcc(*"MJPG"), 5, (64, 48))
    writer.write(np.zeros((48, 64, 3), np.uint8))
    writer.release()
    return file


@pytest.mark.parametrize("story", [(), ("--story",)], ids=["demo", "story"])
@pytest.mark.parametrize("name", ["cameras.toml", "broker/notes.txt", "thesis.tex"])
def test_somebody_s_own_folder_is_refused_by_name_and_left_as_it_is(
    tmp_path: Path, name: str, story: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("mine", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    for folder in (str(tmp_path), "."):
        with pytest.raises(ConfigurationError, match=f"{folder} holds {name.partition('/')[0]}, and no mark"):
            _demo("--folder", folder, *story)
    assert _files(tmp_path) == {name}


def test_what_an_earlier_version_left_is_named(run: Path) -> None:
    (run / MARK).unlink()
    with pytest.raises(ConfigurationError, match=r"remove what that left: 2026-03-02, broker, cameras\.toml"):
        take(run)


def test_a_run_s_folder_is_emptied_of_what_runs_leave_and_of_nothing_else(run: Path) -> None:
    (run / "notes.txt").touch()
    take(run)
    assert _files(run) == {MARK, "notes.txt"}


def test_a_folder_is_marked_before_anything_else_is_in_it(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for name in ("new/deep", "empty"):
        take(tmp_path / name)
        assert _files(tmp_path / name) == {MARK}


@pytest.mark.parametrize("marked", [True, False])
def test_a_live_broker_s_data_stays(run: Path, *, marked: bool) -> None:
    """Whoever holds the broker's folder is named, as `up` names it."""
    if not marked:
        (run / MARK).unlink()
    write_holder(run / "broker", Holder(1, 1, 21_000, 21_001))
    with claimed(run / "broker"), pytest.raises(FolderInUseError, match=r"a broker is alive on .*21000"):
        _demo("--folder", str(run))
    assert "broker/data/0.log" in _files(run)


MISTAKES = [
    (("--zone", "road:0,0"), "at least 3 corners"),
    (("--zone", "road: 0,0 9,0 9,9", "--zone", "road: 0,0 9,0 9,9"), "road"),
    (("--speed", "-1"), "-1 is no speed"),
    (("--speed", "nan"), "nan is no speed"),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_what_is_asked_is_checked_before_anything_is_deleted(
    run: Path, clip: Path, arguments: tuple[str, ...], said: str
) -> None:
    before = _files(run)
    with pytest.raises(ConfigurationError, match=said):
        _demo("--folder", str(run), "--video", str(clip), *arguments)
    assert _files(run) == before


def test_a_file_that_is_no_video_is_told_before_anything_is_deleted(run: Path) -> None:
    before = _files(run)
    with pytest.raises(ConfigurationError, match="not a video that can be read"):
        _demo("--folder", str(run), "--video", str(run / "cameras.toml"))
    assert _files(run) == before


def test_what_is_for_a_clip_wants_one(run: Path) -> None:
    with pytest.raises(ConfigurationError, match="leave out --zone, which is for a clip"):
        _demo("--folder", str(run), "--zone", "road: 0,0 9,0 9,9")
