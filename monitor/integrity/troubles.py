"""A trouble: unsound frames in a row until it is found, sound ones until it is over."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Literal, NamedTuple, Self

from monitor.windows import span_us
from schemas.records import Finding, FindingKind
from schemas.times import from_us


@dataclass(frozen=True, slots=True)
class Check:
    """When something is a trouble, and when it is over."""

    signal: str
    "What the finding is called."
    unit: str
    "What is counted: frames, pictures, records."
    needed: int = 1
    "So many unsound ones in a row make it one …"
    span: timedelta = timedelta(0)
    "… if they are spread over at least so long."
    relief: int = 1
    "So many sound ones in a row end it …"
    quiet: timedelta = timedelta(0)
    "… if the last unsound one is so long ago."
    adopted: timedelta | None = None
    "After so long what was found is the new usual; None: it stays a trouble."
    kind: FindingKind = "integrity"
    "The finding's kind."


class Sign(NamedTuple):
    """What shows that something is unsound."""

    before: float
    "What is usual, or allowed."
    after: float
    "What was seen."
    note: str
    "In words."
    example: str | None = None
    "A frame that shows it."
    since_us: int | None = None
    "When it began, where that was before it showed."
    times: int = 1
    "How many frames are unsound at once."


Verdict = Sign | Literal["sound", "unclear"]
"What a check says of one frame: what is unclear changes nothing."


def sound_if(is_sound: bool) -> Verdict:
    """Sound, or as yet unclear: what is nearly a trouble neither makes one nor ends it."""
    return "sound" if is_sound else "unclear"


@dataclass(slots=True)
class Told:
    """A finding without its camera."""

    since_us: int
    found_us: int
    until_us: int | None
    before: float
    after: float
    samples: int
    example: str | None
    note: str


@dataclass(slots=True)
class Trouble:
    """What one check has seen."""

    check: Check
    "When it is one."
    run: int = 0
    "Unsound frames since it is suspected."
    since_us: int = -1
    "When that began."
    last_us: int = -1
    "The last of them."
    sound: int = 0
    "Sound frames in a row since then."
    sound_us: int = -1
    "The first of those."
    told: Told | None = None
    "The last finding."

    @property
    def lasts(self) -> bool:
        """Whether it was found and is not over."""
        return self.told is not None and self.told.until_us is None

    def take(self, at_us: int, verdict: Verdict) -> bool:
        """Take what a frame says; whether there is a new finding, or the end of one."""
        if isinstance(verdict, Sign):
            return self.unsound(at_us, verdict)
        return verdict == "sound" and self.relieve(at_us)

    def unsound(self, at_us: int, sign: Sign) -> bool:
        """Take a frame that shows it; whether it is found."""
        if not self.run:
            self.since_us = at_us if sign.since_us is None else sign.since_us
        self.run += sign.times
        self.last_us, self.sound = at_us, 0
        if self.lasts or self.run < self.check.needed or at_us - self.since_us < span_us(self.check.span):
            return False
        self.told = Told(self.since_us, at_us, None, *sign[:2], self.run, sign.example, sign.note)
        return True

    def relieve(self, at_us: int) -> bool:
        """Take a frame that is sound; whether the trouble is over."""
        if not self.lasts:
            self.run = 0
            return False
        self.sound_us = self.sound_us if self.sound else at_us
        self.sound += 1
        if self.sound < self.check.relief or at_us - self.last_us < span_us(self.check.quiet):
            return False
        self.end(self.sound_us)
        return True

    def passed(self, since_us: int, until_us: int, sign: Sign) -> bool:
        """Take what is known only now that it is over."""
        self.told = Told(since_us, until_us, until_us, *sign[:2], sign.times, sign.example, sign.note)
        return True

    def is_outlasted(self, at_us: int) -> bool:
        """Whether it has lasted until it is the new usual."""
        adopted = self.check.adopted
        return self.lasts and adopted is not None and at_us - self.since_us >= span_us(adopted)

    def end(self, until_us: int, why: str = "") -> None:
        """It is over."""
        if self.told:
            total = f"; in all {self.run} {self.check.unit}" if self.run > self.told.samples else ""
            self.told.until_us, self.told.samples = until_us, max(self.run, self.told.samples)
            self.told.note += total + why
        self.run = self.sound = 0

    def finding(self, camera_id: str) -> Finding:
        """The last finding, as it is known now."""
        told, signal = self.told, self.check.signal
        if told is None:
            raise ValueError(f"nothing was found of {signal}")
        return Finding(
            finding_id=f"{camera_id}:{signal}:{told.since_us}",
            kind=self.check.kind,
            camera_id=camera_id,
            signal=signal,
            detector="rule",
            since=from_us(told.since_us),
            found_at=from_us(told.found_us),
            until=None if told.until_us is None else from_us(told.until_us),
            before=told.before,
            after=told.after,
            samples=told.samples,
            worse=True,
            example=told.example,
            note=told.note,
        )

    def snapshot(self) -> list[Any] | None:
        """As plain JSON; None while there is nothing to remember."""
        if not self.run and not self.lasts:
            return None
        told = [getattr(self.told, name) for name in Told.__slots__] if self.lasts else None
        return [self.run, self.since_us, self.last_us, self.sound, self.sound_us, told]

    @classmethod
    def restore(cls, check: Check, plain: list[Any] | None) -> Self:
        """Continue from a snapshot."""
        if plain is None:
            return cls(check)
        run, since_us, last_us, sound, sound_us, told = plain
        return cls(check, run, since_us, last_us, sound, sound_us, Told(*told) if told else None)


class Troubles:
    """What all checks of one stream have seen, and what is new of it."""

    def __init__(self, checks: Iterable[Check]) -> None:
        self._troubles = {check.signal: Trouble(check) for check in checks}
        self._news: list[Trouble] = []

    def of(self, check: Check) -> Trouble:
        """What one check has seen."""
        return self._troubles[check.signal]

    def tell(self, check: Check, at_us: int, verdict: Verdict) -> None:
        """Take what a frame says of a check."""
        trouble = self.of(check)
        if trouble.take(at_us, verdict):
            self._news.append(trouble)

    def passed(self, check: Check, since_us: int, until_us: int, sign: Sign) -> None:
        """Take what is known only now that it is over."""
        self.of(check).passed(since_us, until_us, sign)
        self._news.append(self.of(check))

    def over(self, check: Check, at_us: int, why: str) -> None:
        """End what lasts; `why` is appended to its note."""
        self.of(check).end(at_us, why)
        self._news.append(self.of(check))

    def adopt(self, check: Check, at_us: int) -> bool:
        """Take for usual what has lasted long enough; whether it has."""
        trouble = self.of(check)
        if not trouble.is_outlasted(at_us):
            return False
        self.over(check, at_us, "; taken for usual from now on")
        return True

    def findings(self, camera_id: str) -> tuple[Finding, ...]:
        """What has begun, and what is over, since this was asked last."""
        if not self._news:
            return ()
        news, self._news = self._news, []
        return tuple(trouble.finding(camera_id) for trouble in news)

    def snapshot(self) -> dict[str, Any]:
        """As plain JSON, by signal."""
        return {signal: plain for signal, trouble in self._troubles.items() if (plain := trouble.snapshot())}

    def take_up(self, plain: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._troubles = {s: Trouble.restore(known.check, plain.get(s)) for s, known in self._troubles.items()}
