"""The example pictures of an alert, for its mail."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from roadwatch.reporting.pictures import pictures
from runtime.settings import Settings
from schemas.records import Alert

MOST: Final = 3
"Pictures in a mail."


def examples_of(settings: Settings, alert: Alert) -> list[tuple[str, bytes]]:
    """Small JPEGs that show what an alert is about, by frame id, as far as the cluster still has them.

    Raises:
        BrokerError: the cluster does not give them.

    """
    times = dict(_times(alert))
    wanted = [name for name in alert.examples if name in times][:MOST]
    found = pictures(settings, {name: times[name] for name in wanted})
    return [(name, found[name]) for name in wanted if name in found]


def _times(alert: Alert) -> Iterator[tuple[str, datetime]]:
    """When frames were taken, or shortly before."""
    for finding in alert.findings:
        if finding.example:
            yield finding.example, finding.since
    for camera in alert.report.cameras if alert.report else ():
        yield from ((frame.frame_id, frame.captured_at) for frame in camera.worst)
