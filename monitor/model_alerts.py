"""Alerts about models that a processor refused. Pure: several processors that refuse one make one alert."""

from monitor.outcomes import Outcome
from monitor.windows import Calendar
from schemas.records import Alert, ModelEvent

ACTIONS = (
    "Nothing is urgent: the model that served before goes on serving.",
    "Run 'roadwatch models show {version}' and 'roadwatch models history': what was promoted, by whom, and why?",
    "Register the model anew under another version if its files are damaged; qualify it before it is promoted.",
    "Run 'roadwatch models {undo}', so that the registry says what serves.",
)
UNDO = {"champion": "rollback", "challenger": "withdraw"}


def take_model_event(calendar: Calendar, event: ModelEvent) -> Outcome:
    """What a step in a model's life asks the monitor to tell."""
    return Outcome([refusal_alert(calendar, event)] if event.kind == "refused" else [])


def refusal_alert(calendar: Calendar, event: ModelEvent) -> Alert:
    """The alert about a refused model: its id is made of alias and version alone."""
    alias = event.alias or "champion"
    words = {"version": event.version, "alias": alias, "undo": UNDO.get(alias, "rollback")}
    return Alert(
        alert_id=f"model-refused:{alias}:{event.version}",
        rule="model-refused",
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
