"""Where reports and pictures come from: the cluster, or a recording. The newest revision of each day holds.

reports ──► by day, the newest revision ──► who shows them ──► the worst frames' pictures
"""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from pathlib import Path
from typing import Protocol

import structlog

from producers.recordings.entries import reader_of
from producers.recordings.recording import Recording, Selection, open_recording
from roadwatch.reporting.pictures import pictures, recorded_pictures
from runtime.registry import open_codec
from runtime.settings import Settings
from runtime.spans import read_all
from schemas.errors import RecordError
from schemas.records import DayReport
from schemas.topics import REPORTS

log = structlog.get_logger(__name__)


class Source(Protocol):
    """Reports, and the pictures of their frames."""

    def reports(self) -> dict[str, DayReport]:
        """The newest revision of each day, by day; those that cannot be read are left out.

        Raises:
            RoadwatchError: they are not to be had.

        """

    def pictures(self, frames: Mapping[str, datetime]) -> dict[str, bytes]:
        """Small JPEGs of frames, ids each with when it was taken; those that are no longer kept are left out.

        Raises:
            RoadwatchError: they are not to be had.

        """


class Cluster:
    """What is on the topics now."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings

    def reports(self) -> dict[str, DayReport]:
        """As promised; raises BrokerError."""
        return newest(self._read())

    def pictures(self, frames: Mapping[str, datetime]) -> dict[str, bytes]:
        """As promised; raises BrokerError."""
        return pictures(self._settings, frames)

    def _read(self) -> Iterator[DayReport | None]:
        kafka = self._settings.kafka
        codec = open_codec(kafka)
        for record in read_all(kafka, kafka.names.of(REPORTS)):
            try:
                yield codec.decode(record.value, DayReport) if record.value else None
            except RecordError as error:
                log.warning("report not readable", offset=record.offset, error=str(error))


class Recorded:
    """What a recording holds."""

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = settings

    def reports(self) -> dict[str, DayReport]:
        """As promised; raises RecordingError."""
        return newest(self._read())

    def pictures(self, frames: Mapping[str, datetime]) -> dict[str, bytes]:
        """As promised; raises RecordingError."""
        return recorded_pictures(self._recording, frames, self._settings.processor.max_pixels)

    @cached_property
    def _recording(self) -> Recording:
        return open_recording(self._path)

    def _read(self) -> Iterator[DayReport | None]:
        topic = self._recording.index.topics.get(REPORTS.name)
        if topic is None:
            return
        reader = reader_of(REPORTS.name, topic)
        for located in self._recording.entries(Selection(frozenset({REPORTS.name}))):
            try:
                record = reader.record(located.entry)
            except RecordError as error:
                log.warning("report not readable", offset=located.offset, error=str(error))
                continue
            yield record if isinstance(record, DayReport) else None


def newest(reports: Iterable[DayReport | None]) -> dict[str, DayReport]:
    """The newest revision of each day, sorted; of equal ones the one that comes last."""
    found: dict[str, DayReport] = {}
    for report in reports:
        if report and report.revision >= getattr(found.get(report.day), "revision", 0):
            found[report.day] = report
    return dict(sorted(found.items()))
