"""Settings come from a file and the environment; all faults are told at once, and secrets never."""

from datetime import time
from pathlib import Path

import pytest

from runtime.clients import client_properties
from runtime.settings import KafkaSettings, Settings, draft_of, load_settings, read_secret
from schemas.errors import ConfigurationError


def _file(folder: Path, text: str) -> Path:
    path = folder / "roadwatch.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    file = _file(tmp_path, '[kafka]\nbootstrap_servers = "file:9092"\ntopic_prefix = "kept"')
    kafka = load_settings(file, {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "environment:9092"}).kafka
    assert (kafka.bootstrap_servers, kafka.topic_prefix) == ("environment:9092", "kept")


def test_all_faults_are_told_at_once(tmp_path: Path) -> None:
    file = _file(tmp_path, '[monitor]\ntimezone = "Mars/Crater"\nmin_labels = 0\n[kafka]\nservers = "x"')
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(file, {"ROADWATCH_MAIL__PORT": "many"})
    told = str(refusal.value)
    assert all(
        name in told for name in ("monitor.timezone", "Mars/Crater", "monitor.min_labels", "kafka.servers", "mail.port")
    )


def test_a_file_that_is_no_toml_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"roadwatch\.toml.*\n.*not TOML"):
        load_settings(_file(tmp_path, "kafka = ["), {})


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no such file"):
        load_settings(tmp_path / "none.toml", {})


def test_a_password_is_not_sent_in_the_clear(tmp_path: Path) -> None:
    file = _file(tmp_path, '[mail]\nusername = "team"\npassword = "hunter2"')
    with pytest.raises(ConfigurationError, match="starttls") as refusal:
        load_settings(file, {})
    assert "hunter2" not in str(refusal.value)


def test_a_password_is_hidden_when_settings_are_shown(tmp_path: Path) -> None:
    settings = load_settings(_file(tmp_path, '[mail]\npassword = "hunter2"'), {})
    assert "hunter2" not in settings.model_dump_json()


def test_librdkafka_properties_pass_through_and_secrets_come_from_files(tmp_path: Path) -> None:
    secret = tmp_path / "password"
    secret.write_text("hunter2\n", encoding="utf-8")
    file = _file(
        tmp_path,
        f'[kafka.properties]\n"sasl.password" = "file:{secret}"\n"security.protocol" = "SASL_SSL"\n'
        '"sasl.mechanism" = "SCRAM-SHA-512"\n"sasl.username" = "roadwatch"',
    )
    properties = client_properties(load_settings(file, {}).kafka)
    assert (properties["sasl.password"], properties["security.protocol"]) == ("hunter2", "SASL_SSL")


def test_a_secret_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="the secret cannot be read"):
        read_secret(tmp_path / "none")


def test_groups_are_named_after_the_topics_prefix(tmp_path: Path) -> None:
    """Services of replayed topics take nothing from those that run; a group that is named keeps its name."""
    file = tmp_path / "again.toml"
    file.write_text('[kafka]\ntopic_prefix = "again"\n[monitor]\ntimezone = "UTC"\n', encoding="utf-8")
    settings = load_settings(file, {"ROADWATCH_MAIL__GROUP": "post"})
    assert (settings.processor.group, settings.monitor.group, settings.mail.group) == (
        "again-processor",
        "again-monitor",
        "post",
    )


def test_what_is_not_given_is_not_taken_for_given(tmp_path: Path) -> None:
    """`roadwatch up` starts a broker where none is named, whatever else is said of Kafka."""
    settings = load_settings(_file(tmp_path, '[kafka]\ntopic_prefix = "x"'), {"ROADWATCH_MAIL__SENDER": "a@b.c"})
    assert settings.kafka.model_fields_set == {"topic_prefix"}
    assert settings.mail.model_fields_set == {"sender", "group"}


def test_a_secret_that_is_no_text_is_named_and_not_shown(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"\xff\xfehunter2")
    with pytest.raises(ConfigurationError, match="no text in UTF-8") as refusal:
        read_secret(tmp_path / "secret")
    assert refusal.value.__cause__ is None


def test_a_draft_has_what_is_sound() -> None:
    """Of a list, all items but the faulty; of a section, all but the faulty settings."""
    wishes = [{"to": "a@example.org"}, {"to": "nobody"}]
    values = {"mail": {"port": 0, "host": "kept", "subscriptions": wishes}, "kafka": "x"}
    draft = draft_of(values, {}, "x.toml")
    assert [fault.split(":")[0] for fault in draft.faults] == ["kafka", "mail.port", "mail.subscriptions.1.to"]
    mail = draft.settings.mail
    assert (mail.host, mail.port, [wish.to for wish in mail.subscriptions]) == ("kept", 1025, ["a@example.org"])


