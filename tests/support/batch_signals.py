"""A day's signals beside those of the days before, computed anew: by pandas, and with the tests of scipy."""

import math
import operator
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from scipy import special, stats

Figures = dict[str, Any]
"Figures by name: a dataclass's fields."
Values = dict[str, "pd.Series[Any]"]
"By signal; those of the mix of classes are verdicts."

MIX: Final = "class-mix"
SCALES: Final = {
    "abstention": (1.0, None, 0.0, 1.0, 10),
    "brightness": (0.20, 16.0, math.log(16), math.log(272), 16),
    "confidence": (0.25, None, 0.0, 1.0, 20),
    "contrast": (0.25, 4.0, math.log(4), math.log(132), 16),
    "flip": (1.0, None, 0.0, 1.0, 10),
    "noise": (0.20, 0.5, math.log(0.5), math.log(32), 16),
    "sharpness": (0.70, 20.0, math.log(20), 10.0, 24),
}
"""A signal's unit, and its steps: from where, to where, how many.

They are on the scale of the logarithm of value + offset, or of the value as it is."""
LEAST: Final = 0.25
"Of a unit, or of a half: what varies less counts as if it varied so much."
OF_PICTURES: Final = ("brightness", "contrast", "noise", "sharpness")
PICTURES_A_DAY: Final = 24
"So many of a day's whole pictures are independent of each other."
FEWEST: Final = 5
"Classes that are rarer prove nothing."
MATTERS, PROVEN = 0.3, 0.01
"The least effect, and the p that is no chance."


def signals(frames: pd.DataFrame, vehicles: pd.DataFrame, cameras: Sequence[str], day: str) -> dict[str, list[Figures]]:
    """Each camera's, by name; p's are corrected for all of the day (Holm)."""
    found = [
        {"camera_id": camera, "signal": name, **figures}
        for camera in cameras
        for name, figures in sorted(_of_camera(frames, vehicles, camera, day).items())
    ]
    tested = [each for each in found if each["p"] is not None]
    for each, p in zip(tested, _holm([each["p"] for each in tested]), strict=True):
        each["p"] = p
        each["differs"] = abs(each["effect"]) >= MATTERS and p < PROVEN
    return {camera: [each for each in found if each["camera_id"] == camera] for camera in cameras}


def _of_camera(frames: pd.DataFrame, vehicles: pd.DataFrame, camera: str, day: str) -> dict[str, Figures]:
    tables = [table[table["camera_id"] == camera] for table in (frames, vehicles)]
    now, before = (_values(*(t[compare(t["day"], day)] for t in tables)) for compare in (operator.eq, operator.lt))
    return {name: _signal(name, values, before[name]) for name, values in now.items() if len(values)}


def _values(frames: pd.DataFrame, vehicles: pd.DataFrame) -> Values:
    pictures = frames[frames["passage"].isna()]
    return {
        "abstention": vehicles["refused"] / (vehicles["refused"] + vehicles["frames"]),
        "confidence": vehicles["confidence"],
        "flip": vehicles["dissenting"] / vehicles["frames"],
        "noise": pictures.loc[pictures["noise"] > 0, "noise"],
        **{name: pictures[name] for name in ("brightness", "contrast", "sharpness")},
        MIX: vehicles["predicted"],
    }


def _signal(name: str, now: "pd.Series[Any]", before: "pd.Series[Any]") -> Figures:
    found = _mix(now, before) if name == MIX else _moved(name, now, before)
    if not len(before):
        return found | {"reference": None, "effect": None, "p": None, "differs": False}
    return found | {"p": _homogeneity(now, before) if name == MIX else _likeness(name, now, before)}


def _moved(name: str, now: "pd.Series[Any]", before: "pd.Series[Any]") -> Figures:
    found = {"count": len(now), "mean": now.mean(), "deviation": now.std(ddof=0)}
    if not len(before):
        return found
    usual = before.mean()
    spread = max(before.std(ddof=0), _least_spread(name, usual))
    return found | {"reference": usual, "effect": (now.mean() - usual) / spread}


def _least_spread(name: str, mean: float) -> float:
    unit, offset, *_ = SCALES[name]
    step = LEAST * min(unit, 0.5)
    return step if offset is None else (mean + offset) * math.expm1(step)


def _mix(now: "pd.Series[Any]", before: "pd.Series[Any]") -> Figures:
    """The share of the class that comes last; the effect is Cohen's w: differences in shares by those of both together."""
    counts = pd.DataFrame({"now": now.value_counts(), "before": before.value_counts()}).fillna(0).sort_index()
    last, shares = counts.index[-1], counts / counts.sum()
    share = shares["now"][last]
    found = {"count": len(now), "mean": share, "deviation": math.sqrt(share * (1 - share))}
    if not len(before):
        return found
    off, both = shares["now"] - shares["before"], counts.sum(axis=1) / counts.to_numpy().sum()
    return found | {
        "reference": shares["before"][last],
        "effect": math.copysign(math.sqrt((off**2 / both).sum()), off[last]),
    }


def _likeness(name: str, now: "pd.Series[Any]", before: "pd.Series[Any]") -> float:
    """Kolmogorov's and Smirnov's test of both, as counted by steps (Stephens 1970, of so many independent values)."""
    share = min(1.0, PICTURES_A_DAY / len(now)) if name in OF_PICTURES else 1.0
    size = math.sqrt(len(now) * len(before) / (len(now) + len(before)) * share)
    distance = stats.ks_2samp(steps(name, now), steps(name, before), method="asymp").statistic
    return float(special.kolmogorov((size + 0.12 + 0.11 / size) * distance))


def steps(name: str, values: "pd.Series[Any]") -> np.ndarray:
    """The step that each value is on."""
    _, offset, low, high, count = SCALES[name]
    scaled = values.to_numpy(float) if offset is None else np.log(np.maximum(values.to_numpy(float), 0) + offset)
    return np.clip(np.trunc((scaled - low) / (high - low) * count), 0, count - 1)


def _homogeneity(now: "pd.Series[Any]", before: "pd.Series[Any]") -> float:
    """Pearson's χ² test, of the classes that are not too rare."""
    counts = pd.DataFrame({"now": now.value_counts(), "before": before.value_counts()}).fillna(0)
    known = counts[counts.sum(axis=1) >= FEWEST]
    if len(known) < 2 or not known.sum().all():
        return 1.0
    return float(stats.chi2_contingency(known, correction=False).pvalue)


def _holm(ps: Sequence[float]) -> np.ndarray:
    """The largest, up to each rank, of p times the tests that are left (Holm 1979)."""
    order = np.argsort(ps, kind="stable")
    left = np.arange(len(ps), 0, -1)
    corrected = np.empty(len(ps))
    corrected[order] = np.minimum(np.maximum.accumulate(left * np.asarray(ps)[order]), 1.0)
    return corrected
