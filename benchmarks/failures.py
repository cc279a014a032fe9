"""Failures of known causes, grouped: `python -m benchmarks.failures`, some three minutes on two cores.

Each run is a day of three simulated cameras with three causes of failure: two conditions out of fog, grain by night,
dirt, rain by night and a leaf before the lens, some hours long, and parcel pick-ups, a kind of truck that the model takes
for cars.

    apart     a condition on the first camera, another on the second, pick-ups on the third, half of its trucks
    shared    fog, grain or rain on two cameras at once, dirt or a leaf on the third, pick-ups on all, a fifth of trucks
    mixed     a condition on the first camera, another on the second, pick-ups on all three, a fifth of their trucks

Pictures are the simulator's, answers the bundled model's, and examples are made as they are of a stream. A failure's true
cause is what, taken away, makes the verdict right: the same vehicle is filmed once more under a clear sky, and in place
of a pick-up an ordinary truck in the same weather. A pick-up in fog that an ordinary truck would not survive either has
two causes, each of which suffices: whichever group it is in is right, and the index leaves it out.

Groups are compared with true causes by the adjusted Rand index (Hubert and Arabie, 1985): 1 where they are the same, 0 by
chance; a failure in no group counts as a group of its own. Beside them: k-means on the embedding, told how many causes
there are; a group for each camera; and whoever knows camera and hours of each condition, and takes all other failures
for pick-ups.

Groups and advice were tuned on seeds 0 to 19; what is printed by default is of ten other days of each design.
"""

import argparse
import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from functools import cache, partial
from itertools import product
from math import comb
from multiprocessing import get_context
from types import SimpleNamespace
from typing import Final, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table
from scipy.cluster.vq import kmeans2

from models.archive.examples import Example, ExampleFrame
from models.bundle import BUNDLED, load_bundle
from models.failures.analysis import analysed
from models.failures.groups import Analysis, Group, Judged, Remedy
from monitor.scenes import light_of, size_of, weather_of
from processors.classifier import Classifier
from processors.pictures import examine
from producers.simulator import SimulatorSource
from producers.simulator.conditions import Condition
from producers.simulator.pickups import PICKUP
from producers.simulator.truth import TruePassage
from producers.simulator.views import VIEWS

Design = Literal["apart", "shared", "mixed"]
DESIGNS: Final[tuple[Design, ...]] = ("apart", "shared", "mixed")
DAY: Final = datetime(2026, 3, 2, tzinfo=UTC)
RUNS, FIRST_SEED = 10, 100
PROCESSES: Final = 2
MOMENTS: Final = tuple(timedelta(seconds=seconds) for seconds in (-0.3, -0.1, 0.1))
"Around a crossing: when its pictures are taken."
MARGIN: Final = 0.06
SMALLEST: Final = 12
"Pixels of a crop's side."
PLACES: Final[Mapping[str, tuple[str, ...]]] = {
    "fog": ("junction", "highway"),
    "grain": ("overpass", "gate", "junction", "highway"),
    "dirt": ("street", "overpass", "gate"),
    "rain": ("junction", "overpass"),
    "leaf": ("gate", "street", "highway"),
}
"Where each makes the bundled model fail: elsewhere it copes."
LEVELS: Final[Mapping[str, Mapping[str, float]]] = {
    "fog": {"fog": 1.0},
    "grain": {"night": 1.0, "noise": 1.0},
    "dirt": {"dirt": 1.0},
    "rain": {"night": 1.0, "rain": 0.8},
    "leaf": {"leaf": 1.0},
}
HELPS: Final[Mapping[str, Remedy]] = {
    "fog": "augmentation",
    "grain": "augmentation",
    "rain": "augmentation",
    "dirt": "camera",
    "leaf": "camera",
    "pick-up": "labels",
}
"The first advice that fits each."
WEATHER: Final = ("fog", "grain", "rain")
FAULTS: Final = ("dirt", "leaf")
KIND: Final = "pick-up"
EITHER: Final = "either"
"Kind and condition: each of them suffices."
ORDINARY: Final = "ordinary"
"None that was put in."
TRUCK_SHARE: Final = 0.5
RESTARTS: Final = 10
"Of k-means; the most compact is taken."
PICKUPS: Final[Mapping[Design, tuple[float, float, float]]] = {
    "apart": (0.0, 0.0, 0.5),
    "shared": (0.2, 0.2, 0.2),
    "mixed": (0.2, 0.2, 0.2),
}
"Share of each camera's trucks."


