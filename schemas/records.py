"""The records that travel: one frozen dataclass for each, field for field as in its `.avsc`.

Times are event times unless they say otherwise: timezone-aware UTC, to the microsecond.

    Frame ──► Prediction, Observations ──► Passage
    Label, Telemetry ──────────────────────► CameraDay ──► DayReport ──► Alert ──► Delivery
    ModelEvent                                             AlertAction ────┘
"""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

FrameKind = Literal["vehicle", "sample", "heartbeat", "end"]
"""A vehicle's crop; a whole picture, the gate being off; a sign of life; the last frame of a source that has ended."""

CLASSIFIED: frozenset[FrameKind] = frozenset({"vehicle", "sample"})
"""Kinds of frames that are classified; the others are signs of life."""

CameraState = Literal["running", "stalled", "ended"]
Severity = Literal["info", "warning", "critical"]
AlertState = Literal["open", "acknowledged", "resolved"]
AlertActionKind = Literal["acknowledge", "silence", "unsilence"]
Part = Literal["pictures", "device"]
FindingKind = Literal["drift", "integrity", "device"]
ModelEventKind = Literal["registered", "qualified", "promoted", "rolled_back", "withdrawn", "loaded", "refused"]


class Record:
    """What may be on a topic by itself."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle in a camera's whole picture."""

    x: int
    "Left edge, pixels from the left."
    y: int
    "Upper edge, pixels from the top."
    width: int
    "Pixels."
    height: int
    "Pixels."


@dataclass(frozen=True, slots=True)
class Frame(Record):
    """A picture that a camera pushed."""

    frame_id: str
    "`camera:epoch:sequence`, the same in every recording and replay."
    camera_id: str
    "The camera, and the record's key."
    epoch: str
    "Names the run of frames that `sequence` counts: a live camera's start, a recording's name."
    sequence: int
    "Counts this camera's frames in its epoch, from 0."
    kind: FrameKind
    "What the picture shows, and why it was pushed."
    captured_at: datetime
    "When the picture was taken."
    zone_id: str | None
    "The zone that the vehicle is in; None for whole pictures."
    passage_id: str | None
    "`camera:epoch:pN`, N the sequence of the passage's first frame; None for whole pictures."
    crossed_at: datetime | None
    "When the vehicle crossed its zone's line; None before that, and for whole pictures."
    box: Box | None
    "Where the crop lies in the whole picture; None for whole pictures."
    source_width: int
    "Width of the camera's whole picture, pixels."
    source_height: int
    "Height of the camera's whole picture, pixels."
    encoding: str
    "`jpeg`."
    picture: bytes
    "The encoded crop or whole picture."


@dataclass(frozen=True, slots=True)
class Statistics:
    """What can be said of a picture without knowing what it shows."""

    brightness: float
    "Mean luma, 0 to 255."
    contrast: float
    "Standard deviation of luma, 0 to 127.5."
    sharpness: float
    "Variance of the Laplacian of a grey copy of fixed size."
    width: int
    "Pixels."
    height: int
    "Pixels."
    noise: float = 0.0
    "Standard deviation of the grain, grey levels; 0 where an older processor did not measure it."
    sketch: bytes = b""
    "Of whole pictures: 16 columns × 9 rows of luma, row by row, one byte each; empty for crops."


@dataclass(frozen=True, slots=True)
class Timings:
    """How long a frame took, by the wall clock."""

    queue_ms: float
    "From the producer's send to the processor's receipt."
    decode_ms: float
    "Decoding and statistics."
    inference_ms: float
    "The batch's inference, divided among its frames."
    total_ms: float
    "From the producer's send to the prediction."


@dataclass(frozen=True, slots=True)
class Origin:
    """Where a record lies in Kafka."""

    topic: str
    "Topic."
    partition: int
    "Partition."
    offset: int
    "Offset."


