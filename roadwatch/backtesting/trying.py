"""A whole backtest: found, run, compared, and written beside its page."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from producers.recordings.recording import Recording, Selection, open_recording
from roadwatch.backtesting.answering import answer
from roadwatch.backtesting.comparing import Comparison, compared, document
from roadwatch.backtesting.differing import truths_of
from roadwatch.backtesting.outcome import Outcome
from roadwatch.backtesting.page import page
from roadwatch.backtesting.pictures import pictures_of, recorded_labels
from roadwatch.backtesting.running import Progress, run
from roadwatch.backtesting.stream import plan_of
from roadwatch.backtesting.variants import Model, RuleSet
from roadwatch.whole import whole
from runtime.settings import ProcessorSettings
from schemas.errors import ConfigurationError, RecordingError
from schemas.times import from_us

PAGE: Final = "index.html"
DOCUMENT: Final = "backtest.json"


@dataclass(frozen=True, slots=True)
class Request:
    """What is asked for."""

    recording: Path
    "A folder, or a zip file of one."
    models: Sequence[Model]
    "To try."
    rules: Sequence[RuleSet]
    "To try each model with."
    selection: Selection
    "Which cameras, and of pictures which span."
    limits: ProcessorSettings
    "Sizes of batches and pictures."


@dataclass(frozen=True, slots=True)
class Result:
    """What came out."""

    comparison: Comparison
    "Variants side by side."
    html: str
    "The page."
    plain: dict[str, Any]
    "The same for programs, without pictures."

    def save(self, folder: Path) -> None:
        """Write page and document into a folder; raises ConfigurationError where that cannot be."""
        try:
            folder.mkdir(parents=True, exist_ok=True)
            _write(folder / PAGE, self.html)
            _write(folder / DOCUMENT, json.dumps(self.plain, indent=1, ensure_ascii=False) + "\n")
        except OSError as error:
            raise ConfigurationError("--out", [f"{folder} cannot be written: {error.strerror or error}"]) from error


def backtest(request: Request, progress: Progress) -> Result:
    """Try the models and rules on a recording; nothing but the recording is read, and nothing is written.

    Raises:
        RecordingError: no such recording, torn, or without what is needed.
        ModelError: a model may not serve.

    """
    recording = open_recording(request.recording)
    anew = [model for model in request.models if model.bundle is not None]
    plan = plan_of(recording, request.selection, classify=bool(anew), recorded=len(anew) < len(request.models))
    outcome = run(recording, plan, request.models, request.rules, request.limits, progress)
    _require_some(recording, outcome)
    with outcome.cost.of("comparing"):
        differing = {vehicle.passage_id for vehicle in outcome.vehicles.differing}
        labels = recorded_labels(recording, request.selection) if differing else ()
        result = compared(outcome, about(recording, request.selection), truths_of(labels, differing))
        pictures = pictures_of(recording, result.examples, request.limits.max_pixels)
        html = page(result, pictures)
    return Result(result, html, document(result, list(answer(result))))


def about(recording: Recording, selection: Selection) -> dict[str, Any]:
    """What names a recording, and what of it was asked for."""
    index = recording.index
    return {
        "name": Path(recording.where).name,
        "where": recording.where,
        "id": index.id,
        "made_by": index.made_by,
        "created": index.created.isoformat(),
        "complete": index.complete,
        "cameras": sorted(selection.cameras) if selection.cameras is not None else None,
        "from_us": selection.from_us,
        "to_us": selection.to_us,
    }


def _require_some(recording: Recording, outcome: Outcome) -> None:
    if outcome.counts["frames"] or outcome.counts["observations"]:
        return
    times = [us for s in recording.index.segments for us in (s.first_us, s.last_us) if us is not None]
    held = f"; its records tell of {_time(min(times))} to {_time(max(times))}" if times else ""
    raise RecordingError(f"{recording.where}: nothing in it is of these cameras and this span{held}")


def _time(us: int) -> str:
    return f"{from_us(us):%Y-%m-%dT%H:%MZ}"


def _write(path: Path, text: str) -> None:
    with whole(path) as draft:
        draft.write(text.encode())