def test_a_faulty_value_does_not_hide_that_two_others_do_not_go_together(tmp_path: Path) -> None:
    file = _file(tmp_path, '[mail]\nport = 0\nusername = "team"\n[[mail.subscriptions]]\nmin_severity = "x"')
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(file, {})
    assert [fault.split(":")[0] for fault in refusal.value.faults] == [
        "mail.port",
        "mail.username",
        "mail.subscriptions.0.channel",
        "mail.subscriptions.0.min_severity",
    ]


def test_groups_are_ours_without_a_prefix() -> None:
    assert Settings().processor.group == "roadwatch-processor"
    assert Settings(kafka=KafkaSettings(topic_prefix="")).monitor.group == "roadwatch-monitor"


@pytest.mark.parametrize(
    "given",
    [
        '[[mail.channels]]\nname = "ops"\nur1 = "slack://hunter2"',
        '[[mail.channels]]\nname = "ops"\nurl = "slack://hunter2"\nurl_file = "x"',
        '[[mail.channels]]\nname = "slack://hunter2"\nurl = "slack://hunter2"',
        '[[mail.channel]]\nname = "ops"\nurl = "slack://hunter2"',
        '[[channels]]\nname = "ops"\nurl = "slack://hunter2"',
        '[mail]\nchannels = ["slack://hunter2"]',
        '[mail]\nchannels = "slack://hunter2"',
        '[[mail.subscriptions]]\nto = "slack://hunter2@x"',
        '[[mail.subscriptions]]\nchannel = "slack://hunter2"',
        '[[mail.subscriptions]]\nurl = "slack://hunter2"',
    ],
)
def test_a_channels_url_is_not_said_in_a_fault(tmp_path: Path, given: str) -> None:
    """Wherever somebody put it."""
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(_file(tmp_path, given), {})
    assert "hunter2" not in str(refusal.value)


def test_a_login_in_an_address_is_not_said_in_a_fault(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"schema_registry\.url") as refusal:
        load_settings(_file(tmp_path, '[kafka.schema_registry]\nurl = "htp://anne:hunter2@registry"'), {})
    assert "hunter2" not in str(refusal.value)


def test_an_environment_that_is_no_json_is_a_fault_and_not_said() -> None:
    with pytest.raises(ConfigurationError, match="as JSON") as refusal:
        load_settings(None, {"ROADWATCH_MAIL__CHANNELS": "slack://hunter2"})
    assert "hunter2" not in str(refusal.value)
    assert refusal.value.__cause__ is None


def test_a_channels_url_is_hidden_when_settings_are_shown(tmp_path: Path) -> None:
    file = _file(tmp_path, '[[mail.channels]]\nname = "ops"\nurl = "slack://hunter2"')
    settings = load_settings(file, {})
    assert "hunter2" not in settings.model_dump_json() + repr(settings)


@pytest.mark.parametrize("given", ['min_severity = "info"', 'to = "a@example.org"\nchannel = "ops"'])
def test_a_subscription_is_of_an_address_or_a_channel(tmp_path: Path, given: str) -> None:
    with pytest.raises(ConfigurationError, match=r"needs an address \(to\) or a channel, and not both"):
        load_settings(_file(tmp_path, f"[[mail.subscriptions]]\n{given}"), {})


def test_faults_of_escalations_are_named_with_all_others(tmp_path: Path) -> None:
    """A digest waits for nobody; hours are neither negative nor longer than alerts are kept."""
    wishes = ['digest = "daily"\nafter_hours = 4', "after_hours = -1", "after_hours = 2161", "after_hours = nan"]
    tables = "\n".join(f'[[mail.subscriptions]]\nto = "a@example.org"\n{wish}' for wish in wishes)
    with pytest.raises(ConfigurationError) as refusal:
        load_settings(_file(tmp_path, tables), {})
    assert len(refusal.value.faults) == 4
    assert "digest is 'daily' and after_hours is 4" in str(refusal.value)


def test_digests_have_a_time_of_day_without_an_offset(tmp_path: Path) -> None:
    """It is of the monitor's time zone, in TOML's notation or as text."""
    for given in ("06:30:00", '"06:30"'):
        assert load_settings(_file(tmp_path, f"[mail]\ndigest_at = {given}"), {}).mail.digest_at == time(6, 30)
    with pytest.raises(ConfigurationError, match="has no offset"):
        load_settings(_file(tmp_path, '[mail]\ndigest_at = "07:00+01:00"'), {})


@pytest.mark.parametrize("trust", ["nan", "inf", "-1.0"])
def test_a_source_is_trusted_by_a_number_from_0_on(tmp_path: Path, trust: str) -> None:
    """Else nothing could be weighed against it."""
    with pytest.raises(ConfigurationError, match=r"monitor\.label_trust\.ann"):
        load_settings(_file(tmp_path, f"[monitor.label_trust]\nann = {trust}"), {})