@dataclass(frozen=True, slots=True)
class Prediction(Record):
    """What the model says of one frame: the public stream."""

    frame_id: str
    "The frame's id."
    camera_id: str
    "The camera, and the record's key."
    epoch: str
    "The frame's epoch."
    sequence: int
    "The frame's sequence number in its epoch."
    kind: FrameKind
    "The frame's kind."
    captured_at: datetime
    "When the picture was taken."
    zone_id: str | None
    "The frame's zone; None for whole pictures."
    passage_id: str | None
    "The frame's passage; None for whole pictures."
    crossed_at: datetime | None
    "When the vehicle crossed the line; None before that."
    label: str | None
    "The most probable class; None for heartbeats and ends, which are not classified, and where the model abstains."
    confidence: float | None
    "The label's probability; None where label is."
    probabilities: dict[str, float]
    "Each class's probability, summing to 1, also where the model abstains; empty for what is not classified."
    model_version: str
    "The bundle that served."
    statistics: Statistics
    "Of the picture."
    timings: Timings
    "Measured: with `origin`, what differs between two runs over the same frames."
    origin: Origin
    "Where the frame lies, for whoever wants its picture."


@dataclass(frozen=True, slots=True)
class Observations(Record):
    """A batch of one camera's predictions as columns, in camera order: what the monitor reads.

    Row i is made of the i-th entry of each column; `schemas.observations` packs and unpacks them.
    """

    camera_id: str
    "The camera, and the record's key."
    epoch: str
    "The epoch of every row."
    model_version: str
    "The bundle that served every row."
    topic: str
    "The topic that the frames lie in."
    partition: int
    "The partition that the frames lie in."
    classes: tuple[str, ...]
    "What the label column's numbers mean, and the order of probabilities."
    zones: tuple[str, ...]
    "What the zone column's numbers mean."
    offsets: tuple[int, ...]
    "Column: the frame's offset."
    sequences: tuple[int, ...]
    "Column: the frame's sequence number."
    kinds: tuple[FrameKind, ...]
    "Column: the frame's kind."
    captured_at: tuple[datetime, ...]
    "Column: when the picture was taken."
    crossed_at: tuple[datetime | None, ...]
    "Column: when the vehicle crossed the line; None before that."
    zone: tuple[int, ...]
    "Column: index into zones; -1 for whole pictures."
    passage: tuple[int, ...]
    "Column: the sequence of the passage's first frame; -1 for whole pictures."
    label: tuple[int, ...]
    "Column: index into classes; -1 for what is not classified, and where the model abstains."
    probabilities: tuple[float, ...]
    "Column of len(classes) values a row, row after row; zeros for what is not classified."
    brightness: tuple[float, ...]
    "Column: mean luma, 0 to 255."
    contrast: tuple[float, ...]
    "Column: standard deviation of luma."
    sharpness: tuple[float, ...]
    "Column: variance of the Laplacian."
    width: tuple[int, ...]
    "Column: the picture's width, pixels."
    height: tuple[int, ...]
    "Column: the picture's height, pixels."
    latency_ms: tuple[float, ...]
    "Column: from the producer's send to the prediction, wall clock."
    noise: tuple[float, ...] = ()
    "Column: standard deviation of the grain; empty where an older processor did not measure it."
    sketch: tuple[bytes, ...] = ()
    "Column: 16 × 9 luma of whole pictures, empty for crops; the column is empty likewise."
    queue_ms: tuple[float, ...] = ()
    "Column: from the producer's send to the processor's receipt; the column is empty likewise."
    decode_ms: tuple[float, ...] = ()
    "Column: decoding and statistics; likewise."
    inference_ms: tuple[float, ...] = ()
    "Column: the batch's inference, divided among its frames; likewise."


@dataclass(frozen=True, slots=True)
class Passage(Record):
    """One vehicle that crossed a zone's line, with the verdict of its frames."""

    passage_id: str
    "`camera:epoch:pN`."
    camera_id: str
    "The camera, and the record's key."
    zone_id: str
    "The zone whose line was crossed."
    first_at: datetime
    "Its first frame."
    crossed_at: datetime
    "When it crossed the line."
    last_at: datetime
    "Its last frame."
    label: str
    "The verdict: the class with the largest sum of the frames' probabilities, each weighed by its picture's area."
    confidence: float
    "The verdict's share of that sum."
    votes: dict[str, int]
    "Frames for each class."
    frames: int
    "Frames in all."
    model_version: str
    "The bundle that served its last frame."


