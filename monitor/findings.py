"""Findings between records: as plain JSON, by day, and when they are over."""

from collections.abc import Iterable
from dataclasses import fields, replace
from datetime import datetime
from typing import Any, Final

from schemas.records import Finding
from schemas.times import from_us, to_us

FIELDS: Final = len(fields(Finding))
"Of a finding as plain JSON."
TIMES: Final = frozenset({"since", "found_at", "until"})
NAMES: Final = tuple(field.name for field in fields(Finding))


def plain_finding(finding: Finding) -> list[Any]:
    """A finding's fields, in order; times as microseconds since 1970."""
    values = (getattr(finding, name) for name in NAMES)
    return [to_us(value) if isinstance(value, datetime) else value for value in values]


def finding_of(plain: list[Any]) -> Finding:
    """A finding from its fields."""
    named: dict[str, Any] = dict(zip(NAMES, plain, strict=True))
    return Finding(**named | {name: from_us(named[name]) for name in TIMES if named[name] is not None})


def camera_of(finding_id: str) -> str:
    """The camera at which a finding was made: its id begins with it."""
    return finding_id.partition(":")[0]


def noted(known: list[Finding], news: Iterable[Finding]) -> list[Finding]:
    """Findings with what is new of them: one that is known is replaced, others come behind."""
    found = {finding.finding_id: finding for finding in known}
    found.update((finding.finding_id, finding) for finding in news)
    return [*found.values()]


def on_day(findings: Iterable[Finding], starts_at: datetime, ends_at: datetime) -> list[Finding]:
    """Those that lasted on a day, in order; what came after it is not known of them."""
    return [_as_of(finding, ends_at) for finding in findings if _touches(finding, starts_at, ends_at)]


def _touches(finding: Finding, starts_at: datetime, ends_at: datetime) -> bool:
    return finding.found_at < ends_at and (finding.until is None or finding.until >= starts_at)


def _as_of(finding: Finding, ends_at: datetime) -> Finding:
    return replace(finding, until=None) if finding.until is not None and finding.until >= ends_at else finding


def lasting_after(findings: Iterable[Finding], at: datetime) -> list[Finding]:
    """Those that are not over by a time."""
    return [finding for finding in findings if finding.until is None or finding.until >= at]
