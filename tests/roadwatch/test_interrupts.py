"""Scratch folders: none stays behind."""

import os
import tempfile
import time
from pathlib import Path

import pytest

from roadwatch.interrupts import LEFT_BEHIND_S, scratch_folder


def test_a_folder_is_gone_afterwards(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with scratch_folder() as folder:
        (folder / "model.onnx").write_bytes(b"\x08")
    assert not [*tmp_path.iterdir()]


def test_what_a_killed_run_left_goes_a_day_later(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    old, new, other = (tmp_path / name for name in ("roadwatch-qualify-old", "roadwatch-qualify-new", "mine"))
    long_ago = time.time() - LEFT_BEHIND_S - 60
    for folder in (old, new, other):
        folder.mkdir()
    for folder in (old, other):
        os.utime(folder, (long_ago, long_ago))
    with scratch_folder():
        assert (old.exists(), new.exists(), other.exists()) == (False, True, True)
