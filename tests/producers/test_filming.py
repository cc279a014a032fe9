"""One camera's loop: what it pushes, how it survives trouble, how it ends."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from itertools import count

import numpy as np
import pytest

from producers.backoff import Backoff
from producers.cameras import CameraConfig, read_camera
from producers.filming import CameraLoop, Equipment
from producers.framing import Framer
from producers.selection import EveryNth, Vehicles
from producers.sink import ListSink
from producers.source import Picture
from producers.sources.listed import ListSource
from runtime.clients import Headers
from schemas.errors import BrokerUnavailableError, ConfigurationError, SourceError
from schemas.records import Frame, Record, Telemetry
from schemas.topics import FRAMES, Topic

START = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIVE = {"id": "gate", "source": "usb:0", "gate": False, "every": 1}
CLIP = {"id": "gate", "source": "clip.mp4", "gate": False, "every": 1}

Item = Picture | SourceError


def picture(second: float, index: int, size: tuple[int, int] = (48, 64)) -> Picture:
    """A grey picture, so many seconds after the start."""
    return Picture(START + timedelta(seconds=second), np.full((*size, 3), 99, np.uint8), index)


def pictures(number: int, step_s: float = 1.0) -> list[Item]:
    """Pictures at a steady pace."""
    return [picture(n * step_s, n) for n in range(number)]


@dataclass
class Bench:
    """A loop on shipped doubles: each opening takes the next source."""

    sources: list[ListSource]
    camera: CameraConfig
    sink: ListSink = field(default_factory=ListSink)
    waits: list[float] = field(default_factory=list)
    stop_after: int | None = None
    "Stop once so many pictures were asked for; None: never."

    def run(self) -> list[Frame]:
        """Film to the end; the frames."""
        framer = Framer(self.camera.id, "e", self.camera.jpeg_quality)
        openings = iter(self.sources)
        asked = count()
        zoned = Vehicles(framer, self.camera.zones)
        equipment = Equipment(
            open=lambda: next(openings),
            sink=self.sink,
            framer=framer,
            selection=zoned if self.camera.gate else EveryNth(framer, self.camera.every),
            stopped=lambda: self.stop_after is not None and next(asked) >= self.stop_after,
            wait=self.waits.append,
            now=lambda: START,
        )
        CameraLoop(self.camera, equipment, Backoff(chance=lambda: 0.0)).run()
        return self.sink.records(Frame)

    def telemetry(self) -> list[Telemetry]:
        """The telemetry that was sent."""
        return self.sink.records(Telemetry)


def bench(values: dict[str, object], *openings: Iterable[Item], stop_after: int | None = None) -> Bench:
    """A bench for a camera described so."""
    return Bench([ListSource(items) for items in openings], read_camera(values), stop_after=stop_after)


def kinds(frames: Iterable[Frame]) -> list[str]:
    """What the frames are."""
    return [frame.kind for frame in frames]


def test_with_the_gate_off_every_nth_picture_is_pushed() -> None:
    """And a sign of life at the start, and one frame at the end after all others."""
    frames = bench({**CLIP, "every": 3}, pictures(7)).run()
    assert kinds(frames) == ["sample", "heartbeat", "sample", "sample", "end"]
    assert [frame.sequence for frame in frames] == [0, 1, 2, 3, 4]


def test_signs_of_life_come_at_their_pace_in_event_time() -> None:
    frames = bench({**CLIP, "every": 1000, "heartbeat_s": 60}, pictures(181)).run()
    seconds = [(f.captured_at - START).total_seconds() for f in frames if f.kind == "heartbeat"]
    assert seconds == [0, 60, 120, 180]


def test_each_frame_is_keyed_by_camera_and_carries_a_trace() -> None:
    made = bench(CLIP, pictures(3))
    made.run()
    sent = [item for item in made.sink.sent if item.topic == FRAMES]
    assert {item.key for item in sent} == {"gate"}
    assert len({item.headers["traceparent"] for item in sent}) == len(sent)


def test_telemetry_comes_at_its_pace_and_at_the_end() -> None:
    """The last one says what was read and pushed in all."""
    made = bench({**CLIP, "telemetry_s": 10}, pictures(25))
    made.run()
    told = made.telemetry()
    assert [(t.state, (t.measured_at - START).total_seconds()) for t in told] == [
        ("running", 0),
        ("running", 10),
        ("running", 20),
        ("ended", 24),
    ]
    assert (told[-1].pictures, told[-1].frames) == (25, 27)


def test_two_runs_of_a_recording_give_the_same_frames() -> None:
    """Ids, times and bytes: whoever reads them twice counts them once."""
    assert bench(CLIP, pictures(5)).run() == bench(CLIP, pictures(5)).run()


def test_a_live_camera_that_vanishes_is_opened_again() -> None:
    """It says that it stalls, waits twice as long each time, and goes on counting when it is back."""
    gone = SourceError("gone")
    made = bench(LIVE, [picture(0, 0), gone], [gone], [picture(9, 0)])
    assert [frame.sequence for frame in made.run()] == [0, 1, 2, 3]
    assert made.waits == [1.0, 2.0]
    assert [t.state for t in made.telemetry()] == ["running", "stalled", "stalled", "running", "ended"]
    assert made.telemetry()[-1].reconnects == 2
    assert all(source.closed for source in made.sources)


def test_a_source_that_gives_pictures_again_is_forgiven() -> None:
    """The wait begins at a second anew after each picture."""
    gone = SourceError("gone")
    made = bench(LIVE, [picture(0, 0), gone], [picture(1, 0), gone], [picture(2, 0)])
    made.run()
    assert made.waits == [1.0, 1.0]


def test_a_recording_that_breaks_off_is_not_tried_again() -> None:
    made = bench(CLIP, [picture(0, 0), SourceError("torn")])
    with pytest.raises(SourceError, match="torn"):
        made.run()
    assert made.sources[0].closed


@pytest.mark.parametrize(("camera", "reason"), [(LIVE, "overrun"), (CLIP, "unreadable")])
def test_pictures_that_the_source_left_out_are_counted(camera: dict[str, object], reason: str) -> None:
    """Gaps in its numbers tell: a live camera was too fast, a recording's picture did not decode."""
    made = bench(camera, [picture(0, 1), picture(1, 4)])
    made.run()
    assert made.telemetry()[-1].dropped == {reason: 3}