@dataclass(frozen=True, slots=True)
class Road:
    """A camera's day."""

    view: str
    "The simulator's, and the camera's id."
    cause: str
    "What befalls it; empty for nothing."
    harm: tuple[Condition, ...]
    "The simulator's conditions that it consists of."
    pickups: float
    "Share of its trucks that are pick-ups."
    passages: int
    "Vehicles."
    seed: int
    "Of traffic and noise."

    def source(self, *, harmed: bool = True, strange: bool = True) -> SimulatorSource:
        """The camera, or as it would be where it is clear, or where ordinary trucks pass in place of pick-ups."""
        kinds = (Condition("pickups", DAY, intensity=self.pickups),) if self.pickups and strange else ()
        return SimulatorSource(
            self.view,
            seed=self.seed,
            start=DAY,
            days=1,
            passages_per_day=self.passages,
            truck_share=TRUCK_SHARE,
            conditions=(*kinds, *(self.harm if harmed else ())),
        )

    def cause_at(self, at: datetime) -> str:
        """What befalls it then."""
        return self.cause if any(each.level(at) for each in self.harm) else ""


@dataclass(frozen=True, slots=True)
class Seen:
    """A vehicle as the model saw it."""

    example: Example
    "With its pictures."
    truth: str
    "Its class."
    embedding: NDArray[np.float32]
    "Of its pictures, the mean."
    cause: str
    "Why it failed; empty where the verdict is right."


def roads(design: Design, seed: int) -> list[Road]:
    """Three cameras and what befalls them."""
    rng = np.random.default_rng([seed, DESIGNS.index(design)])
    causes = _causes(design, rng)
    views: list[str] = []
    for cause in causes:
        views.append(str(rng.choice([view for view in PLACES.get(cause, tuple(VIEWS)) if view not in views])))
    hours = [(6 + rng.uniform(0, 3), rng.uniform(5, 9)) for _ in causes]
    if design == "shared":
        hours[1] = hours[0]
    pickups = PICKUPS[design]
    return [_road(seed, *each, rng) for each in zip(views, causes, hours, pickups, strict=True)]


def _causes(design: Design, rng: np.random.Generator) -> tuple[str, str, str]:
    if design == "shared":
        weather = str(rng.choice(WEATHER))
        return weather, weather, str(rng.choice(FAULTS))
    one, other = (str(name) for name in rng.permutation(list(PLACES))[:2])
    return one, other, ""


def _road(
    seed: int, view: str, cause: str, hours: tuple[float, float], pickups: float, rng: np.random.Generator
) -> Road:
    since = DAY + timedelta(hours=hours[0])
    until, strength = since + timedelta(hours=hours[1]), rng.uniform(0.9, 1)
    harm = [
        Condition(kind, since, until, level * strength, timedelta(0)) for kind, level in LEVELS.get(cause, {}).items()
    ]
    return Road(view, cause, tuple(harm), pickups, int(rng.integers(60, 120)), seed * 100 + len(view))


def film(road: Road) -> Iterator[Seen]:
    """Give the vehicles of a camera's day, as many as can be seen."""
    source, clear, usual = road.source(), road.source(harmed=False), road.source(strange=False)
    ordinary = {passage.vehicle_id: passage for passage in usual.passages(DAY, DAY + timedelta(days=1))}
    for passage in source.passages(DAY, DAY + timedelta(days=1)):
        if seen := _seen(source, passage):
            example, embedding = seen
            instead = ordinary.get(passage.vehicle_id, passage)
            cause = _cause(
                road, passage, example, partial(_is_right, clear, passage), partial(_is_right, usual, instead)
            )
            yield Seen(example, passage.label, embedding, cause)


