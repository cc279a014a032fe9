"""When each fault of a device is one, and when it is over."""

from typing import Final

from monitor.integrity.troubles import Check
from monitor.spans import DAY, HOUR, MINUTE

# Three records in a row, because a single one may be a hiccup of the bus that the sensor hangs on. A week, because a
# device that was given a place in the sun is warmer for good.
WARMTH = Check("temperature", "records", needed=3, relief=3, adopted=7 * DAY, kind="device")
# A jump is seen once, in the median of three records; an hour after the last one it is over.
AIR = Check("pressure", "records", quiet=HOUR, kind="device")
# Lorries pass and park: half an hour. After a day it is where somebody has mounted the device.
IRON = Check("magnetometer", "records", needed=3, span=30 * MINUTE, relief=3, adopted=DAY, kind="device")
STUCK = Check("stuck", "records", kind="device")
RECONNECTS = Check("reconnects", "records", kind="device")
DROPS = Check("drops", "records", kind="device")
# A source that is opened anew within two minutes was hardly away.
SILENT = Check("silent", "records", needed=2, span=2 * MINUTE, kind="device")

CHECKS: Final = (WARMTH, AIR, IRON, STUCK, RECONNECTS, DROPS, SILENT)
"All of them."
