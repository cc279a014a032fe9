"""`roadwatch config check` names every fault at once, of settings and of whatever they name, and connects to nothing."""

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType

import pytest
from typer.testing import CliRunner

from roadwatch.checking import Checked, check
from roadwatch.cli import app

Look = Callable[..., Checked]
NOTHING: Mapping[str, str] = MappingProxyType({})

GATE = '[[cameras]]\nid = "gate-north"\nsource = "sim:gate"\n'


@pytest.fixture
def look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Look:
    """Checks settings in a folder of their own, beside the files that they name."""
    monkeypatch.chdir(tmp_path)

    def call(settings: str = "", environment: Mapping[str, str] = NOTHING, **given: bool) -> Checked:
        Path("roadwatch.toml").write_text(settings, encoding="utf-8")
        return check(None, environment, **given)

    return call


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ('[kafka]\ntopic_prefix = "bad prefix!"', "kafka.topic_prefix: topics are named with letters"),
        ('[kafka]\nbootstrap_servers = ""', "kafka.bootstrap_servers: '' is no host:port"),
        ('[kafka]\nbootstrap_servers = "a:1,kafka:abc"', "kafka.bootstrap_servers: 'kafka:abc' is no host:port"),
        ('[kafka]\nbootstrap_servers = "kafka:70000"', "'kafka:70000' is no host:port"),
        ('[kafka.properties]\n"bogus" = "1"', "kafka.properties: bogus: librdkafka refuses it: No such configuration"),
        ('[kafka.properties]\n"sasl.password" = "file:/none"', "kafka.properties: sasl.password: /none: the secret"),
        ('[kafka.schema_registry]\nurl = "foo"', "kafka.schema_registry.url: no address of the web"),
        ('[kafka.schema_registry]\nurl = "http://r:1x"', "kafka.schema_registry.url: no address of the web"),
        ('[kafka.schema_registry]\nurl = "http://a..b"', "kafka.schema_registry.url: no address of the web"),
        ('[mail]\npassword_file = "/none"', "mail.password_file: /none: the secret cannot be read"),
        ('[mail]\nca_file = "/none"', "mail.ca_file: /none: "),
        ('[[mail.channels]]\nname = "ops"\nurl_file = "/none"', "mail.channels: channel 'ops': /none: the secret"),
        ('[models.options]\nkey = "file:/none"', "models.options.key: /none: the secret cannot be read"),
        ('[archive.options]\nkey = "file:/none"', "archive.options.key: /none: the secret cannot be read"),
        ('[processor]\nbundle = "nowhere"', "processor.bundle: nowhere/bundle.json: No such file"),
        ('[monitor]\nlabel_horizon = "-P1D"', "monitor.label_horizon: '-P1D' is negative"),
        ("[monitor]\nlabel_trust = {bob = -1}", "monitor.label_trust.bob: 0.0 or more (seen: -1)"),
        ("[monitor]\nlabel_trust = {bob = nan}", "monitor.label_trust.bob: a finite number (seen: nan)"),
        ('[monitor]\nrules_file = "none.toml"', "monitor.rules_file: none.toml is not there"),
        ('cameras_file = "x.toml"', "cameras_file: x.toml is not there"),
        ('[kafka]\nservers = "x"', "kafka.servers: not known here; the nearest: bootstrap_servers (seen: 'x')"),
        ('topic_prefix = "x"', "topic_prefix: not known here; it is of [kafka]"),
        ('kafka = "x"', "kafka: a table"),
        ("[kafka", "not TOML"),
    ],
)
def test_what_was_called_sound_and_is_not(look: Look, settings: str, said: str) -> None:
    (fault,) = look(settings).faults
    assert said in fault


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("ftp://anne:hunter2@x", "'ftp://x' is no stream that can be read; those of rtsp://"),
        ("rtsp://", "'rtsp://' names no host"),
        ("rtsp://10.0.0.7:port/x", "names no host, or no port"),
        ("usb:x", "'x' is not a device number"),
        ("nofile.mp4", "'nofile.mp4' is not on this machine; check the path, seen from "),
        ("empty", "'empty' is a folder without pictures"),
    ],
)
def test_a_source_that_cannot_be_read_is_a_fault(look: Look, source: str, said: str) -> None:
    """A login in its address is not said."""
    Path("empty").mkdir()
    Path("cameras.toml").write_text(f'[[cameras]]\nid = "a"\ngate = false\nsource = "{source}"\n', encoding="utf-8")
    (fault,) = look().faults
    assert fault.startswith("cameras.toml: camera 'a': source: ")
    assert said in fault
    assert "hunter2" not in fault


