"""A whole picture beside what is usual, and what is asked of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from monitor.integrity.checks import BLACK, BLOWN_OUT, BLURRED, FROZEN, MOVED, SIZE
from monitor.integrity.seen import CELLS, Seen
from monitor.integrity.troubles import Check, Sign, Verdict
from monitor.integrity.view import Likeness, View


@dataclass(frozen=True, slots=True)
class Picture:
    """A whole picture, and what is usual."""

    seen: Seen
    "The picture."
    same: int
    "Pictures in a row that are equal to it, with itself."
    before_us: int
    "When the one before was taken."
    size: tuple[int, int]
    "The usual width and height."
    usual: tuple[float, float, float] | None
    "Brightness, contrast and sharpness at this hour; None while not known."
    is_clear: bool
    "Whether pictures of this hour are usually about as sharp as the sharpest: in others grain is taken for sharpness."
    is_clearer: bool
    "Whether it has much more contrast and edges than those of any hour: what is usual was learned in haze."
    view: View
    "What the camera usually sees."
    likeness: Likeness | None
    "To that; None while it is learned, and without a sketch."

    @property
    def is_black(self) -> bool:
        """Whether there is next to nothing to be seen."""
        return self.seen.brightness < 10 and self.seen.contrast < 6

    @property
    def is_white(self) -> bool:
        """Whether nearly all is as bright as can be."""
        return (self.seen.brightness > 235 and self.seen.contrast < 25) or self.white > 0.6

    @property
    def white(self) -> float:
        """Share of the sketch's cells that are full."""
        return sum(map(self.seen.sketch.count, range(250, 256))) / CELLS

    @property
    def shows_focus(self) -> bool:
        """Whether it is neither so dull nor so bright that sharpness is lost for other reasons than focus."""
        usual = self.usual[0] if self.usual else 0.0
        return self.contrast >= FOCUS_CONTRAST and self.seen.brightness <= FOCUS_BRIGHTNESS * usual

    @property
    def contrast(self) -> float:
        """Against the usual one; 0 while that is not known."""
        return self.seen.contrast / max(self.usual[1], 1.0) if self.usual else 0.0

    @property
    def sharpness(self) -> float:
        """Against the usual one; 0 while that is not known."""
        return self.seen.sharpness / max(self.usual[2], 1.0) if self.usual else 0.0


def _frozen(picture: Picture) -> Verdict:
    if not picture.seen.sketch or picture.is_black or picture.is_white:
        return "unclear"
    if picture.same == 1:
        return "sound"
    count, note = (2, 1)[picture.same > 2], f"{picture.same} pictures in a row are equal in every figure"
    return Sign(1, picture.same, note, picture.seen.frame_id, picture.before_us, count)


DARK_ANYWAY = 14.0
"Where it is usually as dark as this at that hour, a black picture is a night."


def _black(picture: Picture) -> Verdict:
    seen = picture.seen
    if not picture.is_black:
        return "sound" if seen.brightness > 14 or seen.contrast > 8 else "unclear"
    if picture.usual and picture.usual[0] < DARK_ANYWAY:
        return "unclear"
    before = round(picture.usual[0], 1) if picture.usual else 10.0
    return Sign(before, round(seen.brightness, 1), f"the picture is black: {_light(seen)}", seen.frame_id)


def _blown_out(picture: Picture) -> Verdict:
    seen = picture.seen
    if picture.is_white:
        before = round(picture.usual[0], 1) if picture.usual else 235.0
        return Sign(before, round(seen.brightness, 1), f"the picture is white: {_light(seen)}", seen.frame_id)
    return "sound" if (seen.brightness < 225 or seen.contrast > 30) and picture.white < 0.4 else "unclear"


def _light(seen: Seen) -> str:
    return f"brightness {seen.brightness:.0f} of 255, contrast {seen.contrast:.0f}"


def _size(picture: Picture) -> Verdict:
    (width, height), seen = picture.size, picture.seen
    if (seen.width, seen.height) == (width, height):
        return "sound"
    note = f"whole pictures of {width}×{height} have become {seen.width}×{seen.height}"
    return Sign(width * height, seen.width * seen.height, note, seen.frame_id)


