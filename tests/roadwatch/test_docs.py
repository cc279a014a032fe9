"""The documents tell the truth: commands exist, settings load, files and functions are where they say."""

import re
from pathlib import Path

import pytest
import typer

from producers.cameras import load_cameras
from roadwatch.cli import app
from roadwatch.commands.record import KeepUnlessNamed
from runtime.settings import load_settings

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
FOLDERS = {"monday", "morning", "friday", "live", "light"}
"Into which the documents record: `roadwatch record monday` names no command."
COMMAND = re.compile(r"\broadwatch ((?:[a-z-]+ ?)+)")


def _blocks(document: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", document.read_text(encoding="utf-8"), re.DOTALL)


def _shell_commands() -> set[str]:
    text = "\n".join(block for document in DOCUMENTS for block in _blocks(document, "sh"))
    return {match.strip() for match in COMMAND.findall(text)}


@pytest.mark.parametrize("words", sorted(_shell_commands()))
def test_every_command_in_the_documents_exists(words: str) -> None:
    command = typer.main.get_command(app)
    for word in words.split():
        inner = getattr(command, "commands", None)
        if inner is None or (isinstance(command, KeepUnlessNamed) and word in FOLDERS):
            break
        assert word in inner, f"roadwatch {words}"
        command = inner[word]


def test_settings_in_the_readme_load(tmp_path: Path) -> None:
    """All TOML blocks but the cameras' make one settings file."""
    blocks = [block for block in _blocks(ROOT / "README.md", "toml") if "[[cameras]]" not in block]
    assert blocks
    file = tmp_path / "roadwatch.toml"
    file.write_text("\n".join(blocks), encoding="utf-8")
    assert load_settings(file, {}).kafka.replication_factor == 3


def test_cameras_in_the_readme_load(tmp_path: Path) -> None:
    (block,) = [block for block in _blocks(ROOT / "README.md", "toml") if "[[cameras]]" in block]
    file = tmp_path / "cameras.toml"
    file.write_text(block, encoding="utf-8")
    assert [camera.id for camera in load_cameras(file)] == ["gate-north"]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(document: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8"))
    missing = [target for target in targets if "://" not in target and not (document.parent / target).exists()]
    assert not missing


def test_the_way_of_a_frame_names_what_exists() -> None:
    """Each file of the table is there, and defines what the table says."""
    text = (ROOT / "docs" / "architecture.md").read_text(encoding="utf-8")
    steps = re.findall(r"`((?:\w+/)+\w+\.py)`: `([\w.]+)`", text)
    assert len(steps) > 10
    for file, name in steps:
        source = (ROOT / file).read_text(encoding="utf-8")
        for part in name.split("."):
            assert re.search(rf"(def|class) {part}\b", source), f"{file}: {name}"
