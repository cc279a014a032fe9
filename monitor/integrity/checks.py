"""When each fault of a stream is one, and when it is over."""

from typing import Final

from monitor.integrity.troubles import Check
from monitor.spans import DAY, HOUR, MINUTE

# What shows in every frame is over an hour after the last one that showed it, so that a bad hour is one finding.
# A frame that comes late is no missing one: a gap is told when this many more frames have come.
SETTLE = 4
GAP = Check("gap", "frames", quiet=HOUR)
REPEAT = Check("repeat", "frames", quiet=HOUR)
DISORDER = Check("disorder", "frames", quiet=HOUR)
VALUES = Check("values", "frames", quiet=HOUR)
LABELS = Check("labels", "frames", quiet=HOUR)
CLOCK = Check("clock", "frames", quiet=HOUR)
# Known when the next frame comes: see Pace for how long a pause must be.
STALLED = Check("stalled", "frames")
# Ten heartbeats in a row are no traffic jam on the way; after a day it is how somebody has set the camera.
RATE = Check("rate", "heartbeats", needed=10, relief=10, adopted=DAY)
# Sensors have noise: equal figures of three pictures mean that it is one picture. A minute, because a gate that pushes
# each picture may read a video whose still parts are coded as unchanged.
FROZEN = Check("frozen", "pictures", needed=3, span=MINUTE)
# Three, because headlights and passing lorries blind or cover a camera for one picture, seldom for two.
BLACK = Check("black", "pictures", needed=3, relief=3)
BLOWN_OUT = Check("blown-out", "pictures", needed=3, relief=3)
SIZE = Check("size", "pictures", needed=2, relief=2, adopted=DAY)
# Dew on the glass dries within the hour, and showers pass: a lens that is out of focus stays so. A week, for one that was exchanged.
BLURRED = Check("blurred", "pictures", needed=4, span=50 * MINUTE, relief=4, adopted=7 * DAY)
# Ten minutes, because a lorry may stop before the camera.
MOVED = Check("moved", "pictures", needed=4, span=10 * MINUTE, relief=4, adopted=DAY)

EVENTS: Final = (GAP, REPEAT, DISORDER, VALUES, LABELS, CLOCK)
"Checks of single frames, which end by the time that passes without them."
OF_PICTURES: Final = (FROZEN, BLACK, BLOWN_OUT, SIZE, BLURRED, MOVED)
"Checks of whole pictures."
CHECKS: Final = (*EVENTS, STALLED, RATE, *OF_PICTURES)
"All of them."
