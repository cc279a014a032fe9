"""Faults of a camera's stream and pictures that show without looking at a single vehicle.

    frame ─┬─► its number, time, figures, classes      of every frame: some microseconds
           └─► stillness, light, size, focus, view     of whole pictures, in the order of their time
                    │
    Trouble    sound ──► suspected ──► lasting ──► over ──► …      several frames in a row for each step
                                          │         │
                                       Finding   the same, with its end

What is usual is learned from the camera itself: how far apart its heartbeats are, how bright, rich in contrast and
sharp its pictures are at each hour, and what its view looks like. During the first day, and for a day after a new view
was taken for granted, the view is only learned.
"""

from monitor.integrity.checks import SETTLE
from monitor.integrity.integrity import Integrity
from monitor.integrity.pace import Pace
from monitor.integrity.seen import COLUMNS, ROWS, Seen
from monitor.integrity.view import View

__all__ = ["COLUMNS", "ROWS", "SETTLE", "Integrity", "Pace", "Seen", "View"]
