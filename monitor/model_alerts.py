"""Alerts about models that a processor refused. Pure: several processors that refuse one make one alert.

    promoted V ──► refused V ──► open ─┬─ all who refused V have taken it ──────► resolved
                   refused V, too ─────┤
                                       └─ the alias goes to W, or to nobody ────► resolved

Whoever refused it again after that makes an alert of its own.
"""

from collections.abc import Iterator
from typing import Final

from monitor.alerting.apart import Apart
from monitor.alerting.entries import Entry
from monitor.windows import Calendar
from schemas.records import Alert, ModelEvent
from schemas.times import to_us

RULE: Final = "model-refused"
ACTIONS: Final = (
    "Nothing is urgent: the model that served before goes on serving.",
    "Run 'roadwatch models show {version}' and 'roadwatch models history': what was promoted, by whom, and why?",
    "Register the model anew under another version if its files are damaged; qualify it before it is promoted.",
    "Run 'roadwatch models {undo}', so that the registry says what serves.",
)
UNDO: Final = {"champion": "rollback", "challenger": "withdraw"}
MOVED: Final = {
    "promoted": "{version} was promoted to {alias} by {by}.",
    "rolled_back": "{alias} was rolled back to {version} by {by}.",
    "withdrawn": "{version} was withdrawn as {alias} by {by}.",
}
"Steps by which an alias goes to another version, or to nobody, and how they are told."


def follow(told: Apart, calendar: Calendar, event: ModelEvent) -> None:
    """Note among what is told what a step in a model's life means for it."""
    if event.kind == "refused":
        _refuse(told, calendar, event)
        return
    over = _taken(told, event) if event.kind == "loaded" else _left(told, event)
    why = MOVED.get(event.kind, "{by} has taken {version} after all.").format(**_words(event))
    for entry in [*over]:
        told.end(entry, event.at, calendar.day_of(event.at), f"{why} {entry.alert.summary}")


def _refuse(told: Apart, calendar: Calendar, event: ModelEvent) -> None:
    """Whoever refuses what is refused already is remembered, and nothing is told anew."""
    entry = _refused(told, event) or told.open(refusal_alert(calendar, event))
    entry.lasting[event.by] = to_us(event.at)


def _taken(told: Apart, event: ModelEvent) -> Iterator[Entry]:
    """A version that the last of those who refused it has taken. Processors of one host have one name."""
    entry = _refused(told, event)
    if entry and entry.lasting.pop(event.by, None) is not None and not entry.lasting:
        yield entry


def _left(told: Apart, event: ModelEvent) -> Iterator[Entry]:
    """What was refused and is not wanted any more."""
    if event.kind in MOVED:
        yield from (entry for entry in told.live(RULE) if _is_left(*_about(entry), event))


def _is_left(alias: str, version: str, event: ModelEvent) -> bool:
    """Whether an alias has gone to another version, or to nobody; who becomes champion is challenger no more."""
    holder = None if event.kind == "withdrawn" else event.version
    if alias == _alias(event):
        return version != holder
    return alias == "challenger" and version == holder


def _refused(told: Apart, event: ModelEvent) -> Entry | None:
    """The open alert about the event's version under its alias."""
    return next((entry for entry in told.live(RULE) if _about(entry) == (_alias(event), event.version)), None)


def _about(entry: Entry) -> tuple[str, str]:
    """Which alias and version were refused, as the alert's id says."""
    _, alias, version = entry.alert.alert_id.rpartition(":")[0].split(":", 2)
    return alias, version


def _alias(event: ModelEvent) -> str:
    return event.alias or "champion"


def _words(event: ModelEvent) -> dict[str, str]:
    return {"version": event.version, "alias": _alias(event), "by": event.by}


def refusal_alert(calendar: Calendar, event: ModelEvent) -> Alert:
    """The alert about a refused model: its id is made of alias, version and time."""
    alias = _alias(event)
    words = _words(event) | {"undo": UNDO.get(alias, "rollback")}
    return Alert(
        alert_id=f"{RULE}:{alias}:{event.version}:{event.at:%Y%m%dT%H%M%SZ}",
        rule=RULE,
        state="open",
        severity="critical",
        camera_id=None,
        day=calendar.day_of(event.at),
        since=event.at,
        raised_at=event.at,
        title=f"Model {event.version} was refused as {alias}",
        summary=f"{event.by} could not let {event.version} serve as {alias}, and kept the model that it had."
        f" It says: {event.reason}",
        metric="refusals",
        value=1.0,
        threshold=0.0,
        samples=0,
        actions=tuple(action.format(**words) for action in ACTIONS),
        report=None,
    )
