"""cameras.toml: which cameras there are, what each looks at, and how fast a recording plays.

    [[cameras]]                       one table for each camera
    id = "gate-north"
    source = "rtsp://10.0.0.7/main"   or a video, a folder of pictures, "usb:0", "http://…", "sim:gate"
      [[cameras.zones]]               lanes to watch, each with the line to cross; or zones = ["lane-1: …"]
      [cameras.simulator]             only for "sim:…": seed, days, traffic, conditions

Every fault of the whole file is named at once, as a ConfigurationError.
"""

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, Field, PlainValidator, ValidationError

from producers.simulator.conditions import Condition, parse_condition
from producers.simulator.views import view_named
from producers.sources import address_fault, missing_source
from producers.zones import Zone, zone_from_mapping, zone_from_text
from runtime.faults import faults_of
from runtime.settings import Section
from runtime.toml import read_toml
from schemas.errors import ConfigurationError

SourceKind = Literal["recording", "live", "simulator"]
"""A video or a folder of pictures; a device or a stream; the simulator."""

SIMULATOR = "sim:"
DEFAULT_START = datetime(2026, 1, 1, tzinfo=UTC)
"Event time of a recording's or simulation's first picture unless `start` says otherwise: fixed, so that ids repeat."

ONLY_FOR = {
    "speed": ("recording", "simulator"),
    "start": ("recording", "simulator"),
    "loop": ("recording",),
    "fps": ("recording",),
    "simulator": ("simulator",),
}
"What a camera's table may say only for some kinds of source."


def kind_of(source: str) -> SourceKind:
    """What kind of source an address names.

    >>> kind_of("sim:gate"), kind_of("usb:0"), kind_of("rtsp://10.0.0.7/main"), kind_of("clips/monday.mp4")
    ('simulator', 'live', 'live', 'recording')
    """
    if source.startswith(SIMULATOR):
        return "simulator"
    return "live" if re.match(r"(usb:|[a-z][a-z0-9+.-]*://)", source) else "recording"


def _zone(value: object) -> Zone:
    if isinstance(value, Zone):
        return value
    if not isinstance(value, Mapping | str):
        raise ValueError("not a table of id, area and line")  # noqa: TRY004  # pydantic collects ValueErrors alone
    try:
        return zone_from_text(value) if isinstance(value, str) else zone_from_mapping(value)
    except ConfigurationError as error:
        raise ValueError("; ".join(error.faults)) from error


def _condition(value: object) -> Condition:
    return value if isinstance(value, Condition) else parse_condition(str(value))


def _camera_id(text: str) -> str:
    if not re.fullmatch(r"[a-z0-9][a-z0-9._-]{0,63}", text):
        raise ValueError("cameras are named with small letters, digits, '.', '_' and '-'; 64 characters at most")
    return text


def _utc(when: datetime) -> datetime:
    return when.astimezone(UTC)


class SimulatorConfig(Section):
    """A simulated road's traffic, and what befalls it."""

    seed: int = Field(default=1, ge=0)
    "Of everything drawn: the same seed gives the same bytes."
    days: float = Field(default=1, gt=0)
    "Event time that it lasts."
    passages_per_day: int = Field(default=50, ge=0, le=20_000)
    "Vehicles a day."
    truck_share: float = Field(default=0.4, ge=0, le=1)
    "Of the vehicles."
    pictures_per_second: float = Field(default=6, gt=0, le=60)
    "Of event time, while something is in view."
    conditions: tuple[Annotated[Condition, PlainValidator(_condition)], ...] = ()
    "Such as `fog@2026-03-03T00:00/2026-03-04T00:00=0.8~45m`."
    truth: bool = False
    "Whether the true label of each passage is sent too."


class CameraConfig(Section):
    """One camera, as described; `read_camera` makes it and says what is wrong."""

    id: Annotated[str, AfterValidator(_camera_id)]
    "The camera: key of all its records."
    source: str = Field(min_length=1)
    "Where its pictures come from."
    zones: tuple[Annotated[Zone, PlainValidator(_zone)], ...] = ()
    "Lanes to watch; empty for a simulated camera: those of its view."
    gate: bool = True
    "Whether only passing vehicles are pushed; otherwise every n-th whole picture is."
    every: int = Field(default=1, ge=1)
    "n, where the gate is off."
    heartbeat_s: float = Field(default=60, gt=0)
    "Event time between whole pictures that prove the camera alive, seconds."
    telemetry_s: float = Field(default=10, gt=0)
    "Event time between telemetry records, seconds."
    jpeg_quality: int = Field(default=90, ge=1, le=100)
    "1 to 100."
    speed: float = Field(default=1, ge=0)
    "Event time per wall time, for recordings and the simulator: 1 as it happened, 3600 an hour a second, 0 no waiting."
    loop: bool = False
    "Whether a recording begins again at its end, event time going on."
    fps: float | None = Field(default=None, gt=0, le=1000)
    "Pictures a second of a recording; None: as the video says, and 1 for a folder."
    start: Annotated[AwareDatetime, AfterValidator(_utc)] = DEFAULT_START
    "Event time of a recording's or simulation's first picture, with its zone."
    simulator: SimulatorConfig = SimulatorConfig()
    "For `sim:` sources."

    @property
    def kind(self) -> SourceKind:
        """What kind of source it has."""
        return kind_of(self.source)

    def epoch(self, began_at: datetime) -> str:
        """The name of its run of frames.

        A live camera's is the time its process began. A recording's and a simulation's follow from name and start
        alone: read again under the same settings, every frame gets the same id again.
        """
        if self.kind == "live":
            return _stamp(began_at)
        return f"{self._recording()}@{_stamp(self.start)}"

    def _recording(self) -> str:
        name = f"{self.source}-{self.simulator.seed}" if self.kind == "simulator" else Path(self.source).name
        return re.sub(r"[^A-Za-z0-9._-]+", "-", name)


