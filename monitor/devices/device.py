"""What the monitor knows of one device between two records: small, plain JSON, written with each record."""

import json
from dataclasses import dataclass, field

from monitor.devices.days import OpenDay
from monitor.devices.health import Health
from monitor.findings import finding_of, plain_finding
from schemas.records import Finding

SUFFIX = ":device"
"Ends the keys of devices in the table of cameras, whose ids hold no colon."


@dataclass(slots=True)
class Device:
    """One camera's device."""

    camera_id: str
    "The camera."
    offsets: dict[str, int] = field(default_factory=dict)
    "The last record that was taken in, by topic."
    logged_ms: int = -1
    "When the newest record was logged."
    watermark_us: int = -1
    "The newest measurement's time."
    told_us: int = -1
    "Event time of the last news."
    ended: bool = False
    "Whether the source has ended, and nothing more will come."
    closed_through: str = ""
    "The newest closed day; empty before the first."
    days: dict[str, OpenDay] = field(default_factory=dict)
    "Open days."
    lasting: list[Finding] = field(default_factory=list)
    "Findings that last, and those that were over on a day that is open."
    health: Health = field(default_factory=Health)
    "What is usual, and what is wrong."

    @property
    def key(self) -> str:
        """Its key in the table."""
        return self.camera_id + SUFFIX

    def encoded(self) -> bytes:
        """As compact JSON."""
        plain = {
            "camera_id": self.camera_id,
            "offsets": self.offsets,
            "logged_ms": self.logged_ms,
            "watermark_us": self.watermark_us,
            "told_us": self.told_us,
            "ended": self.ended,
            "closed_through": self.closed_through,
            "days": {name: day.snapshot() for name, day in self.days.items()},
            "lasting": [plain_finding(finding) for finding in self.lasting],
            "health": self.health.snapshot(),
        }
        return json.dumps(plain, separators=(",", ":")).encode()


def decoded(data: bytes) -> Device:
    """A device from its bytes."""
    plain = json.loads(data)
    plain["days"] = {name: OpenDay.restore(day) for name, day in plain["days"].items()}
    plain["lasting"] = [finding_of(each) for each in plain["lasting"]]
    plain["health"] = Health.restore(plain["health"])
    return Device(**plain)
