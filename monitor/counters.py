"""What the monitor counts of itself, for Prometheus."""

from prometheus_client import Counter

RECORDS = Counter("roadwatch_monitor_records_total", "Records taken in.", ["topic"])
DEAD_LETTERS = Counter("roadwatch_monitor_dead_letters_total", "Records put aside.", ["topic", "reason"])
EVENTS = Counter(
    "roadwatch_monitor_events_total",
    "What befell records: late_frames, late_labels, unmatched_labels, future_frames, detectors_reset and the like.",
    ["event"],
)
SENT = Counter("roadwatch_monitor_sent_total", "Records sent.", ["record"])
CAMERA_STATES = Counter("roadwatch_monitor_camera_states_total", "Telemetry records by state.", ["state"])
