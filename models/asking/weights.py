"""What labels stand for that were asked of one day more than once. Pure.

request of 60 labels ─► estimate, 60 of 200 parts ──┐
request of 140      ─► estimate, 140 of 200 parts ──┴─► a camera's day: an example that both drew has both its parts

Each request is a sample of its own of the whole day, so any mean of their estimates is unbiased; by the numbers of labels
it is the one that varies least, where requests are alike (Hartley 1962, of frames that overlap).
"""

from collections import Counter, defaultdict
from collections.abc import Sequence

from models.archive.examples import Request
from schemas.ids import parse_id

Place = tuple[str, str]
"A day and a camera."


def weights_of(requests: Sequence[Request]) -> dict[str, float]:
    """Return how many examples of its day each that was asked for stands for, all requests together."""
    asked_of = [Counter(_place(request, asked.example_id) for asked in request.asked) for request in requests]
    together = sum(asked_of, Counter[Place]())
    weights: defaultdict[str, float] = defaultdict(float)
    for request, count in zip(requests, asked_of, strict=True):
        for asked in request.asked:
            place = _place(request, asked.example_id)
            weights[asked.example_id] += asked.weight * (count[place] / together[place])
    return dict(weights)


def _place(request: Request, example_id: str) -> Place:
    return request.day, parse_id(example_id).camera_id