def _cause(
    road: Road, passage: TruePassage, example: Example, clear: Callable[[], bool], usual: Callable[[], bool]
) -> str:
    """Why it failed: what, taken away, makes the verdict right."""
    if example.predicted == passage.label:
        return ""
    harm, strange = road.cause_at(passage.crossed_at), passage.kind == PICKUP
    if harm and clear():
        return harm
    if strange and usual():
        return KIND
    return EITHER if strange and harm else ORDINARY


def _is_right(source: SimulatorSource, passage: TruePassage) -> bool:
    """Whether it would be told rightly there; what cannot be seen is not."""
    seen = _seen(source, passage)
    return seen is not None and seen[0].predicted == passage.label


def _seen(source: SimulatorSource, passage: TruePassage) -> tuple[Example, NDArray[np.float32]] | None:
    """The example, and what the network saw; None where it is hidden, or at the picture's edge."""
    crops = [crop for moment in MOMENTS if (crop := _crop(source, passage, passage.crossed_at + moment))]
    if not crops:
        return None
    said = _classifier().classify([examine(jpeg)[0] for _, jpeg in crops])
    frames = tuple(
        _frame(f"{source.view.name}:benchmark:{passage.vehicle_id}-{number}", at, jpeg, label, probabilities)
        for number, ((at, jpeg), label, probabilities) in enumerate(
            zip(crops, said.labels, said.probabilities, strict=True)
        )
    )
    return _example(source, passage, frames), np.asarray(said.embedding.mean(axis=0), np.float32)


def _crop(source: SimulatorSource, passage: TruePassage, at: datetime) -> tuple[datetime, bytes] | None:
    boxes = [each.box for each in source.truth_at(at) if each.passage.vehicle_id == passage.vehicle_id]
    if not boxes:
        return None
    image, (left, top, width, height) = source.picture_at(at).image, boxes[0]
    rows = slice(max(0, round(top - MARGIN * height)), round(top + (1 + MARGIN) * height))
    columns = slice(max(0, round(left - MARGIN * width)), round(left + (1 + MARGIN) * width))
    crop = image[rows, columns]
    if min(crop.shape[:2]) < SMALLEST:
        return None
    return at, cv2.imencode(".jpg", crop, [cv2.IMWRITE_JPEG_QUALITY, 90])[1].tobytes()


def _frame(
    frame_id: str, at: datetime, jpeg: bytes, label: str | None, probabilities: NDArray[np.float32]
) -> ExampleFrame:
    found = examine(jpeg)[1]
    return ExampleFrame(
        frame_id=frame_id,
        captured_at=at,
        picture=jpeg,
        width=found.width,
        height=found.height,
        brightness=found.brightness,
        contrast=found.contrast,
        sharpness=found.sharpness,
        noise=found.noise,
        predicted=label,
        probabilities=dict(zip(_classifier().labels, probabilities.tolist(), strict=True)),
    )


def _example(source: SimulatorSource, passage: TruePassage, frames: tuple[ExampleFrame, ...]) -> Example:
    predicted, confidence = _vote(frames)
    _, whole = examine(cv2.imencode(".jpg", source.picture_at(passage.crossed_at).image)[1].tobytes(), whole=True)
    scene = SimpleNamespace(brightness=whole.brightness, contrast=whole.contrast)
    camera, pixels = source.view.name, max(frame.width * frame.height for frame in frames)
    return Example(
        example_id=f"{camera}:benchmark:p{passage.vehicle_id}",
        camera_id=camera,
        day=f"{DAY:%Y-%m-%d}",
        zone_id=passage.lane,
        at=passage.crossed_at,
        predicted=predicted,
        confidence=confidence,
        dissent=sum(frame.predicted != predicted for frame in frames) / len(frames),
        model_version=_classifier().version,
        frames=frames,
        scene={
            "camera": camera,
            "hour": f"{passage.crossed_at:%H}",
            "light": light_of(scene),
            "weather": weather_of(scene),
            "zone": f"{camera}/{passage.lane}",
            "size": size_of(pixels),
        },
    )


