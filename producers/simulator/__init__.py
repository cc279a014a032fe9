"""A road with cars and trucks, drawn: pictures, the truth of every passage, and the device's telemetry.

`SimulatorSource` is a camera. `training_crops` yields labelled vehicles cut from its clear-day pictures.
"""

from producers.simulator.conditions import Condition, parse_condition, parse_conditions
from producers.simulator.crops import training_crops
from producers.simulator.pacing import PacedSource
from producers.simulator.source import SimulatorSource
from producers.simulator.telemetry import DeviceReading
from producers.simulator.truth import TruePassage, TrueVehicle
from producers.simulator.views import VIEWS, View, view_named

__all__ = [
    "VIEWS",
    "Condition",
    "DeviceReading",
    "PacedSource",
    "SimulatorSource",
    "TruePassage",
    "TrueVehicle",
    "View",
    "parse_condition",
    "parse_conditions",
    "training_crops",
    "view_named",
]
