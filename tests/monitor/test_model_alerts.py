"""A refused model makes one alert, however many processors refuse it, until the registry or they have moved on."""

import json
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from monitor.alerting import AlertBook
from monitor.app import Folds
from monitor.mail import compose
from monitor.merging import OFFSETS, STATE, take_action, take_model_event
from monitor.model_alerts import refusal_alert
from monitor.outcomes import Outcome, Position
from monitor.policies import policy
from monitor.windows import Calendar
from runtime.settings import MonitorSettings
from schemas.codec import Codec
from schemas.records import Alert, AlertAction, AlertActionKind, ModelEvent, ModelEventKind
from tests.monitor.world import write

BERLIN = Calendar("Europe/Berlin")
REFUSED = ModelEvent(
    kind="refused",
    version="road-2026.12-ab",
    alias="champion",
    at=datetime(2026, 11, 23, 23, 30, tzinfo=UTC),
    by="processor north-1",
    reason="model.onnx: 12 bytes, bundle.json says 9000000",
)
ALERT = "model-refused:champion:road-2026.12-ab:20261123T233000Z"
OPENED, OVER = (ALERT, "open"), (ALERT, "resolved")
NORTH, SOUTH = "processor north-1", "processor south-2"


@dataclass(slots=True)
class Monitor:
    """Whoever has the merger; each record is read by one that knows what was written alone."""

    values: dict[str, bytes] = field(default_factory=dict)
    at: datetime = REFUSED.at
    sent: list[Alert] = field(default_factory=list)
    read: int = 0

    def hear(self, kind: ModelEventKind, version: str = "", alias: str = "champion", by: str = NORTH) -> None:
        """A step an hour after the one before."""
        event = replace(REFUSED, kind=kind, version=version or REFUSED.version, alias=alias, by=by, at=self.at)
        self.at += timedelta(hours=1)
        self.take(event, self.read)
        self.read += 1

    def take(self, event: ModelEvent, offset: int) -> None:
        """A record of the topic."""
        self._keep(take_model_event(BERLIN, self.values, event, Position("models", offset, 0)))

    def act(self, kind: AlertActionKind, target: str) -> None:
        """What a person does, for a day where it is a silence."""
        action = AlertAction(kind, target, "anne", self.at, self.at + timedelta(days=1), "")
        self._keep(take_action(self.values, action, Position("", self.read, 0)))
        self.read += 1

    @property
    def told(self) -> list[tuple[str, str]]:
        """Ids and states, in order."""
        return [(alert.alert_id, alert.state) for alert in self.sent]

    def _keep(self, outcome: Outcome) -> None:
        write(self.values, outcome)
        self.sent += [record for record in outcome.outputs if isinstance(record, Alert)]


@pytest.fixture
def monitor() -> Monitor:
    """One that was told of a refusal."""
    monitor = Monitor()
    monitor.hear("refused")
    return monitor


def test_a_refusal_is_critical_and_says_who_refused_what_and_why() -> None:
    alert = refusal_alert(BERLIN, REFUSED)
    assert (alert.severity, alert.state, alert.day) == ("critical", "open", "2026-11-24")
    assert "road-2026.12-ab was refused as champion" in alert.title
    assert all(word in alert.summary for word in ("processor north-1", "12 bytes"))
    assert any("models rollback" in action for action in alert.actions)


def test_several_processors_make_one_alert(monitor: Monitor) -> None:
    monitor.hear("refused", by=SOUTH)
    assert monitor.told == [OPENED]


def test_what_is_read_again_changes_nothing(monitor: Monitor) -> None:
    """As after a kill, also one that tore the offset from the state."""
    before = dict(monitor.values)
    monitor.take(REFUSED, 0)
    monitor.values.pop(OFFSETS)
    monitor.take(REFUSED, 0)
    assert (monitor.told, monitor.values) == ([OPENED], before)


@pytest.mark.parametrize("change", [{"version": "road-2026.12-cd"}, {"alias": "challenger"}])
def test_other_versions_and_aliases_make_alerts_of_their_own(monitor: Monitor, change: dict[str, str]) -> None:
    monitor.hear("refused", **change)  # type: ignore[arg-type]  # both are strings
    assert [state for _, state in monitor.told] == ["open", "open"]


def test_a_refused_challenger_is_withdrawn_not_rolled_back() -> None:
    alert = refusal_alert(BERLIN, replace(REFUSED, alias="challenger"))
    assert any("models withdraw" in action for action in alert.actions)


@pytest.mark.parametrize("kind", ["registered", "qualified", "promoted", "rolled_back", "withdrawn", "loaded"])
def test_other_steps_raise_no_alert(kind: ModelEventKind) -> None:
    monitor = Monitor()
    monitor.hear(kind)
    assert monitor.told == []


