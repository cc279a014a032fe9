"""What a version was taught: kept beside its bundle, so that later retrainings know what is new, and what is held out.

champion ── parent ─► its parent ── parent ─► the model that ships
   └─ record            └─ record                └─ none: it was taught nothing of the archive
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from models.bundle import SHIPPED, read_manifest
from models.registry.store import Registry
from models.retraining.dataset import Passed
from models.retraining.judging import Findings
from roadwatch.retraining.request import Labels
from schemas.errors import ModelError

NAME: Final = "retraining.json"
"Of the file, beside the bundle."
CHECKSUM: Final = "retraining"
"What a card calls the key."
LIMIT: Final = 32 * 1024 * 1024
"The largest record, bytes."

Taught = Annotated[Mapping[str, str], Field(max_length=1_000_000)]
"Labels, by example id."


@dataclass(frozen=True, slots=True)
class Record:
    """What came of a retraining, and what went into it."""

    format: Literal[1]
    "Of this file."
    key: Annotated[str, Field(pattern=re.compile(r"^[0-9a-f]{64}$"))]
    "SHA-256 of parent, labels and settings: the same again is the same retraining."
    parent: str
    "The version that it was made from."
    taught: Taught
    "Labels that it was fitted to."
    held_out: Taught
    "Labels that neither it nor what is made from it is fitted to."
    labels: Labels
    "The same, counted."
    findings: Findings
    "What it brought."
    replayed: Taught = field(default_factory=dict)
    "Labels of old vehicles that were mixed in and that nobody is on record to have been taught."
    passed: Annotated[tuple[Passed, ...], Field(max_length=1_000_000)] = ()
    "Where and when all of these passed; empty in records of before."


@dataclass(frozen=True, slots=True)
class Known:
    """What a version and those that it was made from were taught of the archive."""

    taught: Mapping[str, str] = field(default_factory=dict)
    "The newest label each, by example id."
    held_out: Mapping[str, str] = field(default_factory=dict)
    "Likewise; none that was taught or mixed in, which records of before may say of some."
    replayed: Mapping[str, str] = field(default_factory=dict)
    "Likewise, of those that were only mixed in."
    passed: Mapping[str, Passed] = field(default_factory=dict)
    "Where and when those passed of which a record says so, by example id."
    perhaps_until: datetime | None = None
    "Labels given until then may have been taught: by a version that was trained elsewhere. None: there is none."
    recorded: bool = False
    "Whether the version itself has a record."


def to_json(record: Record) -> bytes:
    """Return the file; raises ModelError where it would be too large."""
    raw = _records().dump_json(record, indent=1) + b"\n"
    if len(raw) > LIMIT:
        raise ModelError(f"{NAME}: {len(raw)} bytes, and at most {LIMIT} are kept; retrain with fewer labels: --since")
    return raw


def parse_record(raw: bytes, where: str) -> Record:
    """Return what the file says; raises ModelError naming `where`."""
    if len(raw) > LIMIT:
        raise ModelError(f"{where}: {len(raw)} bytes or more, and at most {LIMIT} are read")
    try:
        return _records().validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"{where}: {'.'.join(map(str, first['loc']))}: {first['msg']}: it was changed") from error


def known_to(registry: Registry, version: str) -> Known:
    """Return what a version was taught, by its own record and those before it; raises ModelError for a damaged one."""
    versions, lineage = registry.state().versions, list(_lineage(registry, version))
    oldest_first = [record for _, record in reversed(lineage) if record]
    elsewhere = {name for name, record in lineage if record is None} - shipped().keys()
    taught = dict(chain.from_iterable(record.taught.items() for record in oldest_first))
    replayed = dict(chain.from_iterable(record.replayed.items() for record in oldest_first))
    held_out = dict(chain.from_iterable(record.held_out.items() for record in oldest_first))
    return Known(
        taught=taught,
        held_out={name: label for name, label in held_out.items() if name not in taught and name not in replayed},
        replayed={name: label for name, label in replayed.items() if name not in taught},
        passed={passed.example_id: passed for record in oldest_first for passed in record.passed},
        recorded=any(name == version and record for name, record in lineage),
        perhaps_until=max((versions[name].registered.step.at for name in elsewhere), default=None),
    )


def record_of(registry: Registry, version: str) -> Record | None:
    """Return a registered version's record; None where its card knows of none.

    Raises ModelRegistryError where it should be there and is not: what it was taught would be taken for new.
    """
    if CHECKSUM not in registry.about(version).card.lineage.data_sha256:
        return None
    return parse_record(registry.attached(version, NAME), f"{version}: {NAME}")


def candidate_of(registry: Registry, parent: str, key: str) -> str | None:
    """Return the registered version that this retraining made; None: it was not carried out to there."""
    for version in reversed(list(registry.state().versions)):
        lineage = registry.about(version).card.lineage
        if lineage.parent == parent and lineage.data_sha256.get(CHECKSUM) == key:
            return version
    return None


def shipped() -> dict[str, Path]:
    """Return where the models that ship lie, by version."""
    return {read_manifest(folder).version: folder for folder in SHIPPED.values()}


def _lineage(registry: Registry, version: str) -> Iterator[tuple[str, Record | None]]:
    """A version and those that it was made from with their records, as far as they are registered; the newest first."""
    versions, name = registry.state().versions, version
    while name in versions:
        yield name, record_of(registry, name)
        name = registry.about(name).card.lineage.parent or ""


@cache
def _records() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