# Sharpness falls with the square of contrast when it gets dark or hazy; what it falls further is focus. Measured on the
# simulator's views, that rest is .80 to 1.04 on ordinary days with clouds, rain and mist, and under all of noise, heat
# and short exposure; .47 to .58 with a lens slightly out of focus (blur=0.25), .2 with one well out of it. Fog, dirt
# and drops take it down to .2 too, but they change the view; long exposure does, which eats edges. Half of the contrast
# must be there to tell.
FOCUS, FOCUS_AGAIN = 0.6, 0.72
FOCUS_MATCH, FOCUS_CONTRAST, FOCUS_BRIGHTNESS = 0.9, 0.5, 1.5


def _blurred(picture: Picture) -> Verdict:
    if not picture.usual or not picture.likeness or not picture.is_clear or not picture.shows_focus:
        return "unclear"
    focus, usual, seen = picture.sharpness / picture.contrast**2, picture.usual[2], picture.seen
    if focus >= FOCUS_AGAIN:
        return "sound"
    if focus >= FOCUS or picture.likeness.match < FOCUS_MATCH:
        return "unclear"
    note = (
        f"the view is as usual, its sharpness {seen.sharpness:.0f} instead of {usual:.0f}:"
        f" {focus:.0%} of what its contrast lets expect"
    )
    return Sign(round(usual, 1), round(seen.sharpness, 1), note, seen.frame_id)


# What turns, covers or veils a camera changes its sketch. Fog, rain, dirt and darkness also take sharpness and contrast
# from it; a leaf or a lorry leaves the cells beside it as they were. Only what is as sharp as ever and nowhere as usual
# was moved. Measured on the simulator's views: knocks of bump=0.55 have matches of .23 to .5, sharpness above .65,
# contrast above .9 and at most .19 of the cells as usual; on ordinary days a match below .6 goes with sharpness below
# .61 (mist), or with .75 of the cells as usual (a lorry); a large leaf leaves .38. Where bump=0.25 is seen, it is by its
# shift: a match of .7 becomes .8, with .45 of the cells as usual.
MATCH, MATCH_AGAIN, MATCH_SHIFTED, SHIFT_GAIN = 0.6, 0.7, 0.85, 0.08
KEPT_SHARPNESS, KEPT_CONTRAST = 0.65, 0.75
AS_USUAL_ELSEWHERE, AS_USUAL_SHIFTED = 0.35, 0.5


def _moved(picture: Picture) -> Verdict:
    likeness, seen = picture.likeness, picture.seen
    if not likeness or not picture.is_clear or picture.is_clearer:
        return "unclear"
    if likeness.match >= MATCH_SHIFTED:
        return "sound"
    if picture.sharpness < KEPT_SHARPNESS or picture.contrast < KEPT_CONTRAST:
        return "unclear"
    return _elsewhere(seen, likeness.match, picture.view)


def _elsewhere(seen: Seen, match: float, view: View) -> Verdict:
    shifted = view.shifted(seen.sketch)
    is_shifted = shifted >= match + SHIFT_GAIN
    if match >= MATCH and not is_shifted:
        return "sound" if match >= MATCH_AGAIN else "unclear"
    if view.explained(seen.sketch) >= (AS_USUAL_ELSEWHERE if match < MATCH else AS_USUAL_SHIFTED):
        return "unclear"
    note = f"the picture is as sharp as usual and shows something else: its likeness to the usual view is {match:.2f}"
    return Sign(1.0, match, f"{note}, {shifted:.2f} when it is shifted" if is_shifted else note, seen.frame_id)


JUDGES: Final[tuple[tuple[Check, Callable[[Picture], Verdict]], ...]] = (
    (FROZEN, _frozen),
    (BLACK, _black),
    (BLOWN_OUT, _blown_out),
    (SIZE, _size),
    (BLURRED, _blurred),
    (MOVED, _moved),
)
"What is asked of each whole picture."