def _vote(frames: Sequence[ExampleFrame]) -> tuple[str | None, float]:
    """As the monitor votes: probabilities weighed by area, of frames that were given a class."""
    votes: Counter[str] = Counter()
    for frame in frames:
        if frame.predicted:
            votes.update({label: p * frame.width * frame.height for label, p in frame.probabilities.items()})
    if not votes:
        return None, 0.0
    label, most = votes.most_common(1)[0]
    return label, most / sum(votes.values())


@cache
def _classifier() -> Classifier:
    cv2.setNumThreads(1)
    return Classifier.load(load_bundle(BUNDLED))


@dataclass(frozen=True, slots=True)
class Told:
    """What was said of one cause of one day."""

    cause: str
    "The cause."
    failures: int
    "That it alone makes."
    cost: float
    "Points of accuracy that the day would have more without it, 0 to 1."
    said: float
    "What the group costs that holds most of them, as it says; 0 where all are in none."
    advice: str | None
    "That group's first; None without one."

    @property
    def fits(self) -> bool:
        """Whether the advice does."""
        return self.advice == HELPS[self.cause]


@dataclass(frozen=True, slots=True)
class Result:
    """What was found of one day."""

    design: Design
    "How its causes lie."
    seed: int
    "Of the day."
    judged: int
    "Vehicles."
    failed: int
    "Of them."
    either: int
    "Failures with two causes, each of which suffices."
    groups: int
    "Found."
    grouped: float
    "The share of failures that are in one."
    index: float
    "Adjusted Rand, as are the others."
    by_embedding: float
    "k-means with the true number of causes."
    by_camera: float
    "A group for each camera."
    by_hours: float
    "Known hours of each condition."
    told: tuple[Told, ...]
    "Of each cause."


def run(day: tuple[Design, int]) -> Result:
    """Film a day and group its failures."""
    design, seed = day
    cameras = roads(design, seed)
    seen = [each for road in cameras for each in film(road)]
    found = analysed([Judged(each.example, each.truth, each.embedding) for each in seen], seed=seed)
    failures = [each for each in seen if each.cause and each.cause != EITHER]
    causes, labels = [each.cause for each in failures], _labels(found)
    hours = {road.view: road for road in cameras}
    known = [hours[each.example.camera_id].cause_at(each.example.at) or KIND for each in failures]
    return Result(
        design=design,
        seed=seed,
        judged=len(seen),
        failed=found.failed,
        either=found.failed - len(failures),
        groups=len(found.groups),
        grouped=1 - len(found.single) / max(1, found.failed),
        index=adjusted_rand(causes, [labels[each.example.example_id] for each in failures]),
        by_embedding=adjusted_rand(causes, _k_means(failures, len(set(causes)))),
        by_camera=adjusted_rand(causes, [each.example.camera_id for each in failures]),
        by_hours=adjusted_rand(causes, known),
        told=tuple(_told(cause, seen, found) for cause in sorted(set(causes) - {ORDINARY})),
    )


def _labels(found: Analysis) -> dict[str, str]:
    """Each failure's group, or itself."""
    grouped = {member: str(number) for number, group in enumerate(found.groups) for member in group.members}
    return {**{example_id: example_id for example_id in found.single}, **grouped}


def _k_means(failures: Sequence[Seen], groups: int) -> list[int]:
    points = np.array([each.embedding for each in failures], float)
    tries = [kmeans2(points, groups, minit="++", seed=number) for number in range(RESTARTS)]
    return min(tries, key=lambda found: float(np.square(points - found[0][found[1]]).sum()))[1].tolist()


def _told(cause: str, seen: Sequence[Seen], found: Analysis) -> Told:
    own = {each.example.example_id for each in seen if each.cause == cause}
    group = max(found.groups, key=partial(_held, own), default=None)
    if group is None or not _held(own, group):
        return Told(cause, len(own), len(own) / len(seen), 0.0, None)
    advice = group.advice[0].remedy if group.advice else None
    return Told(cause, len(own), len(own) / len(seen), group.cost, advice)


