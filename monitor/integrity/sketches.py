"""Sketches of whole pictures compared: as they are, shifted, and with a part covered."""

from typing import Final

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from monitor.integrity.seen import CELLS, COLUMNS, ROWS

Floats = NDArray[np.float64]

REACH = 3
"Cells that a picture is shifted by, at most: a fifth of its width, a third of its height."


def _windows(grids: Floats) -> Floats:
    """Grids of 9×16, each cut at all shifts: ×49×144, zero outside."""
    padded = np.pad(grids, ((0, 0), (REACH, REACH), (REACH, REACH)))
    return sliding_window_view(padded, (ROWS, COLUMNS), axis=(1, 2)).reshape(len(grids), -1, CELLS)


INSIDE: Final = _windows(np.ones((1, ROWS, COLUMNS)))[0]
"Which cells overlap at each shift: 49×144 of 0 and 1."


def cells(*sketches: bytes) -> Floats:
    """Sketches as float64 n×144."""
    return np.frombuffer(b"".join(sketches), np.uint8).astype(np.float64).reshape(-1, CELLS)


def _normal(rows: Floats) -> Floats:
    """Rows of mean 0 and length 1; of a row of one value, zeros."""
    centred = rows - rows.mean(axis=1, keepdims=True)
    return np.asarray(centred / np.maximum(np.sqrt((centred**2).sum(axis=1, keepdims=True)), 1e-6))


def matches(usual: Floats, seen: Floats) -> Floats:
    """Correlation of what is seen with each that is usual, n×144: n."""
    return np.asarray(_normal(usual) @ _normal(seen[None])[0])


def shifted_matches(usual: Floats, seen: Floats) -> Floats:
    """Correlation of the overlapping cells, of each that is usual at each shift: n×49."""
    windows = _windows(usual.reshape(-1, ROWS, COLUMNS))
    n = INSIDE.sum(axis=1)
    own, other = INSIDE @ seen / n, windows.sum(axis=2) / n
    together = windows @ seen / n - own * other
    spread = (INSIDE @ seen**2 / n - own**2) * ((windows**2).sum(axis=2) / n - other**2)
    return np.asarray(together / np.sqrt(np.maximum(spread, 1e-6)))


TRIMMED = (144, 100, 80, 72)
"Cells that a line is laid through, the best ones of the line before: half of them may be anything."
AS_USUAL = 0.25
"How far a cell may be off the line, in standard deviations of what is usual; and two grey levels in any case."


def explained(usual: Floats, seen: Floats) -> float:
    """The share of cells near a line through what is seen and what is usual, n×144; the most of all n.

    Least trimmed squares (Rousseeuw, 1984), as far as a few steps go.
    """
    off, gains = np.zeros_like(usual), np.zeros(len(usual))
    for count in TRIMMED:
        order = np.argsort(off, axis=1, kind="stable")[:, :count]
        x, y = np.take_along_axis(usual, order, axis=1), seen[order]
        middle, level = x.mean(axis=1, keepdims=True), y.mean(axis=1, keepdims=True)
        gains = ((x - middle) * (y - level)).sum(axis=1) / np.maximum(((x - middle) ** 2).sum(axis=1), 1e-6)
        off = np.abs(seen - level - gains[:, None] * (usual - middle))
    near = np.maximum(AS_USUAL * np.abs(gains) * usual.std(axis=1), 2.0)
    return float((off < near[:, None]).mean(axis=1).max())
