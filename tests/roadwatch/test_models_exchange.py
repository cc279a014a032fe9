"""Models come in and go out by command; what a stranger's file does to memory and time, it does to a child."""

import json
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnx
import pytest
from click.testing import Result
from onnx import TensorProto, helper, numpy_helper
from typer.testing import CliRunner

from models.bundle import BUNDLED, load_bundle, save_bundle
from models.exchange.copies import read_files
from models.preprocessing import prepare
from models.selftest import selftest_pictures
from processors.classifier import Classifier
from roadwatch.cli import app
from roadwatch.importing import Wanted
from roadwatch.importing import prepare as prepare_import
from schemas.errors import ModelError
from tests.models.bundles import tiny_bundle
from tests.models.graphs import DESCRIPTION, outside, street_answer, street_graph

Roadwatch = Callable[..., Result]


@pytest.fixture
def roadwatch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Roadwatch:
    """Runs a command in a folder of this test alone, with a registry there and no broker."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ROADWATCH_KAFKA__BOOTSTRAP_SERVERS", "127.0.0.1:1")
    return lambda *arguments: CliRunner().invoke(app, ["models", *arguments])


@pytest.fixture
def street(tmp_path: Path) -> Path:
    """A stranger's graph with its description beside it."""
    (tmp_path / "street.toml").write_text(DESCRIPTION, encoding="utf-8")
    (tmp_path / "street.onnx").write_bytes(street_graph().SerializeToString())
    return tmp_path / "street.onnx"


def write_pictures(folder: Path, count: int) -> Path:
    """Write a folder of dark cars and bright trucks."""
    rng = np.random.default_rng(5)
    for label, level in (("car", 70), ("truck", 100)):
        (folder / label).mkdir(parents=True)
        for number in range(count):
            image = rng.integers(level, level + 20, (16, 16, 3), np.uint8)
            cv2.imwrite(str(folder / label / f"{number}.png"), image)
    return folder


def test_a_described_graph_becomes_a_bundle_that_serves(roadwatch: Roadwatch, street: Path, tmp_path: Path) -> None:
    """It is measured, knows its self-test, and is in the registry; a module that came with it is not imported."""
    (tmp_path / "onnx.py").write_text("raise SystemExit(9)", encoding="utf-8")
    pictures = write_pictures(tmp_path / "pictures", 5)
    options = ("--describe", "street.toml", "--out", "out", "--register", "--test", str(pictures), "--json")
    done = roadwatch("import", str(street), *options)
    assert done.exit_code == 0, done.output
    bundle = load_bundle(tmp_path / "out")
    found = Classifier.load(bundle).classify(selftest_pictures()).probabilities
    np.testing.assert_allclose(found, street_answer(prepare(selftest_pictures(), bundle.preprocessing)), atol=1e-4)
    assert bundle.expected is not None
    assert bundle.card.evaluation.overall.n == 10
    assert json.loads(done.stdout)["entry"] == 1


def test_what_mlflow_was_given_comes_back_byte_for_byte(roadwatch: Roadwatch, tmp_path: Path) -> None:
    assert roadwatch("export", "bundled", "--mlflow", "mlflow", "--out", "plain").exit_code == 0
    done = roadwatch("import", "mlflow", "--out", "back")
    assert done.exit_code == 0, done.output
    assert read_files(tmp_path / "back") == read_files(tmp_path / "plain") == read_files(BUNDLED)


def test_a_registered_version_is_exported_and_retrained(roadwatch: Roadwatch, tmp_path: Path) -> None:
    """From the registry and back into it, with the gain told."""
    save_bundle(tiny_bundle(), tmp_path / "tiny")
    assert roadwatch("import", "tiny", "--register").exit_code == 0
    assert roadwatch("export", "tiny-1", "--out", "copy").exit_code == 0
    assert load_bundle(tmp_path / "copy") == tiny_bundle()
    write_pictures(tmp_path / "new", 40)
    done = roadwatch("retrain", "new", "--from", "tiny-1", "--out", "better", "--register", "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["after"]["accuracy"] > told["before"]["accuracy"]
    assert load_bundle(tmp_path / "better").card.lineage.parent == "tiny-1"
    assert told["entry"] == 2


def test_labels_that_bring_nothing_make_no_model(roadwatch: Roadwatch, tmp_path: Path) -> None:
    """Classes drawn by lot: held-back pictures are told worse than before. --force writes it all the same."""
    save_bundle(tiny_bundle(), tmp_path / "tiny")
    rng = np.random.default_rng(6)
    for number in range(24):
        folder = tmp_path / "lots" / ("car", "truck")[number % 2]
        folder.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / f"{number}.png"), np.full((16, 16, 3), rng.integers(126, 129), np.uint8))
    done = roadwatch("retrain", "lots", "--from", "tiny", "--out", "out")
    assert "bring nothing" in str(done.exception)
    assert not (tmp_path / "out").exists()
    assert roadwatch("retrain", "lots", "--from", "tiny", "--out", "out", "--force").exit_code == 0