@dataclass(frozen=True, slots=True)
class Label(Record):
    """What somebody says a frame or a passage truly shows."""

    label_id: str
    "Deterministic: the same label sent twice counts once."
    camera_id: str
    "The camera, and the record's key."
    frame_id: str | None
    "The labelled frame; None when a passage is labelled, or nothing is."
    passage_id: str | None
    "The labelled passage; None when a frame is labelled, or nothing is."
    label: str | None
    "The true class; None to take back what the source said of it before, or for a record that only promises."
    source: str
    "Who says so: a person, `csv`, `simulator`, a roadside loop."
    weight: float
    "How many like it a sampled label stands for; 1 when all were labelled."
    labelled_at: datetime
    "When the label was given."
    complete_until: datetime | None
    "The source's promise: of pictures before this time, it has sent every label. None: no promise."


@dataclass(frozen=True, slots=True)
class Telemetry(Record):
    """What a camera's device says of itself."""

    camera_id: str
    "The camera, and the record's key."
    measured_at: datetime
    "When it was measured."
    state: CameraState
    "What the source is doing."
    temperature_c: float | None
    "Of the device, degrees Celsius; None without a sensor."
    pressure_hpa: float | None
    "Of the air, hectopascals; None without a sensor."
    magnetometer_ut: tuple[float, ...]
    "Magnetic field along x, y, z, microtesla; empty without a sensor."
    pictures: int
    "Pictures read since the process started."
    frames: int
    "Frames pushed since the process started."
    dropped: dict[str, int]
    "Pictures or frames dropped since the process started, by reason."
    reconnects: int
    "Times the source was opened again since the process started."


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a confusion matrix."""

    truth: str
    "The label."
    predicted: str
    "The prediction."
    count: int
    "How many."


@dataclass(frozen=True, slots=True)
class WeightedCells:
    """Labels that stand for as many vehicles each."""

    weight: float
    "How many."
    cells: tuple[Cell, ...]
    "Confusion of the labelled vehicles."
    frame_cells: tuple[Cell, ...]
    "Confusion of the labelled frames; a passage's label counts for each of its frames."
    confidence_sum: float
    "Over the labelled vehicles."


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that was found in one camera's pictures or device, and how long it lasted."""

    finding_id: str
    "`camera:signal:microseconds since 1970`: the same in every replay."
    kind: FindingKind
    "A change in a signal, a fault of the stream, or of the device."
    camera_id: str
    "The camera."
    signal: str
    "`confidence`, `brightness`, `frozen`, `temperature`, …"
    detector: str
    "What found it: `adwin+bets`, `hddm-a+bets`, `page-hinkley`, `rule`, …"
    since: datetime
    "When it began, as far as can be told."
    found_at: datetime
    "Event time of the value at which it was found."
    until: datetime | None
    "When it was over; None while it lasts."
    before: float
    "The signal before, or what is allowed."
    after: float
    "The signal since."
    samples: int
    "Values that prove it."
    worse: bool
    "Whether the direction is one that harms."
    example: str | None
    "A frame that shows it; None where none does."
    note: str
    "What the numbers do not say, in words; empty where they say it all."


@dataclass(frozen=True, slots=True)
class Slice:
    """Counts of the vehicles that share a property."""

    dimension: str
    "`zone`, `hour`, `light`, `size`, `weather`."
    value: str
    "The property: a zone's name, `07`, `dark`, `small`."
    passages: dict[str, int]
    "Vehicles by verdict."
    cells: tuple[Cell, ...]
    "Confusion of the labelled ones; where labels stand for different numbers of vehicles, of a fair part of them."


