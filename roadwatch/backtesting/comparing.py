"""What a backtest says: variants side by side, differences, and the live run's own answers beside them. Pure.

Outcome ─► Comparison ─► plain values for JSON, and the page
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any, Final

from monitor.metrics import wilson
from roadwatch.backtesting.differing import Differing, Pair, Vehicles, pairs, worst
from roadwatch.backtesting.outcome import Live, Outcome, Ran
from roadwatch.backtesting.variants import RuleSet
from schemas.codec import Codec
from schemas.records import Alert, DayReport, Scores

EXAMPLES: Final = 50
"Vehicles that are shown."
MOST_FIELDS: Final = 40
"Fields in which a report differs from the live one that are named."
FORMAT: Final = "roadwatch-backtest"
VERSION: Final = 1

FIGURES: Final = ("labelled", "accuracy", "f1", "flip_rate", "passages", "mean_confidence")
"Of Scores, side by side for each day."
IDENTITIES: Final = ("finding_id", "frame_id", "alert_id", "camera_id", "metric", "signal", "stage", "sensor", "label")
"Fields by which parts of a report's lists are named: the first that a part has …"
PAIRS: Final = (("dimension", "", "value"), ("truth", "as ", "predicted"))
"… else two, and what stands between them."


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """A field that two reports do not agree on."""

    field: str
    "Its path: `scores.accuracy`, `cameras.gate.scores.labelled`."
    live: Any
    "What the live run said."
    backtest: Any
    "What the backtest says."


@dataclass(frozen=True, slots=True)
class LiveDay:
    """A variant's report beside the live one."""

    day: str
    "The day."
    variant: str
    "The variant."
    equal: bool
    "Whether they are the same to the byte."
    fields: tuple[FieldDifference, ...]
    "In which they differ, the first MOST_FIELDS."
    more: int
    "How many more there are."


@dataclass(frozen=True, slots=True)
class LiveAlerts:
    """A variant's alerts beside the live run's, each as it was told last, about the days that the variant reports on."""

    variant: str
    "The variant."
    equal: int
    "How many are the same to the byte."
    differ: tuple[str, ...]
    "Ids of those that both raise and that are not the same."
    only_live: tuple[str, ...]
    "Ids of those that the live run alone raised."
    only_backtest: tuple[str, ...]
    "Ids of those that it did not."

    @property
    def same(self) -> bool:
        """Whether all are."""
        return not (self.differ or self.only_live or self.only_backtest)


@dataclass(frozen=True, slots=True)
class AlertRow:
    """An alert, and who raises it."""

    alert: Alert
    "As the first who raises it says it."
    raised_by: tuple[bool, ...]
    "Each variant."
    live: bool | None
    "Whether the live run raised it; None: its alerts are not recorded."


@dataclass(frozen=True, slots=True)
class Comparison:
    """A backtest's result."""

    outcome: Outcome
    "What was run."
    recording: Mapping[str, Any]
    "What the recording says of itself."
    days: tuple[str, ...]
    "Days that any variant reports on."
    alerts: tuple[AlertRow, ...]
    "All alerts."
    pairs: tuple[Pair, ...]
    "Each model beside each other one."
    examples: tuple[Differing, ...]
    "Vehicles on which models differ, those first that say most."
    truths: Mapping[str, str]
    "What the differing vehicles truly are, as far as they are labelled."
    live: tuple[LiveDay, ...]
    "Reports beside the live run's."
    live_alerts: tuple[LiveAlerts, ...]
    "Each variant's alerts beside the live run's; empty where no answers of the live run are recorded."

    @property
    def ran(self) -> Sequence[Ran]:
        """Each variant."""
        return self.outcome.ran

    @property
    def vehicles(self) -> Vehicles:
        """Vehicles on which models differ."""
        return self.outcome.vehicles

    def equal_days(self, variant: str) -> tuple[int, int]:
        """On how many days a variant's report is the live one, and how many there are to compare."""
        found = [day for day in self.live if day.variant == variant]
        return sum(day.equal for day in found), len(found)


def compared(outcome: Outcome, recording: Mapping[str, Any], truths: Mapping[str, str]) -> Comparison:
    """Put a run's results side by side; `truths` are those of the vehicles on which models differ."""
    days = tuple(sorted({day for ran in outcome.ran for day in ran.reports}))
    side_by_side = tuple(pairs(outcome.vehicles, truths))
    live = tuple(beside_live(outcome.ran, outcome.live))
    return Comparison(
        outcome=outcome,
        recording=recording,
        days=days,
        alerts=tuple(alert_rows(outcome.ran, outcome.live)),
        pairs=side_by_side,
        examples=tuple(worst(outcome.vehicles.differing, truths, EXAMPLES)),
        truths=truths,
        live=live,
        live_alerts=tuple(alerts_beside_live(outcome.ran, outcome.live)),
    )


