"""Silences: alerts that are kept, and not sent for a while.

camera=gate              alerts of the camera
cause=fog,camera=gate    its alerts about fog: a comma is an "and"
rule=accuracy            alerts of a rule; `incident` for what was found at cameras
rule=all-silent          no pictures of any camera; by the wall clock, as `model-refused`
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Self

from monitor.causes import CAUSES
from schemas.records import Alert, AlertAction
from schemas.times import from_us, to_us

KEYS: Final = ("camera", "cause", "rule")
MOST = 200
"Silences at once."


@dataclass(frozen=True, slots=True)
class Silence:
    """What is not sent, and until when."""

    terms: Mapping[str, str]
    "Camera, cause, rule: those that are named must fit."
    until: datetime
    "When it ends."
    by: str
    "Who asked for it."
    reason: str
    "Why; may be empty."

    @property
    def target(self) -> str:
        """What it holds for, as it is written."""
        return target_of(self.terms)

    def covers(self, alert: Alert, camera_id: str | None) -> bool:
        """Whether it holds for an alert as far as it is about a camera; None for all together."""
        seen = {"camera": camera_id, "cause": alert.cause, "rule": alert.rule}
        return all(seen[key] == value for key, value in self.terms.items())


def target_of(terms: Mapping[str, str]) -> str:
    """How terms are written."""
    return ",".join(f"{key}={value}" for key, value in terms.items())


def terms_of(target: str) -> dict[str, str]:
    """What a silence's target names, sorted.

    Raises:
        ValueError: names the part that is wrong, and what is allowed.

    """
    terms: dict[str, str] = {}
    for part in target.split(","):
        key, _, value = (text.strip() for text in part.partition("="))
        _check(part, key, value, terms)
        terms[key] = value
    return dict(sorted(terms.items()))


def _check(part: str, key: str, value: str, terms: Mapping[str, str]) -> None:
    if key not in KEYS or not value:
        allowed = ", ".join(f"{key}=…" for key in KEYS)
        raise ValueError(
            f"{part.strip()!r} is nothing that can be silenced; allowed are {allowed}, several with commas"
        )
    if key in terms:
        raise ValueError(f"{part.strip()!r}: {key} is named twice; silence the other one by itself")
    if key == "cause" and value not in CAUSES:
        raise ValueError(f"{value!r} is no cause; causes are {', '.join(CAUSES)}")


class Silences:
    """The silences that hold."""

    def __init__(self, silences: Iterable[Silence] = ()) -> None:
        self._silences = list(silences)

    def add(self, action: AlertAction) -> None:
        """Begin a silence; one of the same target is replaced.

        Raises:
            ValueError: the target is wrong, it has no end, or there are too many.

        """
        terms = terms_of(action.target)
        if action.until is None:
            raise ValueError(f"a silence of {action.target!r} needs an end: until is None")
        kept = [silence for silence in self._silences if silence.terms != terms]
        if len(kept) >= MOST:
            raise ValueError(f"{action.target!r}: there are {MOST} silences already; end one of them")
        self._silences = [*kept, Silence(terms, action.until, action.by, action.reason)]

    def remove(self, target: str) -> None:
        """End a silence.

        Raises:
            ValueError: the target is wrong, or is not silent.

        """
        terms = terms_of(target)
        kept = [silence for silence in self._silences if silence.terms != terms]
        if len(kept) == len(self._silences):
            silent = ", ".join(silence.target for silence in self._silences) or "nothing"
            raise ValueError(f"{target!r} is not silent; silent is {silent}")
        self._silences = kept

    def cover(self, alert: Alert, at: datetime) -> bool:
        """Whether an alert is silent at a time: every camera that it concerns has to be."""
        lasting = [silence for silence in self._silences if silence.until > at]
        cameras = [None] if alert.camera_id is None else sorted({alert.camera_id, *alert.cameras})
        return all(any(silence.covers(alert, camera) for silence in lasting) for camera in cameras)

    def forget(self, at: datetime) -> None:
        """Forget those that are over."""
        self._silences = [silence for silence in self._silences if silence.until > at]

    def snapshot(self) -> list[Any]:
        """The whole state, as JSON."""
        return [[silence.target, to_us(silence.until), silence.by, silence.reason] for silence in self._silences]

    @classmethod
    def restore(cls, plain: Iterable[Any]) -> Self:
        """Continue from a snapshot."""
        return cls(Silence(terms_of(target), from_us(until), by, reason) for target, until, by, reason in plain)