@dataclass(frozen=True, slots=True)
class ConfidenceBin:
    """Vehicles of one verdict whose confidence lies in one fiftieth of 0 to 1."""

    predicted: str
    "The verdict."
    bin: int
    "0 to 49: confidence times 50, rounded down; 49 for 1."
    count: int
    "Vehicles."
    confidence_sum: float
    "Of their confidences."
    labelled: int
    "Those of them that are labelled; where labels stand for different numbers of vehicles, a fair part of those."
    right: int
    "Labelled and right."


@dataclass(frozen=True, slots=True)
class SignalCounts:
    """A signal's values over a day."""

    signal: str
    "`confidence`, `brightness`, `contrast`, …"
    count: int
    "Values."
    total: float
    "Their sum."
    squares: float
    "Sum of their squares."
    buckets: dict[str, int]
    "How many lie in each bucket; see monitor.signals."


@dataclass(frozen=True, slots=True)
class StageLatency:
    """How long one stage of a frame's way took, by the wall clock."""

    stage: str
    "`queue`, `decode`, `inference`, `other`."
    buckets: dict[str, int]
    "Classified frames by bucket of latency, log-spaced; see monitor.quantiles."


@dataclass(frozen=True, slots=True)
class WorstFrame:
    """A frame that somebody should look at."""

    frame_id: str
    "The frame."
    captured_at: datetime
    "When it was taken."
    truth: str | None
    "Its label; None without one."
    predicted: str
    "What the model says."
    confidence: float
    "Of the prediction."
    why: Literal["wrong", "unsure"]
    "Wrong though sure, or unsure."


@dataclass(frozen=True, slots=True)
class Tally:
    """Counts of one camera's day, made so that those of many cameras can be added."""

    frames: int = 0
    "Classified frames."
    heartbeats: int = 0
    "Heartbeats."
    passages: dict[str, int] = field(default_factory=dict)
    "Passages by verdict."
    vehicle_cells: tuple[Cell, ...] = ()
    "Confusion of vehicles: labelled passages by verdict, and labelled frames that belong to no passage."
    frame_cells: tuple[Cell, ...] = ()
    "Confusion of frames; a passage's label counts for each of its frames."
    passage_frames: int = 0
    "Frames that belong to the passages."
    dissenting_frames: int = 0
    "Those of them that disagree with their passage's verdict."
    confidence_sum: float = 0.0
    "Over classified frames."
    brightness_sum: float = 0.0
    "Over classified frames."
    latency_buckets: dict[str, int] = field(default_factory=dict)
    "Classified frames by bucket of latency, log-spaced; see monitor.quantiles."
    labels: int = 0
    "Labels that came in time."
    unmatched_labels: int = 0
    "Those of them whose frame or passage was never seen."
    abstained: int = 0
    "Frames that the model looked at and refused."
    late_labels: int = 0
    "Labels that came after the day had closed, and are counted."
    contradicted: int = 0
    "Things of which sources say different classes."
    withdrawn: int = 0
    "Labels that were taken back."
    label_sources: dict[str, int] = field(default_factory=dict)
    "Counted labels by source."
    slices: tuple[Slice, ...] = ()
    "Vehicles by zone, hour, light, size and weather, sorted."
    confidences: tuple[ConfidenceBin, ...] = ()
    "Vehicles by verdict and confidence, sorted; empty bins are left out."
    signals: tuple[SignalCounts, ...] = ()
    "Signals of the pictures and the model, sorted."
    stages: tuple[StageLatency, ...] = ()
    "Latency by stage, sorted; empty where an older processor did not measure them."
    weighted: tuple[WeightedCells, ...] = ()
    "Labels by how many vehicles each stands for, sorted; empty where each stands for itself alone."


@dataclass(frozen=True, slots=True)
class SensorDay:
    """One sensor of a device over a day."""

    sensor: str
    "`temperature_c`, `pressure_hpa`, `magnetometer_ut` (its length)."
    count: int
    "Measurements."
    total: float
    "Their sum, in the sensor's unit."
    low: float
    "The lowest."
    high: float
    "The highest."