def alert_rows(ran: Sequence[Ran], live: Live) -> Iterator[AlertRow]:
    """All alerts of all variants and of the live run, by day."""
    known: dict[str, Alert] = {}
    days = {day for each in ran for day in each.reports}
    for said in (
        *(each.alerts for each in ran),
        {k: a for k, a in live.alerts.items() if a.day in days or any(k in each.alerts for each in ran)},
    ):
        known = {**said, **known}
    for alert in sorted(known.values(), key=lambda alert: (alert.day, alert.raised_at, alert.alert_id)):
        raised = tuple(alert.alert_id in each.alerts for each in ran)
        yield AlertRow(alert, raised, alert.alert_id in live.alerts if live.alerts or live.reports else None)


def beside_live(ran: Iterable[Ran], live: Live) -> Iterator[LiveDay]:
    """Each variant's reports beside those of the live run, for days that have both."""
    for each in ran:
        for day in sorted(each.reports.keys() & live.reports.keys()):
            yield _live_day(each.variant.name, live.reports[day], each.reports[day])


def alerts_beside_live(ran: Iterable[Ran], live: Live) -> Iterator[LiveAlerts]:
    """Each variant's alerts beside those of the live run; nothing where none of its answers are recorded."""
    for each in ran if live.alerts or live.reports else ():
        theirs = {k: alert for k, alert in live.alerts.items() if alert.day in each.reports or k in each.alerts}
        both = sorted(theirs.keys() & each.alerts.keys())
        equal = [name for name in both if Codec().encode(theirs[name]) == Codec().encode(each.alerts[name])]
        yield LiveAlerts(
            variant=each.variant.name,
            equal=len(equal),
            differ=tuple(name for name in both if name not in equal),
            only_live=tuple(sorted(theirs.keys() - each.alerts.keys())),
            only_backtest=tuple(sorted(each.alerts.keys() - theirs.keys())),
        )


def differences(live: DayReport, backtest: DayReport) -> list[FieldDifference]:
    """The fields in which two reports differ, in a report's own order, but for those of its cameras, which come last."""
    a, b = dict(_flat("", plain(live))), dict(_flat("", plain(backtest)))
    apart = [name for name in dict.fromkeys([*a, *b]) if a.get(name) != b.get(name)]
    ordered = sorted(apart, key=lambda name: name.startswith("cameras."))
    return [FieldDifference(name, a.get(name), b.get(name)) for name in ordered]


def plain(value: Any) -> Any:
    """A record as plain JSON values."""
    return _plain(asdict(value))


def document(result: Comparison, answer: Sequence[str]) -> dict[str, Any]:
    """The whole result as plain values; pictures are on the page alone."""
    outcome = result.outcome
    return {
        "format": FORMAT,
        "version": VERSION,
        "recording": dict(result.recording),
        "answer": list(answer),
        "variants": [_variant(result, ran) for ran in result.ran],
        "days": [{"day": day, "figures": _day(result, day)} for day in result.days],
        "alerts": [_alert(result, row) for row in result.alerts],
        "vehicles": _vehicles(result),
        "live": {
            "reports": len(outcome.live.reports),
            "alerts": len(outcome.live.alerts),
            "days": [plain(day) for day in result.live],
            "beside": [plain(each) for each in result.live_alerts],
        },
        "rules": {rules.name: rules.settings.model_dump(mode="json") for rules in outcome.rules},
        "counts": dict(sorted(outcome.counts.items())),
        "latencies": "recorded" if outcome.latencies else "not measured",
        "cost": {
            "cpu_s": {name: round(s, 6) for name, s in outcome.cost.phases.items()},
            "cpu_us_per_row": per_row(outcome),
        },
    }


def per_row(outcome: Outcome) -> dict[str, float]:
    """CPU microseconds by phase for each frame, or each recorded observation where no frame was classified."""
    rows = outcome.counts["frames"] or outcome.counts["observations"]
    return {name: round(s * 1e6 / rows, 1) for name, s in outcome.cost.phases.items()} if rows else {}