@pytest.mark.parametrize(
    ("kind", "version", "alias", "why"),
    [
        ("promoted", "b", "champion", "b was promoted to champion by anne."),
        ("rolled_back", "a", "champion", "champion was rolled back to a by anne."),
        ("withdrawn", REFUSED.version, "champion", "road-2026.12-ab was withdrawn as champion by anne."),
    ],
)
def test_it_is_over_when_the_alias_has_moved_on(
    monitor: Monitor, kind: ModelEventKind, version: str, alias: str, why: str
) -> None:
    monitor.hear(kind, version, alias, by="anne")
    assert monitor.told == [OPENED, OVER]
    assert monitor.sent[-1].summary.startswith(why)
    assert monitor.sent[-1].actions == ()  # a rollback more would go too far


@pytest.mark.parametrize(
    ("kind", "version", "alias"),
    [
        ("promoted", REFUSED.version, "champion"),  # read after the refusal that followed from it
        ("promoted", "b", "challenger"),
        ("withdrawn", "b", "challenger"),
        ("loaded", "a", "champion"),  # what serves instead
        ("registered", "b", "champion"),
    ],
)
def test_other_steps_do_not_end_it(monitor: Monitor, kind: ModelEventKind, version: str, alias: str) -> None:
    monitor.hear(kind, version, alias)
    assert monitor.told == [OPENED]


def test_a_challenger_that_becomes_champion_is_refused_as_challenger_no_more() -> None:
    monitor = Monitor()
    monitor.hear("refused", alias="challenger")
    monitor.hear("promoted", alias="champion")
    assert [state for _, state in monitor.told] == ["open", "resolved"]


def test_it_is_over_when_all_who_refused_it_have_taken_it(monitor: Monitor) -> None:
    """The last of them; what others take says nothing."""
    monitor.hear("refused", by=SOUTH)
    for processor in ("processor west-3", NORTH):
        monitor.hear("loaded", by=processor)
        assert monitor.told == [OPENED]
    monitor.hear("loaded", by=SOUTH)
    assert monitor.told == [OPENED, OVER]


def test_refused_once_more_it_is_told_once_more(monitor: Monitor) -> None:
    """One mail for each id and state."""
    monitor.hear("promoted", "b")
    monitor.hear("promoted")
    monitor.hear("refused")
    assert monitor.told == [OPENED, OVER, ("model-refused:champion:road-2026.12-ab:20261124T023000Z", "open")]


def test_somebody_who_is_at_it_is_told_when_it_is_over(monitor: Monitor) -> None:
    monitor.act("acknowledge", ALERT)
    monitor.hear("rolled_back", "a")
    assert [state for _, state in monitor.told] == ["open", "acknowledged", "resolved"]
    assert monitor.sent[1].by == "anne"


def test_silenced_it_is_kept_and_not_told() -> None:
    """Nor that it is over."""
    monitor = Monitor()
    monitor.act("silence", "rule=model-refused")
    monitor.hear("refused")
    monitor.hear("rolled_back", "a")
    assert monitor.told == []


def test_a_state_of_the_former_version_is_taken_up() -> None:
    """Three offsets, and a book that keeps nothing apart."""
    monitor = Monitor()
    monitor.hear("registered")
    state = json.loads(monitor.values[STATE])
    state["book"].pop("apart")
    monitor.values |= {STATE: json.dumps(state).encode(), OFFSETS: b"[5,-1,-1]"}
    monitor.hear("refused")
    assert [state for _, state in monitor.told] == ["open"]
    assert json.loads(monitor.values[OFFSETS]) == [5, -1, -1, 1]


def test_no_days_report_lists_it(monitor: Monitor) -> None:
    """Between which records of the stream it was read, no replay repeats."""
    book = AlertBook.restore(json.loads(monitor.values[STATE])["book"])
    assert book.lines("2026-11-24") == ()


def test_the_mail_can_be_written() -> None:
    """Without a day's report behind it."""
    mail = compose(refusal_alert(BERLIN, REFUSED), "a@b.org", "c@d.org", at=REFUSED.at, timezone="UTC")
    assert mail["Subject"] == "[Roadwatch] critical: Model road-2026.12-ab was refused as champion"


def folds() -> Folds:
    """What records do, by the settings that are the default."""
    return Folds(Codec(), policy(MonitorSettings()))


def test_the_record_of_a_refusal_gives_the_alert() -> None:
    (alert,) = folds().model_event(Codec().encode(REFUSED), {}, Position("models", 3, 0)).outputs
    assert isinstance(alert, Alert)
    assert alert.rule == "model-refused"


@pytest.mark.parametrize("data", [b"", b"no record"])
def test_what_cannot_be_read_is_counted(data: bytes) -> None:
    """The topic has no dead letters: it is compacted, and everybody reads it."""
    outcome = folds().model_event(data, {}, Position("models", 3, 0))
    assert (outcome.outputs, outcome.counts) == ([], {"unreadable_model_events": 1})
