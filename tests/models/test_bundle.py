"""A bundle is read whole or refused with the fault by name."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from models.bundle import BUNDLED, Bundle, load_bundle, save_bundle, version_of
from models.preprocessing import Preprocessing
from schemas.errors import ModelError
from tests.models.bundles import tiny_bundle

CREATED = date(2026, 11, 23)


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """A bundle's folder."""
    save_bundle(tiny_bundle(), tmp_path / "bundle")
    return tmp_path / "bundle"


def edit(change: Callable[[dict[str, object]], object]) -> Callable[[Path], None]:
    """Return what changes a bundle's manifest."""

    def apply(folder: Path) -> None:
        manifest = json.loads((folder / "bundle.json").read_bytes())
        change(manifest)
        (folder / "bundle.json").write_text(json.dumps(manifest))

    return apply


def test_what_was_saved_is_loaded(saved: Path) -> None:
    """Graph, labels, preprocessing and card come back as they were."""
    assert load_bundle(saved) == tiny_bundle()


TAMPERED = {
    "graph changed": (lambda f: (f / "model.onnx").write_bytes(b"other"), r"model\.onnx: 5 bytes with SHA-256"),
    "graph torn": (lambda f: (f / "model.onnx").write_bytes((f / "model.onnx").read_bytes()[:-1]), "torn"),
    "graph missing": (lambda f: (f / "model.onnx").unlink(), r"model\.onnx: No such file"),
    "card changed": (lambda f: (f / "card.json").write_bytes(b"{}"), r"card\.json: 2 bytes"),
    "no manifest": (lambda f: (f / "bundle.json").unlink(), r"bundle\.json: No such file"),
    "manifest is no JSON": (lambda f: (f / "bundle.json").write_bytes(b"{"), "Invalid JSON"),
    "manifest too large": (lambda f: (f / "bundle.json").write_bytes(b" " * 70_000), "more than the 65536 bytes"),
    "format of the future": (edit(lambda m: m.update(format=2)), r"format: Input should be 1"),
    "version with a path": (edit(lambda m: m.update(version="../x")), "version: String should match"),
    "one label": (edit(lambda m: m.update(labels=["car"])), "labels: Tuple should have at least 2"),
    "other labels": (edit(lambda m: m.update(labels=["car", "bus"])), "the card is of"),
    "no checksum": (edit(lambda m: m.update(files={})), r"says nothing of card\.md"),
    "impossible size": (edit(lambda m: m.update(preprocessing={"size": 4, "fit": "stretch"})), "size is 4"),
}


@pytest.mark.parametrize(("tamper", "fault"), TAMPERED.values(), ids=TAMPERED)
def test_a_tampered_bundle_is_refused(saved: Path, tamper: Callable[[Path], object], fault: str) -> None:
    """Every fault is a ModelError that names file and value."""
    tamper(saved)
    with pytest.raises(ModelError, match=fault):
        load_bundle(saved)


def test_an_existing_folder_is_never_overwritten(saved: Path) -> None:
    """A second save into the same folder is refused, and leaves nothing behind."""
    with pytest.raises(ModelError, match="never overwritten"):
        save_bundle(tiny_bundle(), saved)
    assert [path.name for path in saved.parent.iterdir()] == ["bundle"]


def test_the_version_depends_on_all_that_decides_a_verdict() -> None:
    """Another graph, other labels or another preprocessing is another version; the same is the same."""
    wanted = Preprocessing(32, "stretch")
    first = version_of("road", CREATED, b"graph", ("car", "truck"), wanted)
    others = {
        version_of("road", CREATED, b"graph2", ("car", "truck"), wanted),
        version_of("road", CREATED, b"graph", ("truck", "car"), wanted),
        version_of("road", CREATED, b"graph", ("car", "truck"), replace(wanted, fit="letterbox")),
    }
    assert first.startswith("road-2026.11-")
    assert first == version_of("road", CREATED, b"graph", ("car", "truck"), wanted)
    assert len(others - {first}) == 3


def test_the_bundled_model_is_whole() -> None:
    """The shipped bundle loads, its version is of its own content, and its card names every licence."""
    bundle: Bundle = load_bundle(BUNDLED)
    own = version_of("road", bundle.card.created, bundle.model, bundle.labels, bundle.preprocessing)
    assert bundle.version == own
    assert {credit.licence for credit in bundle.card.credits} == {"CC-BY-4.0", "Apache-2.0"}