@dataclass(frozen=True, slots=True)
class DeviceDay:
    """What a camera's device said of itself on one day."""

    records: int
    "Telemetry records."
    sensors: tuple[SensorDay, ...]
    "Sorted; a sensor that said nothing is left out."
    states: dict[str, int]
    "Records by state."
    pictures: int
    "Pictures read on the day."
    frames: int
    "Frames pushed on the day."
    dropped: dict[str, int]
    "Pictures or frames dropped on the day, by reason."
    reconnects: int
    "Times the source was opened again on the day."


@dataclass(frozen=True, slots=True)
class CameraDay(Record):
    """One camera's day, as its pictures or its device tell it: news while it is open, then the day when it closes."""

    camera_id: str
    "The camera."
    day: str
    "`2026-11-23`, in the time zone."
    timezone: str
    "IANA name."
    revision: int
    "0 while the day is open, 1 at its close, one more for each change that late labels make."
    starts_at: datetime
    "The day's first instant."
    ends_at: datetime
    "The next day's first instant."
    tally: Tally
    "Counts; empty while the day is open, and for a device."
    findings: tuple[Finding, ...] = ()
    "What was found on this day until now, in order."
    model_versions: tuple[str, ...] = ()
    "Bundles that served, sorted."
    part: Part = "pictures"
    "Who tells it."
    seen_until: datetime | None = None
    "The newest picture's or measurement's time."
    device: DeviceDay | None = None
    "Of a device's day; None for pictures, and while the day is open."
    worst: tuple[WorstFrame, ...] = ()
    "Frames to be looked at, the worst first."


@dataclass(frozen=True, slots=True)
class ClassScores:
    """How one class fared."""

    label: str
    "The class."
    support: int
    "Labelled as this class."
    predicted: int
    "Predicted as this class, among the labelled."
    precision: float | None
    "Of those predicted, the share that is right; None when none was predicted."
    recall: float | None
    "Of those labelled, the share that was found; None when none was labelled."
    f1: float | None
    "Harmonic mean of both; None when the class was neither labelled nor predicted."


@dataclass(frozen=True, slots=True)
class Scores:
    """A day's figures, for one camera or for all."""

    frames: int
    "Classified frames."
    passages: int
    "Vehicles that crossed a line."
    passages_by_label: dict[str, int]
    "Passages by verdict."
    labelled: int
    "Labelled vehicles: the n of accuracy."
    accuracy: float | None
    "Of labelled vehicles, the share whose verdict is right; None without labels."
    precision: float | None
    "Mean over classes; None without labels."
    recall: float | None
    "Mean over classes; None without labels."
    f1: float | None
    "Mean over classes; None without labels."
    classes: tuple[ClassScores, ...]
    "Each class, sorted."
    confusion: tuple[Cell, ...]
    "Of vehicles, sorted."
    labelled_frames: int
    "Labelled frames."
    frame_accuracy: float | None
    "Of labelled frames, the share that is right; None without labels."
    flip_rate: float | None
    "Of passages' frames, the share that disagrees with the verdict; None without passages."
    mean_confidence: float | None
    "Over classified frames; None without any."
    mean_brightness: float | None
    "Over classified frames; None without any."
    latency_p50_ms: float | None
    "From send to prediction, wall clock; None without frames."
    latency_p95_ms: float | None
    "Likewise."
    latency_p99_ms: float | None
    "Likewise."
    unmatched_labels: int
    "Labels whose frame or passage was never seen."
    weighted: tuple[WeightedCells, ...] = ()
    "Labels by how many vehicles each stands for, which shares go by; empty where all stand for as many."
    effective: float | None = None
    "Labels of a plain sample that would tell as much of the accuracy; None where all stand for as many vehicles."


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95 % confidence interval."""

    metric: str
    "`accuracy`, `precision:truck`, `recall:car`, `f1:car`."
    value: float
    "The figure."
    low: float
    "Lower bound."
    high: float
    "Upper bound."
    n: int
    "Labelled vehicles that it rests on."


@dataclass(frozen=True, slots=True)
class EstimatedAccuracy:
    """The accuracy of all vehicles as the model's own confidences tell it, without labels (CBPE)."""

    accuracy: float
    "Of all vehicles of the day."
    low: float
    "Lower bound of the 95 % interval."
    high: float
    "Upper bound."
    n: int
    "Vehicles."
    class_mix: dict[str, float]
    "Estimated share of each class."
    breaks: str
    "Why it is not to be believed; empty while nothing speaks against it."


