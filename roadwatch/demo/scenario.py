"""What a run is made of: its cameras and its settings, written into its folder as a user would write them."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from producers.zones import Zone, zone_from_text

START = datetime(2026, 3, 2, tzinfo=UTC)
"A Monday, in event time."
DAYS = 3
SECONDS_A_DAY = 14.0
"Wall-clock seconds that an event-time day takes: three of them, and all services' start, fit in a minute."

PASSAGES_PER_DAY = 24
"Vehicles a camera and day: enough labels for a rule on the day's accuracy, few enough to draw in time."

TRUCK_SHARE = 0.6
"A freight route: in the dark it is trucks that pass for cars."
PICTURES_PER_SECOND = 4
"Of event time: as few as the gate needs to follow a vehicle, because drawing them is the demo's main cost."


@dataclass(frozen=True, slots=True)
class SimulatedCamera:
    """One camera of the demo."""

    id: str
    "Its id."
    view: str
    "The simulator's view."
    seed: int
    "Its traffic and its noise."
    conditions: tuple[str, ...]
    "What befalls it, as the simulator reads it."


STORM = ("night@2026-03-04T00:00=0.9", "rain@2026-03-04T00:00=0.7")
FOG = "fog@2026-03-03T04:00/2026-03-04T00:00=0.7"


@dataclass(frozen=True, slots=True)
class Filming:
    """When simulated cameras film, and what."""

    start: datetime = START
    "Event time of the first picture."
    days: int = DAYS
    "Event time that they film."
    seconds_a_day: float = SECONDS_A_DAY
    "Wall-clock seconds that an event-time day takes."
    passages_per_day: int = PASSAGES_PER_DAY
    "Vehicles a camera and day."
    truth: bool = True
    "Whether the true label of each passage is sent too."


CAMERAS = (
    SimulatedCamera("toll-gate", "gate", 11, STORM),
    SimulatedCamera("junction", "junction", 12, STORM),
    SimulatedCamera("overpass", "overpass", 13, (FOG, *STORM)),
    SimulatedCamera("highway", "highway", 14, STORM),
)
"Day 1 is clear everywhere; on day 2 fog comes to the overpass; on day 3 a storm darkens them all."


@dataclass(frozen=True, slots=True)
class Files:
    """What was written for a run."""

    settings: Path
    "roadwatch.toml."
    cameras: Path
    "cameras.toml."


def write_simulation(
    folder: Path,
    servers: str,
    inbox_port: int,
    *,
    cameras: Sequence[SimulatedCamera] = CAMERAS,
    filming: Filming = Filming(),
) -> Files:
    """The demo's settings and cameras."""
    blocks = [simulated(camera, filming) for camera in cameras]
    patience = "PT12H" if filming.truth else "PT0S"
    return _write(folder, servers=servers, inbox_port=inbox_port, cameras=blocks, label_patience=patience)


def write_video(
    folder: Path, video: str, zones: Sequence[str], speed: float | None, servers: str, inbox_port: int
) -> Files:
    """One camera on a clip."""
    camera = clip_table(video, zones, speed)
    return _write(folder, servers=servers, inbox_port=inbox_port, cameras=[camera], label_patience="PT0S")


def clip_table(video: str, zones: Sequence[str], speed: float | None) -> str:
    """A clip's table in cameras.toml; without a speed as fast as it goes. Raises ConfigurationError for a zone that is none."""
    lines = ["[[cameras]]", 'id = "clip"', f"source = {json.dumps(video)}", f'start = "{START.isoformat()}"']
    lines += [f"speed = {speed or 0}"]
    lines += [_zone_table(zone_from_text(zone)) for zone in zones] or ["gate = false", "every = 5"]
    return "\n".join(lines)


def _zone_table(zone: Zone) -> str:
    return f"""
[[cameras.zones]]
id = {json.dumps(zone.id)}
area = {json.dumps(zone.area)}
line = {json.dumps(zone.line)}"""


def simulated(camera: SimulatedCamera, filming: Filming) -> str:
    """A camera's table in cameras.toml."""
    return f"""\
[[cameras]]
id = "{camera.id}"
source = "sim:{camera.view}"
start = "{filming.start.isoformat()}"
speed = {86_400 / filming.seconds_a_day:g}
heartbeat_s = 600
telemetry_s = 1800

[cameras.simulator]
seed = {camera.seed}
days = {filming.days}
passages_per_day = {filming.passages_per_day}
truck_share = {TRUCK_SHARE}
pictures_per_second = {PICTURES_PER_SECOND}
truth = {json.dumps(filming.truth)}
conditions = {json.dumps(list(camera.conditions))}
"""


def _write(folder: Path, *, servers: str, inbox_port: int, cameras: Sequence[str], label_patience: str) -> Files:
    folder.mkdir(parents=True, exist_ok=True)
    files = Files(folder / "roadwatch.toml", folder / "cameras.toml")
    files.cameras.write_text("\n".join(cameras) + "\n", encoding="utf-8")
    files.settings.write_text(
        f"""\
cameras_file = {json.dumps(str(files.cameras.resolve()))}

[kafka]
bootstrap_servers = "{servers}"

[monitor]
timezone = "UTC"
label_patience = "{label_patience}"
min_labels = 50
data_folder = {json.dumps(str((folder / "monitor").resolve()))}

[archive]
address = {json.dumps(str((folder / "archive").resolve()))}

[models]
registry = {json.dumps(str((folder / "registry").resolve()))}

[mail]
host = "127.0.0.1"
port = {inbox_port}
sender = "roadwatch@localhost"
subscriptions = [{{ to = "ml-team@localhost", min_severity = "warning" }}]
""",
        encoding="utf-8",
    )
    return files
