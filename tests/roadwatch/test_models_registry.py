"""The registry's commands, from a bundle's registration to its rollback, and how they are announced."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from models.bundle import BUNDLED, Bundle, read_manifest, save_bundle
from models.registry.history import Entry, Step
from models.registry.store import Registry
from roadwatch.announcing import announce, model_event, whoami
from roadwatch.cli import app
from runtime.admin import TopicAdmin
from runtime.settings import KafkaSettings, Settings
from runtime.spans import read_all
from schemas.codec import Codec
from schemas.errors import ConfigurationError, ModelError, ModelRegistryError
from schemas.records import ModelEvent
from schemas.topics import MODELS
from tests.models.bundles import tiny_bundle
from tests.support.brokers import TestBroker

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)
ENTRY = Entry(7, "ab" * 32, Step("promoted", "a-1", NOW, "ann@host", "better at night", "champion"))
Run = Callable[..., Any]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs `roadwatch models …` in an empty folder without a Kafka; gives its output, JSON where that is asked for."""
    monkeypatch.chdir(tmp_path)
    environment = {"ROADWATCH_KAFKA__BOOTSTRAP_SERVERS": "127.0.0.1:1", "COLUMNS": "250"}

    def call(*arguments: str) -> Any:
        done = CliRunner().invoke(app, ["models", *arguments], env=environment)
        if done.exception:
            raise done.exception
        return json.loads(done.stdout) if "--json" in arguments else done.stdout

    return call


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """A registry where the settings look for it, with a-1 approved and b-2 not."""
    registry = Registry(str(tmp_path / "roadwatch-data" / "registry"))
    for version in ("a-1", "b-2"):
        registry.register(of_version(version), at=NOW, by="ann@host")
    registry.record(Step("qualified", "a-1", NOW, "ann@host", approved=True, figures={"accuracy": 0.91}))
    return registry


def of_version(version: str, **changes: Any) -> Bundle:
    """Return a bundle of its own."""
    bundle = tiny_bundle()
    return replace(bundle, version=version, card=replace(bundle.card, version=version), **changes)


def test_without_a_registry_the_shipped_model_is_shown(run: Run) -> None:
    shipped = read_manifest(BUNDLED).version
    assert shipped in run("list")
    assert run("list", "--json") == []
    assert "It comes with the distribution" in run("show")
    assert run("show", "bundled", "--json")["card"]["version"] == shipped


def test_a_folder_is_registered_and_listed(run: Run, tmp_path: Path) -> None:
    save_bundle(of_version("a-1"), tmp_path / "mine")
    said = run("register", "mine", "--reason", "first of its kind")
    assert "1: a-1 was registered." in said
    (row,) = run("list", "--json")
    assert (row["version"], row["qualified"], row["aliases"], row["accuracy"]) == ("a-1", None, [], 2 / 3)
    assert "first of its kind" in run("history")


def test_what_was_recorded_and_not_announced_is_said(run: Run, tmp_path: Path) -> None:
    save_bundle(of_version("a-1"), tmp_path / "mine")
    assert "It is recorded. Nobody was told" in run("register", "mine")
    assert run("promote", "a-1", "--unqualified", "--reason", "test", "--json")["announced"] is False


def test_the_shipped_model_is_registered_by_its_name(run: Run) -> None:
    assert run("register", "bundled", "--json")["step"]["version"] == read_manifest(BUNDLED).version


def test_a_graph_that_cannot_serve_is_refused_before_it_gets_in(run: Run, tmp_path: Path) -> None:
    save_bundle(of_version("a-1", model=b"no graph"), tmp_path / "mine")
    with pytest.raises(ModelError, match="a-1"):
        run("register", "mine")
    assert run("list", "--json") == []


@pytest.mark.usefixtures("registry")
def test_the_list_says_who_is_what(run: Run) -> None:
    run("promote", "a-1")
    run("promote", "b-2", "--to", "challenger", "--unqualified", "--reason", "a look")
    rows = {row["version"]: row for row in run("list", "--json")}
    assert (rows["a-1"]["qualified"], rows["a-1"]["aliases"], rows["a-1"]["accuracy"]) == (
        "approved",
        ["champion"],
        0.91,
    )
    assert (rows["b-2"]["aliases"], rows["b-2"]["share"]) == (["challenger"], 0.25)
    assert "challenger (25%)" in run("list")


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("given", [(), ("--reason", "hurry"), ("--unqualified",)], ids=" ".join)
def test_an_unapproved_version_needs_both_words(run: Run, given: tuple[str, ...]) -> None:
    with pytest.raises(ModelRegistryError, match="b-2 is not approved: run 'roadwatch models qualify b-2', or give"):
        run("promote", "b-2", *given)


