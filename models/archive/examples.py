"""Examples: what can be asked about, labelled and learnt from, with its pictures. Pure.

passage gate:2026:p64 ─┐
                       ├─► Example ─► Asked ─► GivenLabel ─► Truth ─► learnt from, or a failure
single frame gate:2026:7 ─┘
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

Why = Literal["random", "uncertain", "disagreement", "models disagree", "outlier", "slice", "failed"]
"Why a label is asked for: to measure, or because it teaches."


@dataclass(frozen=True, slots=True)
class ExampleFrame:
    """One picture of an example, and what the model that served said of it."""

    frame_id: str
    "`camera:epoch:sequence`."
    captured_at: datetime
    "When the picture was taken."
    picture: bytes
    "JPEG; empty where it was not fetched, or is no longer kept."
    width: int
    "Pixels."
    height: int
    "Pixels."
    brightness: float
    "Mean luma, 0 to 255."
    contrast: float
    "Standard deviation of luma."
    sharpness: float
    "Variance of the Laplacian."
    noise: float
    "Standard deviation of the grain."
    predicted: str | None
    "The class; None where the model abstained."
    probabilities: Mapping[str, float]
    "Of each class."


@dataclass(frozen=True, slots=True)
class Example:
    """A passage with some of its frames, or a single frame that belongs to none."""

    example_id: str
    "The passage's id, or the frame's."
    camera_id: str
    "The camera."
    day: str
    "The day that it counts for, in the monitor's timezone, `2026-11-23`."
    zone_id: str | None
    "The zone; None for single frames."
    at: datetime
    "When it crossed its line; of single frames, when it was taken."
    predicted: str | None
    "The verdict; None where the model abstained on every frame."
    confidence: float
    "The verdict's share of the votes; 0 where there is none."
    dissent: float
    "The share of its classified frames that disagree with the verdict, 0 to 1."
    model_version: str
    "The bundle that served."
    frames: tuple[ExampleFrame, ...]
    "In order; the largest of a passage's, as many as are kept."
    challenged: str | None = None
    "What the challenger says of it; None without a challenger, or where it was not shown."
    scene: Mapping[str, str] = field(default_factory=dict)
    "Its slices, by dimension: camera, zone, hour, light, weather, size."


@dataclass(frozen=True, slots=True)
class Asked:
    """An example for which a label is asked."""

    example_id: str
    "The example."
    why: Why
    "Why it."
    weight: float
    "How many of the day's examples its label stands for: 1 over the chance with which it was drawn."
    at: datetime | None = None
    "When it crossed its line, or was taken; None in requests that do not tell their reach."


@dataclass(frozen=True, slots=True)
class Reach:
    """Among which of a camera's examples was chosen: their pictures were there when it was asked."""

    first: datetime
    "When the first crossed its line, UTC."
    last: datetime
    "And the last."


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked for of a day."""

    request_id: str
    "Follows from day, cameras, budget and purpose: asked twice, it is the same request."
    day: str
    "The day."
    asked_at: datetime
    "When, UTC."
    by: str
    "`user@host`, or a service."
    population: int
    "Examples of the day among which was chosen."
    asked: tuple[Asked, ...]
    "In the order in which they are best labelled."
    reach: Mapping[str, Reach] = field(default_factory=dict)
    "By camera; empty where it is not told, and stands for the whole day."


@dataclass(frozen=True, slots=True)
class GivenLabel:
    """What a source says of an example."""

    example_id: str
    "The example."
    label: str | None
    "The class; None takes back what the source said before."
    source: str
    "Who says so."
    labelled_at: datetime
    "When, UTC; of two words of one source the later holds."
    weight: float = 1.0
    "As in the request that asked for it; 1 where nobody asked."


@dataclass(frozen=True, slots=True)
class Truth:
    """What all sources together say of an example."""

    example_id: str
    "The example."
    label: str
    "The class."
    weight: float
    "How many examples it stands for."
    given_at: datetime
    "When the newest word was given that counts."
    sources: tuple[str, ...]
    "Who agrees, sorted."
