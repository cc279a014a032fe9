"""`roadwatch alerts` on the command line, with topics in memory for a cluster."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Self

import pytest
from typer.testing import CliRunner

from roadwatch import told
from roadwatch.cli import app
from runtime import admin, clients
from runtime.clients import Received
from schemas.codec import Codec
from schemas.errors import BrokerUnavailableError, ConfigurationError
from schemas.records import Alert, AlertAction, AlertActionKind, Record
from schemas.topics import Topic
from tests.support.alerts import alert
from tests.support.records import NOON

Run = Callable[..., Any]

FOG = "incident:bridge:1772511508425000"


@dataclass(slots=True)
class Topics:
    """What is on the topics of alerts and of what people say of them, and what was sent; the double of the cluster's clients."""

    alerts: list[bytes] = field(default_factory=list)
    actions: list[bytes] = field(default_factory=list)
    sent: list[tuple[str, str, Record]] = field(default_factory=list)

    def read_all(self, _settings: object, topic: str) -> Iterator[Received]:
        """In the place of `told.read_all`."""
        found = {"roadwatch.alerts": self.alerts, "roadwatch.alert-actions": self.actions}[topic]
        return (Received(topic, 0, n, b"", value, [], 0) for n, value in enumerate(found))

    def writer(self, _settings: object, _codec: object) -> Self:
        """In the place of `clients.Writer`."""
        return self

    def send(self, topic: Topic, key: str, record: Record) -> None:
        """It is there at once."""
        self.sent.append((topic.name, key, record))

    def flush(self) -> None:
        """Nothing waits."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing is open."""


@pytest.fixture
def topics(monkeypatch: pytest.MonkeyPatch) -> Topics:
    """Two alerts are open, one is resolved: of each what was told of it, in order."""
    fog = alert(alert_id=FOG, rule="incident", camera_id="bridge", severity="warning", cause="fog", title="bridge: fog")
    states = (alert(), fog, _over("old"), alert(state="acknowledged", by="anne"))
    made = Topics([Codec().encode(each) for each in states])
    monkeypatch.setattr(told, "read_all", made.read_all)
    monkeypatch.setattr(clients, "Writer", made.writer)
    monkeypatch.setattr(admin.TopicAdmin, "require", lambda _self: None)
    return made


def _over(alert_id: str) -> Alert:
    return alert(alert_id=alert_id, state="resolved", raised_at=NOON, report=None)


@pytest.fixture
def run() -> Run:
    """Runs it; with --json what it says is read."""
    environment = {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "LOGNAME": "ben", "COLUMNS": "160"}

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["alerts", *arguments], env=environment)
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else done.output

    return call


@pytest.mark.usefixtures("topics")
def test_open_alerts_are_listed_each_as_it_was_told_last(run: Run) -> None:
    lines = run("list").splitlines()
    assert len(lines) == 3
    assert any("acknowledged" in line and "critical" in line for line in lines)
    assert any(FOG in line and "fog" in line for line in lines)


@pytest.mark.usefixtures("topics")
def test_json_holds_the_records_without_their_reports_the_newest_first(run: Run) -> None:
    first, *others, last = run("list", "--all", "--json")
    assert len(others) == 1
    assert (last["alert_id"], last["state"], last["report"]) == ("old", "resolved", None)
    assert first["raised_at"] > last["raised_at"]
    assert {each["by"] for each in run("list", "--json")} == {"", "anne"}


def test_without_alerts_it_says_so(run: Run, topics: Topics) -> None:
    topics.alerts = [Codec().encode(_over("old"))]
    assert run("list") == "No alert is open.\n"
    topics.alerts = []
    assert run("list", "--all") == "There are no alerts.\n"
    assert run("list", "--json") == []


def test_what_cannot_be_read_is_said_and_left_out(run: Run, topics: Topics) -> None:
    topics.alerts.insert(0, b"no alert")
    said = run("list")
    assert "left out, offset 0" in said
    assert FOG in said


def test_what_is_listed_is_neither_markup_nor_tells_the_terminal_anything(run: Run, topics: Topics) -> None:
    topics.alerts = [Codec().encode(alert(title="[red]\x1b[2J", alert_id="a"))]
    assert "[red]�[2J" in run("list")


def test_an_open_alert_is_acknowledged(run: Run, topics: Topics) -> None:
    assert run("ack", FOG, "--reason", "on my way") == f"{FOG} is acknowledged.\n"
    ((topic, key, action),) = topics.sent
    assert (topic, key) == ("alert-actions", FOG)
    assert isinstance(action, AlertAction)
    assert (action.kind, action.target, action.by, action.reason) == ("acknowledge", FOG, "ben", "on my way")
    assert (action.until, action.at.tzinfo) == (None, UTC)


@pytest.mark.parametrize("name", ["old", "nobody"])
def test_what_is_not_open_cannot_be_acknowledged(run: Run, topics: Topics, name: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"'{name}' is not open; open are daily-accuracy.*, {FOG}"):
        run("ack", name)
    assert topics.sent == []


@pytest.mark.parametrize(("told", "span"), [("30m", timedelta(minutes=30)), ("7d", timedelta(days=7))])
def test_a_silence_has_an_end(run: Run, topics: Topics, told: str, span: timedelta) -> None:
    said = run("silence", "camera=gate,cause=fog", "--for", told, "--by", "anne")
    ((_, key, action),) = topics.sent
    assert isinstance(action, AlertAction)
    assert action.until is not None
    assert abs(action.until - datetime.now(UTC) - span) < timedelta(minutes=1)
    assert (key, action.kind, action.by) == ("camera=gate,cause=fog", "silence", "anne")
    assert said.startswith(f"Silent until {action.until:%Y-%m-%d %H:%M} UTC: camera=gate,cause=fog\n")


