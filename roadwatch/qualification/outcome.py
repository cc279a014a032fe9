"""What a qualification leaves behind: a page, a JSON document, a step in the registry's history."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from models.qualification.figures import Measurements, Part, figure, of_part
from models.qualification.judgement import Judgement
from models.qualification.page import page
from models.qualification.report import Report, parse_report, to_json
from models.registry.history import Entry, Step
from models.registry.store import Registry
from roadwatch.announcing import whoami
from schemas.errors import ConfigurationError, ModelRegistryError

PAGE: Final = "qualification.html"
DOCUMENT: Final = "qualification.json"

HEADLINES: Final[tuple[tuple[str, Part, str], ...]] = (
    ("accuracy", "accuracy", "accuracy"),
    ("calibration error", "accuracy", "calibration_error"),
    ("p99 ms", "latency", "p99_ms"),
    ("corrupted accuracy", "robustness", "accuracy.corrupted"),
    ("mean corruption", "robustness", "mean_corruption"),
    ("frames per second", "scalability", "frames_per_second.1"),
    ("hard pictures as wanted", "errors", "as_wanted"),
)
"Figures that stand in the history beside the verdict: the name there, the part, the name in the part."

LONGEST_REASON: Final = 500
"Characters: ONNX Runtime may say much of a graph that it refuses."


@dataclass(frozen=True, slots=True)
class Written:
    """The outcome as files."""

    html: bytes
    "The page."
    json: bytes
    "The document."


def require_writable(folder: Path) -> None:
    """Make a folder; raises ConfigurationError where nothing can be written there, before minutes are spent."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigurationError("--out", [f"{folder}: {error.strerror}"]) from error
    if not os.access(folder, os.W_OK):
        raise ConfigurationError("--out", [f"{folder}: nothing can be written there"])


def write(judgement: Judgement, measurements: Measurements, folder: Path) -> Written:
    """Write page and document into a folder that is there."""
    document = to_json(judgement, measurements)
    (folder / DOCUMENT).write_bytes(document)
    html = page(judgement, measurements).encode()
    (folder / PAGE).write_bytes(html)
    return Written(html, document)


def record(registry: Registry, judgement: Judgement, measurements: Measurements, written: Written) -> Entry:
    """Put the verdict into the history, and page and document beside the bundle."""
    step = Step(
        action="qualified",
        version=judgement.version,
        at=datetime.now(UTC),
        by=whoami(),
        reason=reason_of(judgement, measurements),
        approved=judgement.approved,
        figures=headlines(measurements),
    )
    entry = registry.record(step)
    registry.attach(judgement.version, attached_name(entry, "html"), written.html)
    registry.attach(judgement.version, attached_name(entry, "json"), written.json)
    return entry


def reason_of(judgement: Judgement, measurements: Measurements) -> str:
    """Return which parts were refused, and the first fault; empty where none was."""
    refused = [part.part for part in judgement.parts if not part.approved]
    faults = [fault.what.splitlines()[0] for part in measurements.candidate for fault in part.faults]
    told = f"refused for {', '.join(refused)}" if refused else ""
    return f"{told}: {faults[0]}"[:LONGEST_REASON] if faults else told


def headlines(measurements: Measurements) -> Mapping[str, float]:
    """Return the figures for the history, those that were measured."""
    found = {}
    for headline, part, name in HEADLINES:
        measured = of_part(measurements.candidate, part)
        seen = figure(measured, name) if measured else None
        if seen is not None and seen.value is not None:
            found[headline] = seen.value
    return found


def newest_report(registry: Registry, version: str) -> Report:
    """Return what the newest qualification of a version left; raises ModelRegistryError where there is none."""
    entry = registry.state().versions[version].qualified
    if entry is None:
        raise ModelRegistryError(
            f"{version} was never qualified; 'roadwatch models qualify {version}' does that and keeps a report"
        )
    return parse_report(registry.attached(version, attached_name(entry, "json")))


def attached_name(entry: Entry, suffix: str) -> str:
    """Return under which name a qualification's file is kept with the version."""
    return f"qualification-{entry.number:08d}.{suffix}"
