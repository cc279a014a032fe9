"""Which models served, and since when."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

from schemas.times import from_us

KEPT = 20
"Versions that are remembered."


@dataclass(slots=True)
class Versions:
    """When each model was first seen to serve."""

    first_us: dict[str, int] = field(default_factory=dict)
    "By version, in order; -1 for those that served from the beginning."

    def see(self, versions: Iterable[str], at_us: int) -> None:
        """These serve at a time."""
        begun = at_us if self.first_us else -1
        for version in sorted(set(versions) - self.first_us.keys()):
            self.first_us[version] = begun
        self.first_us = dict([*self.first_us.items()][-KEPT:])

    @property
    def newest(self) -> tuple[str, datetime | None]:
        """The version that was seen last to begin, and when; none as long as nothing has changed."""
        version, at_us = [*self.first_us.items()][-1] if self.first_us else ("", -1)
        return (version, from_us(at_us)) if at_us >= 0 else ("", None)

    def snapshot(self) -> dict[str, Any]:
        """The whole state, as JSON."""
        return self.first_us

    @classmethod
    def restore(cls, plain: dict[str, Any]) -> Self:
        """Continue from a snapshot."""
        return cls(dict(plain))