def _stamp(when: datetime) -> str:
    """`20261123T050600.123Z`, without the milliseconds where there are none."""
    utc = when.astimezone(UTC)
    milliseconds = f".{utc.microsecond // 1000:03d}" if utc.microsecond else ""
    return f"{utc:%Y%m%dT%H%M%S}{milliseconds}Z"


def read_camera(values: Mapping[str, object]) -> CameraConfig:
    """A camera from its table or from a command line's options.

    Raises:
        ConfigurationError: names every fault.

    """
    name = f"camera {values.get('id', '')!r}"
    faults = list(_misplaced(values))
    try:
        camera = CameraConfig.model_validate(dict(values))
    except ValidationError as error:
        raise ConfigurationError(name, [*faults_of(error, CameraConfig), *faults]) from error
    if faults:
        raise ConfigurationError(name, faults)
    return camera


def load_cameras(path: Path) -> tuple[CameraConfig, ...]:
    """All cameras of a file, in its order.

    Raises:
        ConfigurationError: names every fault of every camera.

    """
    cameras: list[CameraConfig] = []
    faults: list[str] = []
    tables = _tables(path)
    for number, table in enumerate(tables, 1):
        try:
            cameras.append(read_camera(table))
        except ConfigurationError as error:
            where = error.where if table.get("id") else f"camera number {number}"
            faults += [f"{where}: {fault}" for fault in error.faults]
    faults += _twice([str(table["id"]) for table in tables if table.get("id")], "camera")
    if faults:
        raise ConfigurationError(str(path), faults)
    return tuple(cameras)


def named_in(path: Path) -> tuple[str, ...]:
    """The ids that a file's cameras have, whatever else is wrong with them; raises ConfigurationError as `load_cameras`."""
    return tuple(str(table["id"]) for table in _tables(path) if table.get("id"))


def missing_sources(path: Path) -> tuple[str, ...]:
    """A fault for each camera of a file whose recording is not on this machine; raises ConfigurationError likewise."""
    sources = [(table.get("id", ""), str(table.get("source", ""))) for table in _tables(path)]
    found = [(name, missing_source(source)) for name, source in sources if source and kind_of(source) == "recording"]
    return tuple(f"camera {name!r}: source: {fault}" for name, fault in found if fault)


def _tables(path: Path) -> list[Mapping[str, Any]]:
    values = read_toml(path)
    tables = values.pop("cameras", None)
    if values:
        raise ConfigurationError(str(path), [f"{name}: not known here; cameras are [[cameras]]" for name in values])
    if not isinstance(tables, list) or not all(isinstance(table, dict) for table in tables) or not tables:
        raise ConfigurationError(str(path), ["no camera in it; begin each with a line [[cameras]]"])
    return tables


def _twice(names: Sequence[str], what: str) -> list[str]:
    counts = Counter(names)
    return [
        f"{what} {name!r} is there {count} times; give each an id of its own"
        for name, count in counts.items()
        if count > 1
    ]


def _misplaced(values: Mapping[str, object]) -> Iterator[str]:
    """What does not go together, by the values as they were written."""
    kind = kind_of(str(values.get("source", "")))
    for name, kinds in ONLY_FOR.items():
        if name in values and kind not in kinds:
            yield f"{name}: only for a {' or a '.join(kinds)}, and the source {values.get('source')!r} is {_a(kind)}"
    yield from _gate_faults(values, kind)
    if kind == "simulator":
        yield from _view_faults(str(values["source"]))
    if kind == "live" and (fault := address_fault(str(values["source"]))):
        yield f"source: {fault}"


def _a(kind: SourceKind) -> str:
    return "a live camera" if kind == "live" else f"a {kind}"


def _gate_faults(values: Mapping[str, object], kind: SourceKind) -> Iterator[str]:
    zones, gate = values.get("zones"), values.get("gate", True)
    if gate and not zones and kind != "simulator":
        yield "zones: none, and the gate is on; add [[cameras.zones]] with id, area and line, or set gate = false"
    if gate and "every" in values:
        yield "every: counts pictures where the gate is off; set gate = false, or leave it out"
    simulator = values.get("simulator")
    if not gate and isinstance(simulator, Mapping) and simulator.get("truth"):
        yield "simulator.truth: labels passages, which only the gate finds; set gate = true"
    if isinstance(zones, list | tuple):
        yield from _twice([_zone_name(zone) for zone in zones], "zone")


def _zone_name(zone: object) -> str:
    if isinstance(zone, str):
        return zone.partition(":")[0].strip()
    return str(zone.get("id")) if isinstance(zone, Mapping) else str(getattr(zone, "id", zone))


def _view_faults(source: str) -> Iterator[str]:
    try:
        view_named(source.removeprefix(SIMULATOR))
    except ValueError as error:
        yield f"source: {error}"
