"""A registry gives back what was put into it, or says what is wrong; in a folder and in an object store alike."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from models.bundle import Bundle, bundle_files
from models.registry.history import Step
from models.registry.opening import open_registry
from models.registry.store import Registry
from runtime.settings import ModelSettings
from schemas.errors import ConfigurationError, ModelError, ModelRegistryError
from tests.models.bundles import tiny_bundle

NOW = datetime(2026, 11, 23, 8, tzinfo=UTC)


class _Store(MemoryFileSystem):
    """An object store in memory, under a protocol of its own."""

    @classmethod
    def _strip_protocol(cls, path: str) -> str:
        return str(MemoryFileSystem._strip_protocol(path.replace(f"{cls.protocol}://", "memory://")))


class _Unguarded(_Store):
    """A store that creates what is there already."""

    protocol = "unguarded"

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: object) -> None:
        """Put, whatever was asked."""
        super().pipe_file(path, value)


class _ReadOnly(_Store):
    """A store that may only be read."""

    protocol = "readonly"

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: object) -> None:
        """Refuse."""
        raise PermissionError(13, "Permission denied", path)


class _Forgetful(_Store):
    """A store that carries a request out, and whose answer is lost."""

    protocol = "forgetful"

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: object) -> None:
        """Put, and say nothing."""
        super().pipe_file(path, value, mode=mode)
        if mode == "create":
            raise TimeoutError("no answer")


class _ClientError(Exception):
    """An error as botocore raises it: s3fs makes it the cause of its own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.response = {"Error": {"Code": code}}


class _Busy(_Store):
    """A store that, at the first try of each entry, has another conditional put under way."""

    protocol = "busy"
    tried: ClassVar[set[str]] = set()

    def pipe_file(self, path: str, value: bytes, mode: str = "overwrite", **_: object) -> None:
        """Put, the second time."""
        if mode == "create" and path not in self.tried:
            self.tried.add(path)
            raise OSError(5, "conflict") from _ClientError("ConditionalRequestConflict")
        super().pipe_file(path, value, mode=mode)


class _Ranged(_Store):
    """A store that gives no range of an empty object."""

    protocol = "ranged"

    def cat_file(self, path: str, start: int | None = None, end: int | None = None, **_: object) -> bytes:
        """Read a range, of what has one."""
        content = bytes(super().cat_file(path))
        if not content:
            raise OSError(22, "not satisfiable") from _ClientError("InvalidRange")
        return content[start:end]


class _Away(_Store):
    """A store that nobody reaches."""

    protocol = "away"

    def ls(self, path: str, detail: bool = True, **_: object) -> Any:
        """Fail."""
        raise ConnectionError("connection refused")


for store in (_Unguarded, _ReadOnly, _Forgetful, _Busy, _Ranged, _Away):
    fsspec.register_implementation(store.protocol, store, clobber=True)


def of_version(version: str) -> Bundle:
    """Return a bundle of its own."""
    bundle = tiny_bundle()
    return replace(bundle, version=version, card=replace(bundle.card, version=version))


def filled(address: str, *versions: str) -> Registry:
    """Return a registry with these versions, approved."""
    registry = Registry(address)
    for version in versions:
        registry.register(of_version(version), at=NOW, by="ann@host", reason="because")
        registry.record(Step("qualified", version, NOW, "ann@host", approved=True, figures={"accuracy": 0.9}))
    return registry


@pytest.fixture(autouse=True)
def _empty_memory() -> None:
    MemoryFileSystem.store.clear()


