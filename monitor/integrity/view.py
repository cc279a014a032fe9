"""What a camera usually sees."""

import base64
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from monitor.integrity.seen import CELLS
from monitor.integrity.sketches import cells, explained, matches, shifted_matches
from monitor.spans import DAY_US


@dataclass(frozen=True, slots=True)
class Likeness:
    """How like the usual view a picture is."""

    match: float
    "Correlation with the most similar of the sketches that are kept."
    index: int
    "Which that is."


class View:
    """What a camera usually sees: a handful of sketches, as different as day and night.

    Each follows its scene as an approximate running median (McFarlane and Schofield, "Segmentation and tracking of
    piglets in images", 1995): one grey level towards each picture that resembles it, so that vehicles leave no trace.
    """

    KEPT = 5
    "Sketches: day, night, dusk, and two for sun and snow."
    SAME = 0.85
    "A picture that is less like all of them may be one of its own."
    HITS = 4000
    "Of a sketch, when those of all are halved."

    def __init__(self, since_us: int = -1, references: tuple[tuple[bytes, int], ...] = ()) -> None:
        """`since_us` is when it began to learn; each reference is a sketch and how many pictures resembled it."""
        self.since_us = since_us
        self._sketches = [sketch for sketch, _ in references]
        self._hits = [hits for _, hits in references]

    def is_learned(self, at_us: int) -> bool:
        """Whether it has seen a day."""
        return self.since_us >= 0 and at_us - self.since_us >= DAY_US

    def likeness(self, sketch: bytes) -> Likeness | None:
        """How like it a picture is; None without anything to compare with, as for pictures of one grey."""
        if len(sketch) != CELLS or not self._sketches:
            return None
        found = matches(cells(*self._sketches), cells(sketch)[0])
        index = int(found.argmax())
        return Likeness(round(float(found[index]), 3), index)

    def shifted(self, sketch: bytes) -> float:
        """The best correlation when the picture is shifted by up to three cells against what is usual."""
        return round(float(shifted_matches(cells(*self._sketches), cells(sketch)[0]).max()), 3)

    def explained(self, sketch: bytes) -> float:
        """The share of cells that are as usual, brighter or darker all together: many where something covers a part."""
        return explained(cells(*self._sketches), cells(sketch)[0])

    def learn(self, at_us: int, sketch: bytes, likeness: Likeness | None) -> None:
        """Let the sketch that is most like a picture follow it, or keep the picture beside it."""
        if self.since_us < 0:
            self.since_us = at_us
        if likeness is None or likeness.match < self.SAME:
            self._keep(sketch)
        else:
            self._follow(sketch, likeness.index)

    def _keep(self, sketch: bytes) -> None:
        if len(self._sketches) == self.KEPT:
            rarest = self._hits.index(min(self._hits))
            del self._sketches[rarest], self._hits[rarest]
        self._sketches.append(sketch)
        self._hits.append(1)

    def _follow(self, sketch: bytes, index: int) -> None:
        known, seen = (np.frombuffer(each, np.uint8).astype(np.int16) for each in (self._sketches[index], sketch))
        self._sketches[index] = (known + np.sign(seen - known)).astype(np.uint8).tobytes()
        self._hits[index] += 1
        if self._hits[index] > self.HITS:
            self._hits = [max(1, hits // 2) for hits in self._hits]

    def snapshot(self) -> list[Any]:
        """As plain JSON."""
        pairs = zip(self._sketches, self._hits, strict=True)
        return [self.since_us, *([base64.b64encode(sketch).decode(), hits] for sketch, hits in pairs)]

    @classmethod
    def restore(cls, plain: list[Any]) -> Self:
        """Continue from a snapshot."""
        since_us, *references = plain
        return cls(since_us, tuple((base64.b64decode(sketch), hits) for sketch, hits in references))
