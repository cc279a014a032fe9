"""What is usual of a camera's whole pictures."""

import math
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

from monitor.integrity.hourly import Hourly
from monitor.integrity.pictures import MATCH_AGAIN, Picture
from monitor.integrity.seen import CELLS, Seen
from monitor.integrity.view import View

CLEAN = 0.85
"Of the usual sharpness and contrast, what a picture has that is neither misty nor wet: it may be kept as a new sketch."
CLEAR = 0.7
"Share of the sharpest hour's sharpness that makes an hour clear."
CLEARER = 1.25, 1.6
"Of the highest usual contrast and sharpness, what only a picture has that shows more than the haze in which they were \
learned. Grain adds edges and next to no contrast. Days of fog=0.5 on the simulator's views end with 1.6 and 6 times as much."
FLAT = 5.0
"Contrast below which a picture shows nothing that could be compared."
LEARNED_MATCH = 0.6
"A picture that is less like the usual view says nothing of what is usual."
REACH_OF_DAY = 0.5
"Of the logarithms of brightness, contrast and sharpness: a day moves them by a seventh at most; see Hourly. Logarithms, \
because a few vehicles before bare asphalt must not make all other pictures look blurred."


class Usual:
    """The size, light, focus and view of a camera's whole pictures, as they usually are."""

    def __init__(self) -> None:
        self.picture_us = -1
        "When the newest picture was taken."
        self._digest, self._same = "", 0
        self._size: tuple[int, int] | None = None
        self._hourly, self._view = Hourly(REACH_OF_DAY), View()

    def picture(self, frame: Seen) -> Picture:
        """The next picture, beside what is usual."""
        self._compare(frame)
        self._size = self._size or (frame.width, frame.height)
        usual = self._hourly.at(frame.at_us)
        return Picture(
            seen=frame,
            same=self._same,
            before_us=self.picture_us,
            size=self._size,
            usual=(math.expm1(usual[0]), math.expm1(usual[1]), math.expm1(usual[2])) if usual else None,
            is_clear=usual is not None and usual[2] >= self._sharpest + math.log(CLEAR),
            is_clearer=usual is not None and self._is_clearer(frame),
            view=self._view,
            likeness=self._view.likeness(frame.sketch) if self._view.is_learned(frame.at_us) else None,
        )

    @property
    def _sharpest(self) -> float:
        return self._highest(2)

    def _highest(self, figure: int) -> float:
        """Of what is usual at any hour: the logarithm of brightness, contrast or sharpness."""
        return max((values[figure] for values in self._hourly.usual.values()), default=0.0)

    def _is_clearer(self, frame: Seen) -> bool:
        contrast, sharpness = CLEARER
        risen = math.log1p(frame.contrast) - self._highest(1), math.log1p(frame.sharpness) - self._sharpest
        return risen[0] > math.log(contrast) and risen[1] > math.log(sharpness)

    def _compare(self, frame: Seen) -> None:
        figures = repr((frame.brightness, frame.contrast, frame.sharpness)).encode()
        before, self._digest = self._digest, blake2b(figures + frame.sketch, digest_size=8).hexdigest()
        self._same = self._same + 1 if before == self._digest else 1

    def learn(self, picture: Picture, suspected: bool) -> None:
        """Let what is usual follow a picture, as far as nothing is suspected of it."""
        seen = picture.seen
        if picture.is_clearer and not suspected:
            self.take_view(seen)
        if picture.usual is None or (not suspected and _is_usual(picture)):
            self._hourly.learn(seen.at_us, *map(math.log1p, (seen.brightness, seen.contrast, seen.sharpness)))
        if not suspected and len(seen.sketch) == CELLS and seen.contrast >= FLAT:
            self._learn_view(picture)
        self.picture_us = seen.at_us

    def _learn_view(self, picture: Picture) -> None:
        """On the first day all there is; later what looks as usual, and in clear hours what is nearly so."""
        view, seen = self._view, picture.seen
        # Of a view that was taken for usual just now, what the picture was held against before says nothing.
        likeness = (picture.likeness if picture.view is view else None) or view.likeness(seen.sketch)
        is_new = likeness is None or likeness.match < View.SAME
        is_near = likeness is not None and likeness.match >= MATCH_AGAIN and picture.is_clear
        is_near = is_near and min(picture.sharpness, picture.contrast) >= CLEAN
        if not view.is_learned(seen.at_us) or not is_new or is_near:
            view.learn(seen.at_us, seen.sketch, likeness)

    def take_size(self, frame: Seen) -> None:
        """Take a picture's size for usual."""
        self._size = (frame.width, frame.height)

    def take_focus(self, _: Seen) -> None:
        """Learn anew how sharp pictures are."""
        self._hourly = Hourly(REACH_OF_DAY)

    def take_view(self, _: Seen) -> None:
        """Learn the view anew, and how sharp its pictures are."""
        self._view, self._hourly = View(), Hourly(REACH_OF_DAY)

    def snapshot(self) -> dict[str, Any]:
        """As plain JSON."""
        return {
            "picture": [self.picture_us, self._digest, self._same],
            "size": self._size and [*self._size],
            "hourly": self._hourly.snapshot(),
            "view": self._view.snapshot(),
        }

    def take_up(self, plain: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self.picture_us, self._digest, self._same = plain["picture"]
        self._size = (plain["size"][0], plain["size"][1]) if plain["size"] else None
        self._hourly, self._view = Hourly.restore(REACH_OF_DAY, plain["hourly"]), View.restore(plain["view"])


def _is_usual(picture: Picture) -> bool:
    return picture.likeness is None or picture.likeness.match >= LEARNED_MATCH
