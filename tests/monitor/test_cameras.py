"""A camera's state between two records."""

import json

from monitor.cameras import Camera, OpenDay, Span, decoded
from monitor.chunks import Given
from monitor.chunks import decoded as decoded_chunk
from schemas.records import Finding
from schemas.times import to_us
from tests.monitor.world import START

FINDING = Finding(
    "north:brightness:1",
    "drift",
    "north",
    "brightness",
    "adwin",
    since=START,
    found_at=START,
    until=None,
    before=120.0,
    after=180.0,
    samples=16,
    worse=True,
    example="north:e:1",
    note="",
)


def test_a_camera_comes_back_from_its_bytes() -> None:
    """Open days, promises and chunks included."""
    camera = Camera(
        "north", days={"2026-03-02": OpenDay([FINDING], 5, 7, {"e": 3})}, spans={"e": Span([[3, 4], [99, 99]], 3, 2)}
    )
    camera.promise(to_us(START), is_new_day=True)
    again = decoded(camera.encoded())
    assert (again.days, again.spans, again.promises) == (camera.days, camera.spans, camera.promises)
    assert again.encoded() == camera.encoded()


def test_a_state_of_before_days_knew_when_they_were_due_is_read() -> None:
    """A monitor that is upgraded goes on with what it had."""
    plain = json.loads(Camera("north", closed_through="2026-03-01", promise_us=to_us(START)).encoded())
    for name in ("promises", "labels_ms", "frames_ms", "due_through"):
        del plain[name]
    plain |= {
        "days": {"2026-03-02": [["brightness", "adwin", to_us(START), 120.0, 180.0, True]]},
        "spans": {"e": [3, 9, 3]},
    }
    camera = decoded(json.dumps(plain).encode())
    assert camera.days == {"2026-03-02": OpenDay()}
    assert camera.spans == {"e": Span([[3, 9]], 3, 3)}
    assert (camera.due_through, camera.promised_ms(to_us(START))) == ("2026-03-01", 0)


def test_labels_of_before_there_could_be_several_are_read() -> None:
    """One for each thing."""
    chunk = decoded_chunk(
        b'{"rows":[],"frames":{"7":["car",1,"l"]},"passages":{},"verdicts":{"7":["car",1,1,2,3]},"words":[]}'
    )
    assert chunk.frame_labels == {7: [Given("car", 1, "l")]}
    assert chunk.verdicts[7].frames == 0


def test_runs_of_chunks_join_when_they_are_close() -> None:
    """Far ones stay apart, so that a label far ahead costs nothing."""
    span = Span()
    for number in (0, 10**9, 1, 40, 10**9 + 5):
        span.include(number)
    assert span.runs == [[0, 40], [10**9, 10**9 + 5]]
    assert span.forget(40) == list(range(40))
    assert (span.runs, span.forgotten) == ([[40, 40], [10**9, 10**9 + 5]], 40)