def _said(target: str, kind: AlertActionKind = "silence", hours: float = 1, ago: float = 2) -> bytes:
    """Said so many hours ago; a silence ends in so many."""
    now = datetime.now(UTC)
    until = now + timedelta(hours=hours) if kind == "silence" else None
    return Codec().encode(AlertAction(kind, target, "anne", now - timedelta(hours=ago), until, "roadworks"))


def test_silences_are_listed_and_those_that_are_over_are_said_to_be(run: Run, topics: Topics) -> None:
    topics.actions = [_said("camera=gate,cause=fog"), _said("rule=incident", hours=-1), _said(FOG, "acknowledge")]
    over, holds = run("silences", "--json")
    assert (over["target"], over["over"]) == ("rule=incident", True)
    assert (holds["target"], holds["over"], holds["by"], holds["reason"]) == (
        "camera=gate,cause=fog",
        False,
        "anne",
        "roadworks",
    )
    assert "camera=gate,cause=fog" in run("silences")


def test_a_silence_that_was_ended_or_said_anew_is_listed_as_it_is_now(run: Run, topics: Topics) -> None:
    """However its parts were ordered."""
    again = [_said("cause=fog,camera=gate", hours=5, ago=1)]
    topics.actions = [
        _said("camera=gate,cause=fog"),
        _said("camera=old"),
        _said("camera=old", "unsilence", ago=1),
        *again,
    ]
    (only,) = run("silences", "--json")
    assert only["target"] == "camera=gate,cause=fog"
    assert datetime.fromisoformat(only["until"]) > datetime.now(UTC) + timedelta(hours=4)


def test_without_silences_it_says_so(run: Run, topics: Topics) -> None:
    assert topics.actions == []
    assert run("silences") == "Nothing is silenced.\n"


def test_a_list_of_alerts_says_how_many_silences_hold(run: Run, topics: Topics) -> None:
    assert "silence" not in run("list")
    topics.actions = [_said("camera=gate"), _said("camera=bridge", hours=-1)]
    assert "1 silence holds; `roadwatch alerts silences`" in run("list")


def test_a_rule_that_is_none_is_refused(run: Run, topics: Topics) -> None:
    with pytest.raises(ConfigurationError, match=r"'acuracy' is no rule; the nearest: .*accuracy"):
        run("silence", "rule=acuracy")
    assert topics.sent == []


@pytest.mark.parametrize("rule", ["accuracy", "incident", "all-silent", "model-refused"])
def test_every_rule_that_there_is_can_be_silenced(run: Run, topics: Topics, rule: str) -> None:
    run("silence", f"rule={rule}")
    assert [key for _, key, _ in topics.sent] == [f"rule={rule}"]


def test_of_a_camera_that_nobody_knows_it_is_said(run: Run, topics: Topics) -> None:
    """It is silenced all the same."""
    assert "No camera 'brigde' is in cameras.toml" in (said := run("silence", "camera=brigde"))
    assert "the nearest: bridge" in said
    assert "No camera" not in run("silence", "camera=bridge")
    assert len(topics.sent) == 2


def test_what_is_not_silent_cannot_be_ended(run: Run, topics: Topics) -> None:
    topics.actions = [_said("camera=gate"), _said("rule=incident", hours=-1)]
    assert run("unsilence", "rule=incident") == "rule=incident is not silent; silent is camera=gate\n"
    assert topics.sent == []


def test_a_silence_is_ended(run: Run, topics: Topics) -> None:
    topics.actions = [_said("rule=accuracy")]
    assert run("unsilence", "rule=accuracy") == "No longer silent: rule=accuracy\n"
    ((_, _, action),) = topics.sent
    assert isinstance(action, AlertAction)
    assert (action.kind, action.target, action.until) == ("unsilence", "rule=accuracy", None)


@pytest.mark.parametrize("span", ["", "0h", "h", "2y", "-1d", "90", "99999999999d"])
def test_a_span_that_is_none_is_refused(run: Run, topics: Topics, span: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"'{span}' .*; write 90s, 10m, 6h, 3d, 1w, or ISO 8601"):
        run("silence", "camera=gate", "--for", span)
    assert topics.sent == []


@pytest.mark.parametrize("command", ["silence", "unsilence"])
@pytest.mark.parametrize(
    ("target", "fault"),
    [
        ("gate", "'gate' is nothing that can be silenced; allowed are camera="),
        ("camera=", "'camera=' is nothing that can be silenced"),
        ("cause=fogg", "'fogg' is no cause; causes are moved, fog"),
        ("camera=a,camera=b", "camera is named twice"),
    ],
)
def test_a_target_that_is_none_is_refused(run: Run, topics: Topics, command: str, target: str, fault: str) -> None:
    with pytest.raises(ConfigurationError, match=fault):
        run(command, target)
    assert topics.sent == []


def test_without_a_broker_it_says_what_to_do(run: Run) -> None:
    with pytest.raises(BrokerUnavailableError, match=r"kafka\.bootstrap_servers"):
        run("silence", "camera=gate")


def test_an_id_is_shown_as_it_is(run: Run, topics: Topics) -> None:
    """`:school:` in it is no picture of a school."""
    school = "incident:school:1772511508425000"
    topics.alerts.append(Codec().encode(alert(alert_id=school, camera_id="school", title=":fog: at :school:")))
    said = run("list")
    assert school in said
    assert ":fog: at :school:" in said