@pytest.fixture(params=["folder", "object store"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An address where nothing is yet."""
    return str(tmp_path / "deep" / "registry") if request.param == "folder" else "memory://deep/registry"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A registry with a, b and c, and its folder."""
    filled(str(tmp_path / "registry"), "a", "b", "c")
    return tmp_path / "registry"


def entry_file(folder: Path, number: int) -> Path:
    """Return an entry's file."""
    return folder / "history" / f"{number:08d}.json"


def bundle_folder(folder: Path, version: str) -> Path:
    """Return where a version's files are."""
    return next((folder / "bundles" / version).iterdir())


def test_where_nothing_is_the_history_is_empty(address: str) -> None:
    registry = Registry(address)
    assert (registry.history(), dict(registry.state().versions)) == ((), {})


def test_a_registered_bundle_is_loaded_as_it_was(address: str) -> None:
    bundle = of_version("a")
    entry = Registry(address).register(bundle, at=NOW, by="ann@host", reason="first")
    assert (entry.number, entry.previous, entry.step.reason, entry.step.at) == (1, "", "first", NOW)
    assert entry.step.figures == {"accuracy": 2 / 3, "calibration_error": pytest.approx(0.3), "pictures": 3}
    assert Registry(address).load("a") == bundle


def test_manifest_and_card_are_read_without_the_graph(address: str) -> None:
    about = filled(address, "a").about("a")
    assert (about.card.version, about.manifest.labels) == ("a", ("car", "truck"))


def test_others_see_what_was_recorded(address: str) -> None:
    writer, reader = filled(address, "a"), Registry(address)
    assert len(reader.history()) == 2
    writer.record(Step("promoted", "a", NOW, "ann@host", alias="champion"))
    assert reader.state().holders["champion"].version == "a"
    assert reader.history() == writer.history() == Registry(address).history()


def test_a_writer_that_has_not_seen_the_newest_comes_after_it(address: str) -> None:
    first, second = filled(address, "a"), Registry(address)
    second.history()
    first.record(Step("promoted", "a", NOW, "ann@host", alias="champion"))
    assert second.register(of_version("b"), at=NOW, by="bob@host").number == 4


def test_the_rules_are_those_of_the_newest_state(address: str) -> None:
    first, second = filled(address, "a"), Registry(address)
    second.history()
    step = Step("promoted", "a", NOW, "ann@host", alias="champion")
    first.record(step)
    with pytest.raises(ModelRegistryError, match="champion already"):
        second.record(step)


def test_the_same_bundle_twice_is_refused(address: str) -> None:
    registry = filled(address, "a")
    with pytest.raises(ModelRegistryError, match="registered already"):
        registry.register(of_version("a"), at=NOW, by="ann@host")
    assert len(registry.history()) == 2


def test_a_rollback_gives_the_alias_back(address: str) -> None:
    registry = filled(address, "a", "b")
    for version in ("a", "b"):
        registry.record(Step("promoted", version, NOW, "ann@host", alias="champion"))
    entry = registry.rollback("champion", at=NOW, by="ann@host", reason="worse")
    assert (entry.step.action, entry.step.version) == ("rolled_back", "a")
    assert registry.state().holders["champion"].version == "a"


def test_the_state_at_a_past_time_can_be_asked_for(address: str) -> None:
    registry = filled(address, "a")
    registry.record(Step("promoted", "a", NOW + timedelta(hours=1), "ann@host", alias="champion"))
    assert registry.state(NOW + timedelta(minutes=59)).holders == {}
    assert "champion" in registry.state(NOW + timedelta(minutes=60)).holders


def test_a_report_is_kept_with_its_version(address: str) -> None:
    registry = filled(address, "a")
    registry.attach("a", "qualification-00000002.html", b"<html>")
    assert Registry(address).attached("a", "qualification-00000002.html") == b"<html>"
    with pytest.raises(ModelRegistryError, match=r"none\.html is not there"):
        registry.attached("a", "none.html")


@pytest.mark.parametrize("name", ["../x", "a/b", ".hidden", "", "x" * 200])
def test_a_report_has_a_plain_name(address: str, name: str) -> None:
    with pytest.raises(ModelRegistryError, match="no name for a file"):
        filled(address, "a").attach("a", name, b"")


UNFIT = {
    "a reason that is too long": ({"reason": "x" * 3000}, "at most 2000 characters"),
    "control characters": ({"reason": "\x1b[2J"}, "should match pattern"),
    "a figure that is none": ({"figures": {"accuracy": float("nan")}}, "valid number"),
    "a time without zone": ({"at": NOW.replace(tzinfo=None)}, "timezone"),
    "nobody": ({"by": ""}, "at least 1 character"),
}


@pytest.mark.parametrize(("change", "fault"), UNFIT.values(), ids=UNFIT)
def test_what_could_not_be_read_again_is_not_written(address: str, change: dict[str, Any], fault: str) -> None:
    registry = filled(address, "a")
    with pytest.raises(ModelRegistryError, match=fault):
        registry.record(replace(Step("qualified", "a", NOW, "ann@host", approved=True), **change))
    assert len(Registry(address).history()) == 2


def test_a_bundle_that_could_not_be_loaded_is_not_registered(address: str) -> None:
    """Nothing of it is left."""
    registry = Registry(address)
    with pytest.raises(ModelError, match="the card is of tiny-1"):
        registry.register(replace(tiny_bundle(), version="other"), at=NOW, by="ann@host")
    with pytest.raises(ModelError, match="version: String should match"):
        registry.register(of_version("../../x"), at=NOW, by="ann@host")
    assert registry.history() == ()


def edit(number: int, **changes: object) -> Callable[[Path], object]:
    """Return what changes an entry."""

    def apply(folder: Path) -> None:
        document = json.loads(entry_file(folder, number).read_bytes())
        entry_file(folder, number).write_text(json.dumps({**document, **changes}))

    return apply


DAMAGED: dict[str, tuple[Callable[[Path], object], str]] = {
    "a gap": (lambda f: entry_file(f, 3).unlink(), r"00000003\.json is missing, and later entries are there"),
    "the first is gone": (lambda f: entry_file(f, 1).unlink(), r"00000001\.json is missing"),
    "torn": (lambda f: entry_file(f, 2).write_bytes(entry_file(f, 2).read_bytes()[:99]), r"2\.json: Invalid JSON"),
    "empty": (lambda f: entry_file(f, 6).write_bytes(b""), r"6\.json: Invalid JSON.*put this file back"),
    "changed": (edit(2, token="0"), r"3\.json: entry 2 before it has SHA-256 .* one of the two was changed"),
    "another's place": (lambda f: entry_file(f, 3).rename(entry_file(f, 4)), "says that it is entry 3|is missing"),
    "of the future": (edit(6, format=2), r"6\.json: format: Input should be 1"),
    "huge": (lambda f: entry_file(f, 6).write_bytes(b" " * 70_000), r"6\.json: 65537 bytes, .* at most 65536"),
    "unknown action": (
        edit(6, step={"action": "sold", "version": "a", "at": "2026-11-23T08:00Z", "by": "x"}),
        "action",
    ),
}


@pytest.mark.parametrize(("damage", "fault"), DAMAGED.values(), ids=DAMAGED)
def test_a_damaged_history_is_refused_and_not_written_to(
    folder: Path, damage: Callable[[Path], object], fault: str
) -> None:
    """Every time that it is asked for, not only the first."""
    damage(folder)
    registry = Registry(str(folder))
    for _ in range(2):
        with pytest.raises(ModelRegistryError, match=fault):
            registry.history()
    with pytest.raises(ModelRegistryError, match=fault):
        registry.register(of_version("d"), at=NOW, by="ann@host")


def test_files_of_others_beside_the_entries_are_not_read(folder: Path) -> None:
    for name in ("README.md", "7.json", "00000008.json.bak", ".00000007.json.ab.tmp", "00000000.json"):
        (folder / "history" / name).write_bytes(b"x")
    assert len(Registry(str(folder)).history()) == 6


def test_a_registry_that_vanishes_is_not_an_empty_one(folder: Path) -> None:
    """Whoever has read it goes on with what he knows."""
    registry = Registry(str(folder))
    registry.history()
    (folder / "history").rename(folder / "elsewhere")
    with pytest.raises(ModelRegistryError, match=r"00000006\.json is gone since it was read"):
        registry.history()
    (folder / "elsewhere").rename(folder / "history")
    assert len(registry.history()) == 6


def change_manifest(folder: Path, **changes: object) -> None:
    """Change a bundle's manifest so that it agrees with itself."""
    file = bundle_folder(folder, "a") / "bundle.json"
    file.write_text(json.dumps({**json.loads(file.read_bytes()), **changes}))


TAMPERED: dict[str, tuple[Callable[[Path], object], str]] = {
    "graph": (lambda f: (bundle_folder(f, "a") / "model.onnx").write_bytes(b"x"), r"model\.onnx: 1 bytes with SHA-256"),
    "graph is gone": (lambda f: (bundle_folder(f, "a") / "model.onnx").unlink(), r"model\.onnx is not there"),
    "card": (lambda f: (bundle_folder(f, "a") / "card.json").write_bytes(b"{}"), r"card\.json: 2 bytes"),
    "manifest": (lambda f: change_manifest(f, labels=["bus", "tram"]), r"bundle\.json: SHA-256 is .* the history says"),
    "paths in the manifest": (
        lambda f: change_manifest(f, files={"../x": {"size": 1, "sha256": "a"}}),
        "bundle.json: SHA",
    ),
    "huge": (lambda f: (bundle_folder(f, "a") / "bundle.json").write_bytes(b" " * 70_000), "more than the 65536 bytes"),
}


@pytest.mark.parametrize(("tamper", "fault"), TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_bundle_is_not_loaded(folder: Path, tamper: Callable[[Path], object], fault: str) -> None:
    tamper(folder)
    with pytest.raises(ModelError, match=fault):
        Registry(str(folder)).load("a")
    assert Registry(str(folder)).load("b") == of_version("b")


def test_only_registered_versions_are_loaded(address: str) -> None:
    with pytest.raises(ModelRegistryError, match="x is not registered in"):
        filled(address, "a").load("x")


def test_what_a_killed_writer_left_is_ignored_and_then_replaced(tmp_path: Path) -> None:
    bundle = of_version("a")
    filled(str(tmp_path / "other"), "a")
    digest = bundle_folder(tmp_path / "other", "a").name
    left = [
        f"bundles/a/{digest}/model.onnx",
        f"bundles/a/{digest}/.card.md.ab.tmp",
        "bundles/a/0123456789abcdef/card.md",
    ]
    for name in (*left, "history/.00000001.json.ab.tmp"):
        (tmp_path / "registry" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "registry" / name).write_bytes(b"torn")
    registry = Registry(str(tmp_path / "registry"))
    assert registry.history() == ()
    registry.register(bundle, at=NOW, by="ann@host")
    assert registry.load("a") == bundle
    files = {path.name for path in (tmp_path / "registry").rglob("*") if path.is_file()}
    assert files == {*bundle_files(bundle), "00000001.json"}


TROUBLE = {
    "unknown protocol": ("nonsense://x", "Protocol not known: nonsense"),
    "driver is missing": ("gs://bucket/x", "nstall"),
    "gone": ("away://x", "connection refused"),
}


@pytest.mark.parametrize(("address", "fault"), TROUBLE.values(), ids=TROUBLE)
def test_an_address_that_cannot_be_reached_is_told(address: str, fault: str) -> None:
    with pytest.raises(ModelRegistryError, match=fault):
        Registry(address).history()


UNWRITABLE = {
    "read-only": ("readonly://x", "Permission denied: the registry may not be read or written by this user"),
    "cannot create": ("unguarded://x", "would create a file that is there already"),
}


@pytest.mark.parametrize(("address", "fault"), UNWRITABLE.values(), ids=UNWRITABLE)
def test_a_store_that_cannot_be_written_safely_is_not_written(address: str, fault: str) -> None:
    registry = Registry(address)
    with pytest.raises(ModelRegistryError, match=fault):
        registry.register(of_version("a"), at=NOW, by="ann@host")
    assert registry.history() == ()


def test_a_registry_is_a_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(ModelRegistryError, match="names a file, and must name a folder"):
        Registry(str(tmp_path / "file")).history()


@pytest.mark.parametrize("protocol", ["forgetful", "busy", "ranged"])
def test_a_store_with_habits_of_its_own_gets_each_entry_once(protocol: str) -> None:
    registry = filled(f"{protocol}://registry", "a", "b")
    assert [entry.number for entry in registry.history()] == [1, 2, 3, 4]
    assert Registry(f"{protocol}://registry").load("b") == of_version("b")


def test_an_empty_entry_in_an_object_store_is_torn() -> None:
    filled("ranged://registry", "a")
    MemoryFileSystem().pipe_file("/registry/history/00000002.json", b"")
    with pytest.raises(ModelRegistryError, match=r"00000002\.json: Invalid JSON"):
        Registry("ranged://registry").history()


def test_options_come_from_the_settings_and_secrets_from_files(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("hush\n")
    options = {"secret": f"file:{tmp_path}/secret", "anon": "false", "client_kwargs": '{"verify": false}', "key": "{x"}
    registry = open_registry(ModelSettings(registry="memory://x", options=options))
    assert registry._options == {"secret": "hush", "anon": False, "client_kwargs": {"verify": False}, "key": "{x"}
    with pytest.raises(ConfigurationError, match="the secret cannot be read"):
        open_registry(ModelSettings(options={"secret": "file:/none"}))
