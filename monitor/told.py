"""What was told of a closed day, kept so that late labels cost what they touch, not the day.

    chunk          0   1   2   3   4   5        the day closes: all are walked
    what is said   ·   ·   ·   ·   ·   ·
                           ▲   └─ holds frames of a vehicle that began in 2
                      late label                2 and 3 are walked again, all else is known

What labels cannot change is told once. Nothing hangs on it: a day of which nothing is kept is walked from end to end.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from monitor.chunks import DEFLATE_LEVEL, Place
from monitor.judged import Judged, Said
from schemas.codec import Codec
from schemas.errors import RecordError
from schemas.records import CameraDay

CODEC: Final = Codec()
LARGEST: Final = 4 * 1024 * 1024
"Bytes that are kept of a day: half of what a changelog takes. Larger days are walked each time."
SHAPE: Final = 1
"Of what is kept; what has another is not known here."


@dataclass(frozen=True, slots=True)
class Told:
    """A camera's day as it was handed in last."""

    plain: CameraDay
    "Without what labels say."
    said: Mapping[Place, Said]
    "What they say, by chunk, in the order of a walk; empty chunks are left out."

    def encoded(self) -> bytes:
        """As compact JSON, deflated; that nothing is kept where it is too large."""
        said = [[*place, *_plain(said)] for place, said in self.said.items()]
        data = _packed({"shape": SHAPE, "plain": b64encode(CODEC.encode(self.plain)).decode(), "said": said})
        return data if len(data) <= LARGEST else _packed({"shape": None})


def _packed(plain: object) -> bytes:
    return zlib.compress(json.dumps(plain, separators=(",", ":")).encode(), DEFLATE_LEVEL)


def decoded(data: bytes) -> Told | None:
    """What was told, from its bytes; None where another version wrote them, or nothing was kept."""
    plain = json.loads(zlib.decompress(data))
    if plain["shape"] != SHAPE:
        return None
    try:
        day = CODEC.decode(b64decode(plain["plain"]), CameraDay)
    except RecordError:
        return None
    return Told(day, {(epoch, number): _said(parts) for epoch, number, *parts in plain["said"]})


def _plain(said: Said) -> list[Any]:
    frames = [[*key, n] for key, n in said.frames.items()]
    return [said.labelled, said.worst.unsure, frames, said.totals, said.sources, sorted(said.begun), said.scene]


def _said(parts: list[Any]) -> Said:
    labelled, unsure, frames, totals, sources, begun, scene = parts
    said = Said(
        labelled=[*_judged(labelled)],
        frames=Counter({(weight, truth, predicted): n for weight, truth, predicted, n in frames}),
        totals=Counter(totals),
        sources=Counter(sources),
        begun=set(begun),
        scene=_pair(scene),
    )
    for each in _judged(unsure):
        said.worst.add(each)
    return said


def _judged(plain: Iterable[list[Any]]) -> Iterator[Judged]:
    for at_us, frame_id, predicted, confidence, truth, properties, weight in plain:
        yield Judged(at_us, frame_id, predicted, confidence, truth, tuple(map(_pair, properties)), weight)


def _pair(plain: list[str]) -> tuple[str, str]:
    dimension, value = plain
    return dimension, value
