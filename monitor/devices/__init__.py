"""A camera's device: what its telemetry says of it, record by record, and its days.

    telemetry ─► Device: sums of the open days, what is usual, troubles ─► CameraDay(part="device")
                                                                              revision 0: news, while the day is open
                                                                              revision 1: the day, when it closes

A day closes by the device's own time: when its newest measurement is past the day's end and the lateness, or when its
source has ended. A record at or before the last offset was taken in already and changes nothing.
"""

from monitor.devices.device import Device, decoded
from monitor.devices.folding import DeviceFold, finish_devices, take_telemetry

__all__ = ["Device", "DeviceFold", "decoded", "finish_devices", "take_telemetry"]
