"""A refused model makes one alert, however many processors refuse it and however often it is read."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.app import Folds
from monitor.mail import compose
from monitor.model_alerts import refusal_alert, take_model_event
from monitor.outcomes import Position
from monitor.policies import policy
from monitor.stillness import Stillness
from monitor.windows import Calendar
from runtime.settings import MonitorSettings
from schemas.codec import Codec
from schemas.records import Alert, ModelEvent

BERLIN = Calendar("Europe/Berlin")
REFUSED = ModelEvent(
    kind="refused",
    version="road-2026.12-ab",
    alias="champion",
    at=datetime(2026, 11, 23, 23, 30, tzinfo=UTC),
    by="processor north-1",
    reason="model.onnx: 12 bytes, bundle.json says 9000000",
)


def test_a_refusal_is_critical_and_says_who_refused_what_and_why() -> None:
    alert = refusal_alert(BERLIN, REFUSED)
    assert (alert.severity, alert.state, alert.day) == ("critical", "open", "2026-11-24")
    assert "road-2026.12-ab was refused as champion" in alert.title
    assert all(word in alert.summary for word in ("processor north-1", "12 bytes"))
    assert any("models rollback" in action for action in alert.actions)


def test_several_processors_and_readings_make_one_alert() -> None:
    again = replace(REFUSED, by="processor south-2", at=REFUSED.at + timedelta(days=3), reason="out of memory")
    assert refusal_alert(BERLIN, again).alert_id == refusal_alert(BERLIN, REFUSED).alert_id


@pytest.mark.parametrize("change", [{"version": "road-2026.12-cd"}, {"alias": "challenger"}])
def test_other_versions_and_aliases_make_alerts_of_their_own(change: dict[str, str]) -> None:
    other = replace(REFUSED, **change)  # type: ignore[arg-type]  # both are strings
    assert refusal_alert(BERLIN, other).alert_id != refusal_alert(BERLIN, REFUSED).alert_id


def test_a_refused_challenger_is_withdrawn_not_rolled_back() -> None:
    alert = refusal_alert(BERLIN, replace(REFUSED, alias="challenger"))
    assert any("models withdraw" in action for action in alert.actions)


@pytest.mark.parametrize("kind", ["registered", "qualified", "promoted", "rolled_back", "withdrawn", "loaded"])
def test_other_steps_raise_no_alert(kind: str) -> None:
    assert take_model_event(BERLIN, replace(REFUSED, kind=kind)).outputs == []  # type: ignore[arg-type]


def test_the_mail_can_be_written() -> None:
    """Without a day's report behind it."""
    mail = compose(refusal_alert(BERLIN, REFUSED), "a@b.org", "c@d.org", at=REFUSED.at, timezone="UTC")
    assert mail["Subject"] == "[Roadwatch] critical: Model road-2026.12-ab was refused as champion"


def folds() -> Folds:
    """What records do, by the settings that are the default."""
    return Folds(Codec(), policy(MonitorSettings()), Stillness(timedelta(0), Calendar("UTC")))


def test_the_record_of_a_refusal_gives_the_alert() -> None:
    (alert,) = folds().model_event(Codec().encode(REFUSED), {}, Position("models", 3, 0)).outputs
    assert isinstance(alert, Alert)
    assert alert.rule == "model-refused"


@pytest.mark.parametrize("data", [b"", b"no record"])
def test_what_cannot_be_read_is_counted(data: bytes) -> None:
    """The topic has no dead letters: it is compacted, and everybody reads it."""
    outcome = folds().model_event(data, {}, Position("models", 3, 0))
    assert (outcome.outputs, outcome.counts) == ([], {"unreadable_model_events": 1})