def _held(own: set[str], group: Group) -> int:
    return len(own & set(group.members))


def adjusted_rand(one: Sequence[object], other: Sequence[object]) -> float:
    """How well two divisions of the same things agree, 1 where they are the same, 0 as by chance."""
    both = sum(comb(count, 2) for count in Counter(zip(one, other, strict=True)).values())
    ones, others = (sum(comb(count, 2) for count in Counter(each).values()) for each in (one, other))
    pairs = comb(len(one), 2)
    expected = ones * others / pairs if pairs else 0.0
    most = (ones + others) / 2
    return 1.0 if most == expected else (both - expected) / (most - expected)


def designs(found: Sequence[Result]) -> Table:
    """A line for each design."""
    shown = Table(title="Groups against true causes, adjusted Rand index, mean ± spread over days")
    shown.add_column("design")
    for name in (
        "days",
        "failures a day",
        "two causes",
        "in groups",
        "groups",
        "found",
        "embedding",
        "camera",
        "hours known",
    ):
        shown.add_column(name, justify="right")
    for design in DESIGNS:
        some = [each for each in found if each.design == design]
        figures = np.array([[e.index, e.by_embedding, e.by_camera, e.by_hours] for e in some])
        shown.add_row(
            design,
            f"{len(some)}",
            f"{np.mean([each.failed for each in some]):.1f}",
            f"{np.mean([each.either for each in some]):.1f}",
            f"{np.mean([each.grouped for each in some]):.1%}",
            f"{np.mean([each.groups for each in some]):.1f}",
            *(
                f"{mean:.2f} ± {spread:.2f}"
                for mean, spread in zip(figures.mean(axis=0), figures.std(axis=0), strict=True)
            ),
        )
    return shown


def causes(found: Sequence[Result]) -> Table:
    """A line for each cause."""
    shown = Table(title="What each cause costs, in points of the day's accuracy, and what its group says")
    shown.add_column("cause")
    for name in ("days", "failures a day", "costs", "group says", "off by", "first advice", "fits"):
        shown.add_column(name, justify="right")
    for cause, remedy in HELPS.items():
        told = [each for result in found for each in result.told if each.cause == cause]
        if told:
            shown.add_row(cause, f"{len(told)}", *_figures(told), remedy, f"{sum(e.fits for e in told)} of {len(told)}")
    return shown


def _figures(told: Sequence[Told]) -> tuple[str, ...]:
    return (
        f"{np.mean([each.failures for each in told]):.1f}",
        f"{np.mean([each.cost for each in told]) * 100:.1f}",
        f"{np.mean([each.said for each in told]) * 100:.1f}",
        f"{np.mean([abs(each.said - each.cost) for each in told]) * 100:.1f}",
    )


def main() -> None:
    """Film, group and print; as JSON where asked."""
    parser = argparse.ArgumentParser(description="Groups of failures against their true causes, on simulated days.")
    parser.add_argument("--seed", type=int, default=FIRST_SEED, help="of the first day; groups were tuned on 0 to 19")
    parser.add_argument("--runs", type=int, default=RUNS, help="days of each design")
    parser.add_argument("--json", action="store_true", help="print every day's figures as JSON")
    chosen = parser.parse_args()
    if chosen.runs < 1 or chosen.seed < 0:
        parser.error(f"--runs {chosen.runs} --seed {chosen.seed}: at least one day, and a seed of 0 or more")
    days = list(product(DESIGNS, range(chosen.seed, chosen.seed + chosen.runs)))
    with get_context("spawn").Pool(PROCESSES) as pool:
        console = Console(stderr=True)
        found = list(track(pool.imap(run, days), "Filming", len(days), console=console, disable=chosen.json))
    if chosen.json:
        print(json.dumps([asdict(result) for result in found], indent=2))
        return
    Console().print(designs(found), causes(found))


if __name__ == "__main__":
    main()
