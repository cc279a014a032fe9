"""What a version was taught: kept beside its bundle, so that later retrainings know what is new, and what is held out.

champion ── parent ─► its parent ── parent ─► the model that ships
   └─ record            └─ record                └─ none: it was taught nothing of the archive
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Annotated, Final, Literal

from pydantic import Field, TypeAdapter, ValidationError

from models.registry.store import Registry
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


@dataclass(frozen=True, slots=True)
class Known:
    """What a version and those that it was made from were taught of the archive."""

    taught: Mapping[str, str] = field(default_factory=dict)
    "The newest label each, by example id."
    held_out: Mapping[str, str] = field(default_factory=dict)
    "Likewise."
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
    taught: dict[str, str] = {}
    held_out: dict[str, str] = {}
    records = list(_lineage(registry, version))
    for _, record in records:
        taught = {**record.taught, **taught}
        held_out = {**record.held_out, **held_out}
    return Known(taught, held_out, any(of == version for of, _ in records))


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


def _lineage(registry: Registry, version: str) -> Iterator[tuple[str, Record]]:
    """Records of a version and of those that it was made from, as far as they are registered; the newest first."""
    versions, name = registry.state().versions, version
    while name in versions:
        if record := record_of(registry, name):
            yield name, record
        name = registry.about(name).card.lineage.parent or ""


@cache
def _records() -> TypeAdapter[Record]:
    return TypeAdapter(Record)