def test_a_frame_over_the_limit_is_dropped_and_counted() -> None:
    """The others go on; its number stays unused."""
    noise = np.random.default_rng(1).integers(0, 256, (1500, 1500, 3), np.uint8)
    large = Picture(START + timedelta(seconds=1), noise, 1)
    made = bench({**CLIP, "jpeg_quality": 100}, [picture(0, 0), large, picture(2, 2)])
    assert [frame.sequence for frame in made.run()] == [0, 1, 3, 4]
    assert made.telemetry()[-1].dropped == {"too-large": 1}


def test_being_told_to_stop_is_no_end() -> None:
    """Whoever is stopped may come back: no end frame, no state `ended`; the source is let go."""
    made = bench(CLIP, pictures(1000), stop_after=5)
    assert "end" not in kinds(made.run())
    assert [t.state for t in made.telemetry()] == ["running"]
    assert made.sources[0].closed


def test_a_source_without_a_picture_ends_quietly() -> None:
    assert bench(CLIP, []).run() == []


def test_zones_outside_the_picture_are_named_with_its_size() -> None:
    """Known only when the first picture comes."""
    zone = {"id": "lane", "area": [[0, 0], [900, 0], [900, 900], [0, 900]]}
    made = bench({"id": "gate", "source": "usb:0", "zones": [zone]}, pictures(1))
    with pytest.raises(ConfigurationError, match="zones on pictures of 64x48"):
        made.run()


class AbsentBroker(ListSink):
    """Takes nothing for a while."""

    refused = 0

    def send(self, topic: Topic, key: str, record: Record, headers: Headers | None = None) -> None:
        """Refuse the first three records."""
        if self.refused < 3:
            self.refused += 1
            raise BrokerUnavailableError("nobody answers")
        ListSink.send(self, topic, key, record, headers)


def test_a_recording_ends_with_an_error_when_the_broker_stays_away() -> None:
    """Read again, it gives the same ids: nothing is lost."""
    made = bench(CLIP, pictures(5))
    made.sink = AbsentBroker()
    with pytest.raises(BrokerUnavailableError):
        made.run()


def test_a_live_camera_goes_on_when_the_broker_stays_away() -> None:
    """What could not be delivered is counted."""
    made = bench(LIVE, pictures(5))
    made.sink = AbsentBroker()
    frames = made.run()
    assert kinds(frames) == ["sample"] * 4 + ["end"]
    assert made.telemetry()[-1].dropped == {"undelivered": 2}


def test_waits_double_to_half_a_minute_and_chance_shortens_them() -> None:
    steady, lucky = Backoff(chance=lambda: 0.0), Backoff(chance=lambda: 0.999)
    assert [steady.next_s() for _ in range(7)] == [1, 2, 4, 8, 16, 30, 30]
    assert [round(lucky.next_s(), 1) for _ in range(3)] == [0.5, 1.0, 2.0]
