"""The parts that measure time: latency under a steady load, and throughput over partitions and workers."""

import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from itertools import cycle, islice
from threading import Event

from models.qualification.figures import Measured
from models.qualification.latency import measure_latency
from models.qualification.scalability import ScaleRun, measure_scalability
from models.training.data import LabelledPicture
from processors.pictures import examine
from producers.framing import jpeg
from roadwatch.qualification.bench import Bench, Tested
from roadwatch.qualification.held_out import JPEG_QUALITY, a_frame, frames_of
from roadwatch.qualification.stack import Arrival, Line, LineOptions
from roadwatch.qualification.worker import WorkerError
from schemas.records import Frame

WARM_UP_S = 3.0
"Of the load, before what counts."
GRACE_S = 20.0
"After the load's end: what has not come by then counts as this late."
PROBES = 16
"Cameras tried for each partition, to find some in each."
CAMERAS = 4
"Of each partition, in a backlog."
TIMED = 48
"Pictures whose decoding and inference are timed, to choose a backlog's size."
SMALLEST_BACKLOG, LARGEST_BACKLOG = 48, 6000


def try_latency(bench: Bench, tested: Tested) -> Measured:
    """Send frames at a steady pace, and measure each from capture to receipt of its prediction."""
    sizes = bench.sizes
    count = round(sizes.load * (WARM_UP_S + sizes.load_s))
    frames = list(frames_of(list(islice(cycle(bench.held_out.pictures), count)), "latency"))
    with bench.stack.line(tested.folder) as line:
        started = time.time()
        with _sending(line, frames, started, sizes.load) as sent:
            arrivals = _follow(line, sent, count, lambda n: bench.progress("latency", n, count))
        ended = time.time()
    warm_up = round(sizes.load * WARM_UP_S)
    due = {frame.frame_id: started + k / sizes.load for k, frame in enumerate(frames) if k >= warm_up}
    return latency_of(due, arrivals, ended, sizes.load)


@contextmanager
def _sending(line: Line, frames: Sequence[Frame], started: float, per_second: float) -> Iterator[Future[None]]:
    """Frames sent beside what is done inside; no more of them are sent when that ends before its time."""
    stop = Event()
    with ThreadPoolExecutor(1) as sender:
        try:
            yield sender.submit(_send_steadily, line, frames, started, per_second, stop)
        finally:
            stop.set()


def _send_steadily(line: Line, frames: Sequence[Frame], started: float, per_second: float, stop: Event) -> None:
    """Send each frame when it is due. It counts as captured then, also where sending it was late."""
    for number, frame in enumerate(frames):
        due = started + number / per_second
        if stop.wait(max(0.0, due - time.time())):
            return
        line.send(replace(frame, captured_at=datetime.fromtimestamp(due, UTC)))


def _follow(line: Line, sending: Future[None], count: int, done: Callable[[int], None]) -> list[Arrival]:
    """Collect one by one, each with its own time, until all have come or the grace is over."""
    arrivals: list[Arrival] = []
    give_up_at = float("inf")
    while len(arrivals) < count and time.time() < give_up_at:
        arrivals += line.collect(0.2, most=1)
        if sending.done() and give_up_at == float("inf"):
            sending.result()
            give_up_at = time.time() + GRACE_S
        done(len(arrivals))
    return arrivals


def latency_of(due: dict[str, float], arrivals: Sequence[Arrival], ended: float, load: float) -> Measured:
    """Latency of the frames that count; of those that never came, at least the time that was waited for them."""
    at = {arrival.frame_id: arrival.at for arrival in arrivals if arrival.prediction is not None}
    came = [at[name] for name in due if name in at]
    samples = [(at.get(name, ended) - when) * 1000 for name, when in due.items()]
    span = max(came) - min(due.values()) if came else 0.0
    return measure_latency(samples if came else [], load, len(came) / span if span > 0 else 0.0)


def try_scalability(bench: Bench, tested: Tested) -> Measured:
    """Let 1, 2, 4 … processors of one thread each work off a backlog, a partition each."""
    one = _per_second(tested, bench.held_out.pictures)
    runs: list[ScaleRun] = []
    for workers in bench.sizes.workers:
        bench.progress("scalability", len(runs), len(bench.sizes.workers))
        count = backlog_of(one * bench.sizes.drain_s * min(workers, os.cpu_count() or 1))
        runs.append(_scale_run(bench, tested, workers, count))
    bench.progress("scalability", len(runs), len(runs))
    return measure_scalability(runs)


def backlog_of(wanted: float) -> int:
    """Return how many frames a backlog has where so many are wanted."""
    return min(LARGEST_BACKLOG, max(SMALLEST_BACKLOG, round(wanted)))


def _per_second(tested: Tested, pictures: Sequence[LabelledPicture]) -> float:
    """Pictures decoded and classified a second by one thread, without the stack."""
    jpegs = [jpeg(picture.image, JPEG_QUALITY) for picture in islice(cycle(pictures), TIMED)]
    tested.classifier.classify([examine(jpegs[0])[0]])
    started = time.perf_counter()
    tested.classifier.classify([examine(data)[0] for data in jpegs])
    return TIMED / (time.perf_counter() - started)


def _scale_run(bench: Bench, tested: Tested, workers: int, count: int) -> ScaleRun:
    options = LineOptions(workers, partitions=workers, threads=1)
    with bench.stack.line(tested.folder, options) as line:
        cameras = _even_cameras(line, bench.held_out.pictures, workers)
        frames = _spread(bench.held_out.pictures, cameras, count)
        started = time.time()
        arrivals = line.through(frames, window=len(frames))
        memory_mb = sum(worker.peak_mb for worker in line.workers)
    if len(arrivals) < count:
        raise WorkerError(f"{count - len(arrivals)} of {count} frames in a backlog came back as nothing")
    seconds = max(arrival.written_at for arrival in arrivals) - started
    return ScaleRun(workers, workers, count / max(seconds, 1e-3), memory_mb)


def _even_cameras(line: Line, pictures: Sequence[LabelledPicture], partitions: int) -> list[str]:
    """Cameras of which each partition has equally many, in turns; found by a first frame of each of many.

    Those frames warm the processors up as well. Raises WorkerError where none of a partition comes back.
    """
    names = [f"camera-{number}" for number in range(PROBES * partitions)]
    first = [replace(frame, captured_at=datetime.now(UTC)) for frame in _spread(pictures, names, len(names), "probe")]
    by_partition: dict[int, list[str]] = {number: [] for number in range(partitions)}
    for arrival in line.through(first, window=len(first)):
        if arrival.prediction is not None:
            by_partition[arrival.prediction.origin.partition].append(arrival.prediction.camera_id)
    if silent := [number for number, found in by_partition.items() if not found]:
        raise WorkerError(f"no frame came back of {len(silent)} of {partitions} partitions")
    turns = zip(*(sorted(found)[:CAMERAS] for found in by_partition.values()), strict=False)
    return [camera for turn in turns for camera in turn]


def _spread(
    pictures: Sequence[LabelledPicture], cameras: Sequence[str], count: int, epoch: str = "backlog"
) -> list[Frame]:
    """Frames of the pictures, over and over, the cameras taking turns."""
    sizes = [(picture.image.shape[1], picture.image.shape[0]) for picture in pictures]
    jpegs = [jpeg(picture.image, JPEG_QUALITY) for picture in pictures[:count]]
    return [
        a_frame(cameras[n % len(cameras)], epoch, n // len(cameras), jpegs[n % len(jpegs)], sizes[n % len(jpegs)])
        for n in range(count)
    ]