@pytest.mark.usefixtures("registry")
def test_a_promotion_past_the_qualification_stays_visible(run: Run) -> None:
    run("promote", "b-2", "--unqualified", "--reason", "the road is closed")
    said = run("history", "b-2")
    assert "promoted to champion, not qualified" in said
    assert "the road is closed" in said


def test_promoted_again_nothing_is_recorded_and_all_are_told(run: Run, registry: Registry) -> None:
    """The first may have been killed before it told anybody; with another share it is another promotion."""
    promote = ("promote", "a-1", "--to", "challenger", "--share")
    run(*promote, "0.5")
    before = registry.history()
    run(*promote, "0.5")
    assert registry.history() == before
    run(*promote, "0.25")
    assert len(registry.history()) == len(before) + 1


def test_a_damaged_bundle_is_not_promoted(run: Run, registry: Registry, tmp_path: Path) -> None:
    next((tmp_path / "roadwatch-data").rglob("a-1/*/model.onnx")).write_bytes(b"x")
    with pytest.raises(ModelError, match=r"model\.onnx: 1 bytes"):
        run("promote", "a-1")
    assert registry.state().holders == {}


@pytest.mark.usefixtures("registry")
def test_rollback_and_withdrawal(run: Run) -> None:
    run("promote", "a-1")
    run("promote", "b", "--unqualified", "--reason", "test")
    assert "a-1 was made champion again" in run("rollback", "--reason", "worse")
    run("promote", "b-2", "--to", "challenger", "--share", "1", "--unqualified", "--reason", "test")
    assert "b-2 was withdrawn as challenger" in run("withdraw")
    with pytest.raises(ModelRegistryError, match="nobody is challenger"):
        run("withdraw")


@pytest.mark.usefixtures("registry")
def test_a_past_state_is_told(run: Run) -> None:
    run("promote", "a-1")
    then = run("history", "--at", "2026-11-23T09:00", "--json")
    assert [row["aliases"] for row in then["versions"]] == [[], []]
    assert [entry["number"] for entry in then["entries"]] == [1, 2, 3]
    assert "At 2026-11-23T09:00:00+00:00: 2 versions; nobody is champion." in run("history", "--at", "2026-11-23T09:00")
    assert "a-1 is champion" in run("history")


@pytest.mark.usefixtures("registry")
def test_a_time_that_is_none_is_told(run: Run) -> None:
    with pytest.raises(ConfigurationError, match="'yesterday' is no time such as"):
        run("history", "--at", "yesterday")


@pytest.mark.usefixtures("registry")
def test_a_version_is_shown_with_what_became_of_it(run: Run) -> None:
    run("promote", "a-1")
    said = run("show", "champion")
    assert "Knows brightness alone." in said
    assert "Qualified: approved." in said
    assert "Serves as: champion since" in said
    assert len(run("show", "a", "--json")["history"]) == 3


@pytest.mark.usefixtures("registry")
def test_two_versions_side_by_side(run: Run) -> None:
    said = run("diff", "a-1", "bundled", "--json")
    lines = {line["what"]: line for line in said["lines"]}
    assert (said["a"], said["b"]) == ("a-1", read_manifest(BUNDLED).version)
    assert lines["labels"] == {"what": "labels", "a": "car, truck", "b": "car, truck", "same": True}
    assert lines["accuracy, bridge"]["a"] == "0.500 (0.095 to 0.905, 2 pictures)"
    assert lines["accuracy, bridge"]["b"] == "–"
    assert "preprocessing" in run("diff", "a-1", "b-2")


def test_who_did_it_has_a_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ann")
    assert whoami().startswith("ann@")


def test_an_entry_becomes_an_event() -> None:
    said = ModelEvent("promoted", "a-1", "champion", NOW, "ann@host", "better at night")
    assert model_event(ENTRY) == said


def test_without_kafka_nobody_is_told() -> None:
    assert not announce(Settings(kafka=KafkaSettings(bootstrap_servers="127.0.0.1:1,nonsense")), ENTRY)


@pytest.mark.integration
def test_a_step_is_on_the_models_topic(settings: Settings) -> None:
    """Keyed so that compaction keeps the newest of each kind for each version."""
    assert announce(settings, ENTRY)
    (record,) = read_all(settings.kafka, settings.kafka.names.of(MODELS))
    assert (record.key, Codec().decode(record.value, ModelEvent)) == (b"a-1|promoted", model_event(ENTRY))


@pytest.mark.integration
def test_a_missing_topic_is_not_made_by_telling(broker: TestBroker) -> None:
    kafka = KafkaSettings(bootstrap_servers=broker.bootstrap_servers, topic_prefix="nowhere")
    assert not announce(Settings(kafka=kafka), ENTRY)
    assert kafka.names.of(MODELS) not in TopicAdmin(kafka).existing()
