"""The classes that each model has named."""

from collections.abc import Mapping
from typing import Any

from monitor.integrity.seen import Seen
from monitor.integrity.troubles import Sign

VERSIONS_KEPT = 4
"Models whose classes are known."
CLASSES_KEPT = 256
"Of a model; with more, somebody writes nonsense, and is told of all of it."


class Classes:
    """Which classes the newest models have."""

    def __init__(self) -> None:
        self._known: dict[str, frozenset[str]] = {}

    def know(self, frame: Seen) -> Sign | None:
        """Take what is said of a frame; a sign where it names a class that its model never had."""
        names, known = frame.probabilities.keys(), self._known.get(frame.model_version)
        if known is None:
            self._meet(frame)
        elif not names <= known or (frame.label is not None and frame.label not in known):
            return self._news(frame, known)
        return None

    def _meet(self, frame: Seen) -> None:
        if frame.probabilities:
            kept = [*self._known.items()][-(VERSIONS_KEPT - 1) :]
            self._known = dict([*kept, (frame.model_version, frozenset(frame.probabilities))])

    def _news(self, frame: Seen, known: frozenset[str]) -> Sign:
        new = {*frame.probabilities, frame.label or ""} - known - {""}
        self._known[frame.model_version] = frozenset(sorted(known | new)[:CLASSES_KEPT])
        note = f"model {frame.model_version} had no class {', '.join(sorted(new))} before"
        return Sign(0, len(new), note, frame.frame_id)

    def snapshot(self) -> dict[str, Any]:
        """As plain JSON, by model."""
        return {version: sorted(names) for version, names in self._known.items()}

    def take_up(self, plain: Mapping[str, Any]) -> None:
        """Continue from a snapshot."""
        self._known = {version: frozenset(names) for version, names in plain.items()}
