"""What labels stand for that were asked of one day more than once. Pure.

    a camera's day         ├──── morning ────┬──── evening ────┤
    asked at noon          ├── 60 of 500 ────┤                       labels, examples that were reached
    asked again later               ├── 60 of 800 ─────────────┤     the early morning's pictures are gone
    each counts for            1    │ 60/500 │     1
                                    │ 60/800 │

Each request is a sample of its own of all that it reached. Where several reached, each counts for a part that follows from
its design alone, and the parts are one together: the mean of their estimates is as unbiased as each. In proportion to
labels for each example it varies least where requests are alike (Hartley 1962, of frames that overlap).
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import datetime

from models.archive.examples import Asked, Example, Reach, Request
from schemas.ids import parse_id


def reach_of(examples: Iterable[Example]) -> dict[str, Reach]:
    """Return, by camera, among which examples is chosen."""
    times: defaultdict[str, list[datetime]] = defaultdict(list)
    for example in examples:
        times[example.camera_id].append(example.at)
    return {camera: Reach(min(found), max(found)) for camera, found in sorted(times.items())}


def weights_of(requests: Sequence[Request]) -> dict[str, float]:
    """Return how many examples of its day each that was asked for stands for, all requests together."""
    days: defaultdict[str, list[Request]] = defaultdict(list)
    for request in requests:
        days[request.day].append(request)
    weights: defaultdict[str, float] = defaultdict(float)
    for request in requests:
        for asked in request.asked:
            weights[asked.example_id] += asked.weight * _part(request, days[request.day], asked)
    return dict(weights)


def _part(request: Request, of_day: Sequence[Request], asked: Asked) -> float:
    """Return the part with which a request counts where this example lies."""
    others = sum(_density(other) for other in of_day if other is not request and _reaches(other, asked))
    return _density(request) / (_density(request) + others)


def _density(request: Request) -> float:
    return len(request.asked) / max(request.population, 1)


def _reaches(request: Request, asked: Asked) -> bool:
    if not request.reach or asked.at is None:
        return True
    reach = request.reach.get(parse_id(asked.example_id).camera_id)
    return reach is not None and reach.first <= asked.at <= reach.last
