"""How long: one way to write it, in settings and on the command line.

90s   10m   6h   3d   1w   1.5h      a number and its unit
PT10M   P1D   P1DT12H   P2W          ISO 8601, without years and months, which differ in length
"""

import re
from datetime import timedelta
from typing import Annotated, Final

from pydantic import AfterValidator, BeforeValidator

SECONDS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
"Of a unit."
LONGEST: Final = timedelta(days=36_525)
"A hundred years: more is a slip, and no date lies that far ahead."
ACCEPTED: Final = "write 90s, 10m, 6h, 3d, 1w, or ISO 8601 such as PT10M or P1DT12H"

_NUMBER: Final = r"\d{1,10}(?:\.\d{1,6})?"
_SHORT: Final = re.compile(rf"({_NUMBER})([smhdw])")
_ISO: Final = re.compile(
    rf"P(?=.)(?:(?P<w>{_NUMBER})W)?(?:(?P<d>{_NUMBER})D)?"
    rf"(?:T(?=.)(?:(?P<h>{_NUMBER})H)?(?:(?P<m>{_NUMBER})M)?(?:(?P<s>{_NUMBER})S)?)?"
)


def duration_of(text: str) -> timedelta:
    """The duration that is written so: nothing or more.

    >>> duration_of("90s") == duration_of("PT1M30S") == timedelta(seconds=90)
    True

    Raises:
        ValueError: it is none; says how to write one.

    """
    given = text.strip()
    if given[:1] in {"-", "−"}:
        raise ValueError(f"{text!r} is negative; {ACCEPTED}")
    found = timedelta(seconds=_seconds(given, text))
    if found > LONGEST:
        raise ValueError(f"{text!r} is longer than a hundred years; {ACCEPTED}")
    return found


def some_time_of(text: str) -> timedelta:
    """The duration that is written so: more than nothing; raises ValueError as `duration_of`."""
    found = duration_of(text)
    if not found:
        raise ValueError(f"{text!r} is no time at all; {ACCEPTED}")
    return found


def _seconds(given: str, text: str) -> float:
    if short := _SHORT.fullmatch(given.lower()):
        return float(short[1]) * SECONDS[short[2]]
    if iso := _ISO.fullmatch(given.upper()):
        return sum(float(number) * SECONDS[unit] for unit, number in iso.groupdict().items() if number)
    unit = " has no unit" if re.fullmatch(_NUMBER, given) else " is no duration"
    raise ValueError(f"{text!r}{unit}; {ACCEPTED}")


def _some(span: timedelta) -> timedelta:
    if not span:
        raise ValueError(f"more than nothing; {ACCEPTED}")
    return span


def _read(value: object) -> object:
    if isinstance(value, str):
        return duration_of(value)
    if not isinstance(value, timedelta):
        raise ValueError(f"{value!r} is no duration; {ACCEPTED}, in quotes")  # noqa: TRY004  # pydantic collects ValueErrors alone
    if value < timedelta():
        raise ValueError(f"{value} is negative; {ACCEPTED}")
    return value


Duration = Annotated[timedelta, BeforeValidator(_read)]
"A setting: nothing or more."
SomeTime = Annotated[timedelta, BeforeValidator(_read), AfterValidator(_some)]
"A setting: more than nothing."