def test_a_subscription_names_cameras_that_there_are(look: Look) -> None:
    """Also where something else is wrong with that camera, and with the subscription."""
    Path("cameras.toml").write_text(f"{GATE}sped = 1\n", encoding="utf-8")
    wish = '[[mail.subscriptions]]\nto = "a@example.org"\ncauses = ["fogg"]\ncameras = ["gate-nort", "gate-north"]\n'
    faults = look(wish).faults
    assert "mail.subscriptions: a@example.org: there is no camera 'gate-nort'; the nearest: gate-north" in faults
    assert len(faults) == 3


def test_what_is_elsewhere_is_a_warning_there(look: Look) -> None:
    """Services run on several machines, with one file of settings."""
    Path("cameras.toml").write_text('[[cameras]]\nid = "a"\ngate = false\nsource = "nofile.mp4"\n', encoding="utf-8")
    settings = '[mail]\npassword_file = "/none"\n[processor]\nbundle = "nowhere"\n'
    assert len(look(settings).faults) == 3
    found = look(settings, elsewhere=True)
    assert (found.faults, found.cameras) == ([], ("a",))
    assert len(found.warnings) == 3


def test_a_variable_that_no_setting_takes_is_a_fault(look: Look) -> None:
    (fault,) = look(environment={"ROADWATCH_KAKFA__X": "1"}).faults
    assert fault == "ROADWATCH_KAKFA__X: no setting is called so; the nearest: kafka"


def test_a_variable_that_looks_like_a_setting_is_a_warning(look: Look) -> None:
    """Orchestrators set such ones, as ROADWATCH_KAFKA_PORT, and compose files others."""
    found = look(environment={"ROADWATCH_KAFKA_BOOTSTRAP_SERVERS": "x", "ROADWATCH_KAFKA_PORT": "x"})
    assert found.faults == []
    assert found.warnings == [
        "ROADWATCH_KAFKA_BOOTSTRAP_SERVERS: no setting; ROADWATCH_KAFKA__BOOTSTRAP_SERVERS is one"
    ]


def test_a_fault_of_a_variable_names_it_and_not_the_file(look: Look) -> None:
    found = look("[mail]\nport = 0\n", {"ROADWATCH_MONITOR__LATENESS": "soon"})
    in_file, in_variable = found.faults
    assert in_file.startswith("roadwatch.toml: mail.port: ")
    assert in_variable.startswith("ROADWATCH_MONITOR__LATENESS: monitor.lateness: 'soon' is no duration")


def test_faults_of_settings_hide_none_of_cameras_rules_and_subscriptions(look: Look) -> None:
    """One round mends all."""
    Path("cameras.toml").write_text('[[cameras]]\nsource = "sim:moon"\n', encoding="utf-8")
    Path("rules.toml").write_text('[[rules]]\nname = "a"\nwindow = 0\nscope = "x"\n', encoding="utf-8")
    faults = look(
        '[kafka]\ncamera_partitions = 0\n[monitor]\nmin_labels = 0\nrules_file = "rules.toml"\n'
        '[[mail.subscriptions]]\nto = "a@example.org"\ncauses = ["fogg"]\n'
        '[[mail.subscriptions]]\nto = "nobody"\nmin_severity = "x"\n'
    ).faults
    wheres = [" ".join(fault.split(": ")[:2]) for fault in faults]
    assert {
        "roadwatch.toml kafka.camera_partitions",
        "roadwatch.toml monitor.min_labels",
        "roadwatch.toml mail.subscriptions.1.to",
        "roadwatch.toml mail.subscriptions.1.min_severity",
        "cameras.toml camera number 1",
        "rules.toml rule 'a'",
        "mail.subscriptions a@example.org",
    } == set(wheres)


def test_a_byte_order_mark_is_read_over(look: Look) -> None:
    """Of every file: Windows' editors write one."""
    Path("cameras.toml").write_text(f"\ufeff{GATE}", encoding="utf-8")
    Path("rules.toml").write_text(
        '\ufeff[[rules]]\nname = "a"\nmetric = "accuracy"\nthreshold = 0.5\nmin_n = 9\n', encoding="utf-8"
    )
    found = look('\ufeff[monitor]\nrules_file = "rules.toml"\n')
    assert (found.faults, found.cameras, found.rules) == ([], ("gate-north",), ("a",))


@pytest.mark.parametrize("file", [".", "roadwatch.toml"])
def test_a_folder_is_no_file_of_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, file: str) -> None:
    monkeypatch.chdir(tmp_path)
    Path("roadwatch.toml").mkdir()
    assert check(Path(file), NOTHING).faults == [f"{file}: a folder; name the file in it"]


def test_json_holds_faults_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("roadwatch.toml").write_text("[mail]\nport = 0\n", encoding="utf-8")
    done = CliRunner().invoke(app, ["config", "check", "--json"])
    assert done.exit_code != 0
    assert json.loads(done.stdout)["faults"] == ["roadwatch.toml: mail.port: 1 or more (seen: 0)"]