@dataclass(frozen=True, slots=True)
class Reliability:
    """One line of the reliability diagram."""

    low: float
    "Confidences from here …"
    high: float
    "… up to here."
    confidence: float
    "Their mean."
    accuracy: float
    "Share that is right."
    n: int
    "Labelled vehicles."


@dataclass(frozen=True, slots=True)
class SliceScores:
    """How vehicles fared that share a property, beside all others."""

    dimension: str
    "`camera`, `zone`, `hour`, `light`, `size`, `weather`."
    value: str
    "The property."
    passages: dict[str, int]
    "Vehicles by verdict."
    labelled: int
    "Labelled ones."
    accuracy: float | None
    "Theirs; None without labels."
    low: float
    "Lower bound of its 95 % interval."
    high: float
    "Upper bound."
    gap: float | None
    "Accuracy less that of all other vehicles; None without labels on either side."
    gap_low: float
    "Lower bound of the gap's 95 % interval."
    gap_high: float
    "Upper bound."
    truths: dict[str, int]
    "Labelled vehicles by true class."
    discovered: bool
    "Whether it is worse than the rest beyond doubt, as many slices and days as are looked at."


@dataclass(frozen=True, slots=True)
class SignalScores:
    """A signal's day beside its reference: the days before."""

    signal: str
    "`confidence`, `brightness`, …"
    count: int
    "Values."
    mean: float
    "Of the day."
    deviation: float
    "Standard deviation of the day."
    reference: float | None
    "Mean of the reference; None without one."
    effect: float | None
    "Difference of means in standard deviations of the reference; None without one."
    p: float | None
    "Of the two distributions being one, corrected for the number of tests; None without a reference."
    differs: bool
    "Whether the effect is large enough to matter, and significant."


@dataclass(frozen=True, slots=True)
class StageScores:
    """One stage's latency, by the wall clock."""

    stage: str
    "`queue`, `decode`, `inference`, `other`."
    p50_ms: float
    "Milliseconds."
    p95_ms: float
    "Likewise."
    p99_ms: float
    "Likewise."


@dataclass(frozen=True, slots=True)
class CameraScores:
    """One camera's line in a day's report."""

    camera_id: str
    "The camera."
    scores: Scores
    "Its figures."
    findings: tuple[Finding, ...]
    "What was found on this day."
    signals: tuple[SignalScores, ...] = ()
    "Its signals beside their reference."
    device: DeviceDay | None = None
    "What its device said; None when it said nothing."
    worst: tuple[WorstFrame, ...] = ()
    "Frames to be looked at."


@dataclass(frozen=True, slots=True)
class AlertLine:
    """An alert in a day's report."""

    alert_id: str
    "The alert."
    severity: Severity
    "How bad."
    state: AlertState
    "When the report was made."
    title: str
    "One line."


@dataclass(frozen=True, slots=True)
class DayReport(Record):
    """How the model did on one day."""

    day: str
    "`2026-11-23`, and the record's key."
    timezone: str
    "IANA name."
    revision: int
    "1 at the day's close; one more for each change that comes later."
    starts_at: datetime
    "The day's first instant."
    ends_at: datetime
    "The next day's first instant."
    scores: Scores
    "All cameras together."
    cameras: tuple[CameraScores, ...]
    "Each camera, sorted."
    absent: tuple[str, ...]
    "Cameras seen the day before that sent nothing on this one, sorted."
    model_versions: tuple[str, ...]
    "Bundles that served, sorted."
    changes: tuple[str, ...] = ()
    "What this revision changes, a sentence each; empty for the first."
    intervals: tuple[Interval, ...] = ()
    "Figures with their confidence intervals, sorted."
    estimate: EstimatedAccuracy | None = None
    "Accuracy without labels; None without vehicles."
    reliability: tuple[Reliability, ...] = ()
    "Confidence beside accuracy; empty without labels."
    calibration_error: float | None = None
    "Mean gap between the two (ECE); None without labels."
    slices: tuple[SliceScores, ...] = ()
    "By camera, zone, hour, light, size and weather, sorted."
    stages: tuple[StageScores, ...] = ()
    "Latency by stage."
    alerts: tuple[AlertLine, ...] = ()
    "Of the day, the most severe first."
    labels: dict[str, int] = field(default_factory=dict)
    "Counted labels by source, and what befell labels and frames: late, contradicted, withdrawn, unmatched."


