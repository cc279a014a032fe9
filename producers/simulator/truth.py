"""What really happened: each vehicle's passage, and where it stands in a picture."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class TruePassage:
    """One vehicle's way through a view."""

    # Number of the passage: date and count within the day, the same whatever was read before.
    vehicle_id: str
    # "car" or "truck".
    label: str
    # Its kind, such as "saloon" or "tipper".
    kind: str
    # Name of its paint.
    colour: str
    # Name of its lane, also the zone's id.
    lane: str
    # When its lower edge in the picture (front when approaching, rear when receding) meets the line, UTC.
    crossed_at: datetime
    # When it comes into view and when it has left it, UTC.
    enters_at: datetime
    leaves_at: datetime
    # Speed in metres a second.
    speed_m_s: float


@dataclass(frozen=True, slots=True)
class TrueVehicle:
    """One vehicle in a picture."""

    # Its passage.
    passage: TruePassage
    # Left, top, width and height in pixels, clipped to the picture.
    box: tuple[float, float, float, float]