def interval(scores: Scores) -> tuple[float, float] | None:
    """Bounds of accuracy, 95 %; None without labels."""
    if scores.accuracy is None:
        return None
    return wilson(round(scores.accuracy * scores.labelled), scores.labelled)


def changed_rules(rules: Sequence[RuleSet]) -> list[tuple[str, tuple[str, ...]]]:
    """The settings in which rule sets differ, with each one's value; all that matter where there is one set alone."""
    values = [each.settings.model_dump(mode="json") for each in rules]
    names = [name for name in values[0] if name not in ("group", "data_folder")]
    apart = [name for name in names if len({str(value[name]) for value in values}) > 1 or len(rules) == 1]
    return [(name, tuple(str(value[name]) for value in values)) for name in apart]


# Live reports


def _live_day(variant: str, live: DayReport, backtest: DayReport) -> LiveDay:
    codec = Codec()
    if codec.encode(live) == codec.encode(backtest):
        return LiveDay(live.day, variant, equal=True, fields=(), more=0)
    found = differences(live, backtest)
    return LiveDay(live.day, variant, False, tuple(found[:MOST_FIELDS]), max(0, len(found) - MOST_FIELDS))


def _flat(path: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Leaves by path; parts of a list are named by what names them, else by their number."""
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _flat(f"{path}.{name}" if path else name, inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _flat(f"{path}.{_name(inner, number)}", inner)
    else:
        yield path, value


def _name(part: Any, number: int) -> str:
    if not isinstance(part, dict):
        return str(number)
    if identity := next((part[name] for name in IDENTITIES if part.get(name)), None):
        return str(identity)
    pairs = (f"{part[a]} {between}{part[b]}" for a, between, b in PAIRS if a in part)
    return next(pairs, str(number))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, date):
        return value.isoformat()
    return value.total_seconds() if isinstance(value, timedelta) else value


# The document's parts


def _variant(result: Comparison, ran: Ran) -> dict[str, Any]:
    equal, days = result.equal_days(ran.variant.name)
    versions = {version for report in ran.reports.values() for version in report.model_versions}
    bounds = interval(ran.scores)
    return {
        "name": ran.variant.name,
        "model": ran.variant.model.name,
        "rules": ran.variant.rules.name,
        "model_versions": sorted(versions),
        "passages": ran.passages,
        "frames_ahead_of_the_clock": ran.refused,
        "scores": plain(ran.scores),
        "accuracy_interval": None if bounds is None else list(bounds),
        "reports": [plain(report) for _, report in sorted(ran.reports.items())],
        "alerts": [plain(alert) for _, alert in sorted(ran.alerts.items())],
        "equal_to_live": {"days": days, "equal": equal},
    }


def _day(result: Comparison, day: str) -> dict[str, Any]:
    return {ran.variant.name: _figures(ran, day) for ran in result.ran if day in ran.reports}


def _figures(ran: Ran, day: str) -> dict[str, Any]:
    scores = ran.reports[day].scores
    return {**{name: getattr(scores, name) for name in FIGURES}, "alerts": ran.alerts_on(day)}


def _alert(result: Comparison, row: AlertRow) -> dict[str, Any]:
    names = [ran.variant.name for ran, raised in zip(result.ran, row.raised_by, strict=True) if raised]
    alert = row.alert
    return {
        "alert_id": alert.alert_id,
        "day": alert.day,
        "camera_id": alert.camera_id,
        "severity": alert.severity,
        "title": alert.title,
        "raised_by": names,
        "live": row.live,
    }


def _vehicles(result: Comparison) -> dict[str, Any]:
    models = [model.name for model in result.outcome.models]
    return {
        "compared": result.vehicles.compared,
        "differ": len(result.vehicles.differing) + result.vehicles.more,
        "pairs": [
            {**asdict(pair), "a": models[pair.a], "b": models[pair.b], "p": pair.chance} for pair in result.pairs
        ],
        "examples": [_example(vehicle, models, result.truths) for vehicle in result.examples],
    }


def _example(vehicle: Differing, models: Sequence[str], truths: Mapping[str, str]) -> dict[str, Any]:
    said = {model: None if each is None else asdict(each) for model, each in zip(models, vehicle.said, strict=True)}
    return {
        "passage_id": vehicle.passage_id,
        "camera_id": vehicle.camera_id,
        "crossed_at": vehicle.crossed_at.isoformat(),
        "said": said,
        "truth": truths.get(vehicle.passage_id),
    }