@dataclass(frozen=True, slots=True)
class Alert(Record):
    """Something that the team should know."""

    alert_id: str
    "Deterministic: what it is about, and since when. One mail for each id and state."
    rule: str
    "The rule that fired."
    state: AlertState
    "Open until acknowledged by somebody, or resolved."
    severity: Severity
    "How bad."
    camera_id: str | None
    "The camera; None when it concerns all."
    day: str
    "The day that it concerns."
    since: datetime
    "When what it tells of began."
    raised_at: datetime
    "When it was noticed, event time."
    title: str
    "One line: what and where."
    summary: str
    "What happened, in a few sentences."
    metric: str
    "What was measured."
    value: float
    "What was seen."
    threshold: float
    "What was allowed."
    samples: int
    "On how many the value rests."
    actions: tuple[str, ...]
    "What to do, first things first."
    report: DayReport | None
    "The day's report; None for what is noticed during a day."
    cause: str = ""
    "The most likely cause, a key of monitor.causes; empty where none is looked for."
    evidence: tuple[str, ...] = ()
    "What speaks for the cause, a sentence each, the strongest first."
    cameras: tuple[str, ...] = ()
    "The cameras that it concerns, sorted; empty for what concerns none in particular."
    findings: tuple[Finding, ...] = ()
    "What was found, in order."
    examples: tuple[str, ...] = ()
    "Frames that show it."
    changed_at: datetime | None = None
    "When it came into its state, event time; None where it never left its first."
    by: str = ""
    "Who acknowledged it, or resolved it; empty for the monitor."


@dataclass(frozen=True, slots=True)
class AlertAction(Record):
    """What a person says of an alert: that somebody is at it, or that it should be silent until some time."""

    kind: AlertActionKind
    "What is to be done."
    target: str
    "The alert's id; or what a silence holds for: `camera=gate`, `cause=fog`, `rule=accuracy`, several with commas."
    by: str
    "Who."
    at: datetime
    "When, wall clock."
    until: datetime | None
    "When a silence ends; None for what is no silence."
    reason: str
    "Why; may be empty."


@dataclass(frozen=True, slots=True)
class Delivery(Record):
    """What somebody was told, and on record is told no more."""

    delivery_id: str
    "Alert, state and recipient, or a digest's day, pace and recipient: the record's key."
    alert_id: str
    "The alert; `digest:DAY` of a digest itself."
    recipient: str
    "The address, or `channel:NAME`."
    message_id: str
    "The mail's Message-ID; empty where no mail went out: refused, or a digest that had nothing to tell."
    delivered_at: datetime
    "When that was, wall clock."


@dataclass(frozen=True, slots=True)
class ModelEvent(Record):
    """A step in a model's life."""

    kind: ModelEventKind
    "What happened."
    version: str
    "The bundle."
    alias: str | None
    "The alias that moved; None when none did."
    at: datetime
    "When, wall clock."
    by: str
    "Who: a person, or a service and its host."
    reason: str
    "Why; empty when it speaks for itself."


@dataclass(frozen=True, slots=True)
class DeadLetter(Record):
    """The headers of a dead letter, after KIP-1034; key and bytes are the original's."""

    error: str
    "The error's class, such as `DecodingError`."
    message: str
    "What it said."
    topic: str
    "Where the record came from."
    partition: int
    "Likewise."
    offset: int
    "Likewise."
    stage: str
    "Who gave up on it: `processor`, `monitor`, `mailer`."