MISTAKES = [
    (("import", "street.onnx", "--out", "out"), "--describe"),
    (("import", "street.onnx"), "--out FOLDER, --register"),
    (("import", "none", "--out", "out"), "no such file or folder"),
    (("import", ".", "--out", "out"), "not a model"),
    (("import", "street.onnx", "--describe", "none.toml", "--out", "out"), "none.toml"),
    (("import", "street.toml", "--describe", "street.toml", "--out", "out"), "not an ONNX model"),
    (("import", "street.onnx", "--describe", "street.toml", "--out", "."), "exists"),
    (("export", "bundled"), "--out FOLDER, --mlflow FOLDER"),
    (("export", "nobody-1", "--out", "out"), "nobody-1"),
    (("retrain", "none", "--from", "bundled", "--out", "out"), "no such file or folder"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[" ".join(given) for given, _ in MISTAKES])
def test_a_mistake_is_told(
    roadwatch: Roadwatch, street: Path, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    done = roadwatch(*arguments)
    assert message in str(done.exception)
    assert not (tmp_path / "out").exists()
    assert not (tmp_path / "roadwatch-data").exists()


def test_a_bundle_whose_graph_reads_other_files_is_refused(roadwatch: Roadwatch, tmp_path: Path) -> None:
    """Its checksums are right; what it asks of ONNX Runtime is not."""
    model = outside(street_graph(), "../secrets")
    save_bundle(tiny_bundle(model.SerializeToString()), tmp_path / "bad")
    done = roadwatch("import", "bad", "--out", "out")
    assert "in other files" in str(done.exception)


def hungry() -> onnx.ModelProto:
    """Return a graph that asks for 80 GB once it sees a picture: its shapes do not tell before."""
    model = street_graph(
        extra=[
            helper.make_node("ReduceMax", ["images"], ["top"], keepdims=0),
            helper.make_node("Exp", ["top"], ["some"]),
            helper.make_node("Mul", ["some", "many"], ["sides.float"]),
            helper.make_node("Cast", ["sides.float"], ["sides"], to=TensorProto.INT64),
            helper.make_node("ConstantOfShape", ["sides"], ["zeros"]),
            helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
            helper.make_node("Add", ["scores", "zero"], ["fed"]),
        ]
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array([200_000, 100_000], np.float32), "many"))
    return _giving(model, "fed")


def endless() -> onnx.ModelProto:
    """Return a graph that counts for a century."""
    counted = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["on"]),
            helper.make_node("Add", ["sum", "one"], ["more"]),
        ],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("go", TensorProto.BOOL, []),
            helper.make_tensor_value_info("sum", TensorProto.FLOAT, ["n", 3]),
        ],
        [
            helper.make_tensor_value_info("on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("more", TensorProto.FLOAT, ["n", 3]),
        ],
    )
    model = street_graph(extra=[helper.make_node("Loop", ["turns", "yes", "scores"], ["late"], body=counted)])
    model.graph.initializer.extend(
        [
            numpy_helper.from_array(np.array(2**62, np.int64), "turns"),
            numpy_helper.from_array(np.array(True), "yes"),
            numpy_helper.from_array(np.float32(1), "one"),
        ]
    )
    return _giving(model, "late")


def _giving(model: onnx.ModelProto, name: str) -> onnx.ModelProto:
    """Return the graph with another output instead of its scores."""
    model.graph.output[0].CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", 3]))
    return model


@pytest.mark.parametrize(("make", "patience_s"), [(hungry, 60.0), (endless, 8.0)], ids=["hungry", "endless"])
def test_a_graph_that_eats_memory_or_time_is_refused(
    street: Path, tmp_path: Path, make: Callable[[], onnx.ModelProto], patience_s: float
) -> None:
    """Whatever happens to the child, the answer is a clear error and no bundle."""
    name = make().graph.output[0].name
    text = DESCRIPTION.replace('name = "scores"', f'name = "{name}"')
    (tmp_path / "street.toml").write_text(text, encoding="utf-8")
    street.write_bytes(make().SerializeToString())
    wanted = Wanted(str(street), str(tmp_path / "street.toml"), str(tmp_path / "out"), "2026-11-23", "1.0")
    with pytest.raises(ModelError, match=r"memory|alloc|no answer in 8 s"):
        prepare_import(wanted, patience_s=patience_s)
    assert not (tmp_path / "out").exists()
