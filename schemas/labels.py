"""What a label may say: limits to which whoever gives labels, keeps them and counts them holds alike. Pure.

What a label names stands in a camera's day and in the day's report, and each of those is one record: so no text is
longer, and no figure larger, than what these bear.
"""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Final

from schemas.errors import DecodingError
from schemas.ids import parse_id
from schemas.records import Label

CLASS_NAME: Final = "[a-z0-9_-]{1,32}"
"What a class may be called: a pattern."
LIGHTEST: Final = 1e-6
"The smallest weight."
HEAVIEST: Final = 1e9
"The largest weight: squares of it are added up."
LONGEST_SOURCE: Final = 200
"Characters of a source's name."
LONGEST_THING: Final = 256
"Characters of a frame's or passage's id."
LONGEST_ID: Final = 512
"Characters of a label's id: the source, the thing and the class."
EARLIEST: Final = datetime(1970, 1, 2, tzinfo=UTC)
"Before it no label was given; every time zone can tell its day."
LATEST: Final = datetime(9999, 1, 1, tzinfo=UTC)
"Likewise, from then on."

_CLASS: Final = re.compile(CLASS_NAME)


def require_sound(label: Label) -> Label:
    """Return a label that can be counted.

    Raises:
        DecodingError: it cannot; the message says all that is wrong with it.

    """
    if faults := "; ".join(faults_of(label)):
        raise DecodingError(f"label {short(label.label_id)} {faults}")
    return label


def faults_of(label: Label) -> Iterator[str]:
    """Give what is wrong with a label, a phrase each."""
    if label.label is not None and not is_class(label.label):
        yield f"says {short(label.label)}: a class has up to 32 of a-z, 0-9, _ and -"
    if not is_weight(label.weight):
        yield f"has the weight {label.weight}: above 0, from {LIGHTEST:g} to {HEAVIEST:g}"
    for name, text, longest in _texts(label):
        if len(text) > longest:
            yield f"has {len(text)} characters in {name}, and at most {longest} are taken"
    for name, at in (("labelled_at", label.labelled_at), ("complete_until", label.complete_until)):
        if at is not None and not is_time(at):
            yield f"has {at.isoformat()} in {name}: from {EARLIEST:%Y-%m-%d} to before {LATEST:%Y-%m-%d}"
    yield from _faults_of_thing(label)


def _texts(label: Label) -> Iterator[tuple[str, str, int]]:
    yield "label_id", label.label_id, LONGEST_ID
    yield "source", label.source, LONGEST_SOURCE
    yield "passage_id", label.passage_id or "", LONGEST_THING
    yield "frame_id", label.frame_id or "", LONGEST_THING


def _faults_of_thing(label: Label) -> Iterator[str]:
    name = label.passage_id or label.frame_id
    if not name or len(name) > LONGEST_THING:
        return
    try:
        thing = parse_id(name)
    except DecodingError as error:
        yield f"is of no thing: {error}"
        return
    if thing.camera_id != label.camera_id:
        yield f"of {short(label.camera_id)} is for {thing.camera_id}"


def is_class(text: str) -> bool:
    """Whether a class may be called so."""
    return _CLASS.fullmatch(text) is not None


def is_weight(weight: float) -> bool:
    """Whether a label may stand for so many vehicles; no number stands for none."""
    return LIGHTEST <= weight <= HEAVIEST


def is_time(at: datetime) -> bool:
    """Whether a label may have been given then."""
    return EARLIEST <= at < LATEST


def short(text: str) -> str:
    """Return a text as an error shows it: quoted, and cut."""
    return repr(text) if len(text) <= 60 else f"{text[:60]!r}…"
