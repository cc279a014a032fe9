"""A stranger's graph is served as it was meant to be, or refused with the fault by name."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import onnx
import pytest
import yaml
from onnx import TensorProto, helper

from models.bundle import BUNDLED, Bundle, bundle_files, load_bundle, save_bundle, write_folder
from models.exchange.copies import read_files
from models.exchange.description import Description, read_description
from models.exchange.foreign import Given, foreign_bundle
from models.exchange.inspection import MAX_BYTES, parse_graph, read_graph
from models.exchange.mlflow import mlflow_files, read_mlflow_graph
from models.preprocessing import Image, prepare
from models.selftest import selftest_pictures
from processors.classifier import Classifier
from schemas.errors import ConfigurationError, ModelError
from tests.models.bundles import tiny_bundle
from tests.models.graphs import DESCRIPTION, SIZE, outside, street_answer, street_graph


def described(tmp_path: Path, *changes: tuple[str, str]) -> Description:
    """Return the description of the street's graph, with changes to its text."""
    text = DESCRIPTION
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "street.toml").write_text(text, encoding="utf-8")
    return read_description(tmp_path / "street.toml")


def wrapped(model: onnx.ModelProto, description: Description) -> Bundle:
    """Return the bundle of a graph."""
    return foreign_bundle(Given(model, description, "ab", "street.onnx"), date(2026, 11, 23), "1.0")


def said(bundle: Bundle, pictures: list[Image] | None = None) -> np.ndarray:
    """Return what the processor says of pictures."""
    return Classifier.load(bundle).classify(pictures or selftest_pictures()).probabilities


def right(bundle: Bundle) -> np.ndarray:
    """Return what it should say."""
    return street_answer(prepare(selftest_pictures(), bundle.preprocessing))


@pytest.mark.parametrize("batch", ["N", 1])
@pytest.mark.parametrize("opset", [7, 11, 13, 17, 21])
def test_a_described_graph_says_what_it_was_meant_to(tmp_path: Path, batch: str | int, opset: int) -> None:
    """Colours, axes, scale, mean, std, softmax and classes: from BGR pictures to our labels, also of a fixed batch."""
    bundle = wrapped(street_graph(batch, opset=opset), described(tmp_path))
    np.testing.assert_allclose(said(bundle), right(bundle), atol=1e-4)
    assert bundle.labels == ("car", "truck")
    assert bundle.version.startswith("street-2026.11-")


def test_its_features_become_the_embedding(tmp_path: Path) -> None:
    bundle = wrapped(street_graph(), described(tmp_path))
    assert Classifier.load(bundle).classify(selftest_pictures()).embedding.shape == (4, 3)


def test_what_is_dropped_counts_for_nobody(tmp_path: Path) -> None:
    """Without `coupe`, car and truck share what is left; as `other` it is a class of its own."""
    dropped = wrapped(street_graph(), described(tmp_path, ('["hatchback", 1]', '["hatchback"]')))
    other = wrapped(
        street_graph(),
        described(tmp_path, ('["hatchback", 1]', '["hatchback"]'), ("\n[input]", 'rest = "other"\n[input]')),
    )
    assert other.labels == ("car", "truck", "other")
    kept = said(other)[:, :2]
    np.testing.assert_allclose(said(dropped), kept / kept.sum(axis=1, keepdims=True), atol=1e-3)


@pytest.mark.parametrize(
    ("activation", "gives", "temperature"),
    [("Softmax", "probabilities", 1), ("", "logits", 2), ("Softmax", "probabilities", 2)],
)
def test_scores_and_probabilities_are_told_apart(
    tmp_path: Path, activation: str, gives: str, temperature: float
) -> None:
    """A temperature means the same for logits as for probabilities made of them."""
    plain = described(tmp_path)
    exit_ = replace(plain.output, gives=gives, temperature=temperature)  # type: ignore[arg-type]
    bundle = wrapped(street_graph(activation=activation), replace(plain, output=exit_))
    cooled = wrapped(street_graph(), replace(plain, output=replace(plain.output, temperature=temperature)))
    np.testing.assert_allclose(said(bundle), said(cooled), atol=1e-4)


@pytest.mark.parametrize(
    ("activation", "gives", "temperature"),
    [("", "logits", 1), ("Sigmoid", "probabilities", 1), ("Sigmoid", "probabilities", 2)],
)
def test_one_column_speaks_for_the_second_label(
    tmp_path: Path, activation: str, gives: str, temperature: float
) -> None:
    plain = replace(described(tmp_path), labels=("car", "truck"), classes={})
    exit_ = replace(plain.output, gives=gives, temperature=temperature)  # type: ignore[arg-type]
    found = said(wrapped(street_graph(columns=1, activation=activation), replace(plain, output=exit_)))
    logits = replace(plain.output, gives="logits", temperature=temperature)  # type: ignore[arg-type]
    np.testing.assert_allclose(found, said(wrapped(street_graph(columns=1), replace(plain, output=logits))), atol=1e-3)


@pytest.mark.parametrize(("element", "name"), [(TensorProto.FLOAT16, "float16"), (TensorProto.UINT8, "uint8")])
def test_other_elements_are_given(tmp_path: Path, element: int, name: str) -> None:
    bare = (
        ("scale = 0.00392156862745098\nmean = [0.5, 0.4, 0.3]\nstd = [0.2, 0.25, 0.5]", ""),
        ('"float32"', f'"{name}"'),
    )
    found = said(wrapped(street_graph(element=element), described(tmp_path, *bare)))
    assert np.isfinite(found).all()


def without(model: onnx.ModelProto, field: str) -> onnx.ModelProto:
    """Return the graph without a part."""
    model.graph.ClearField(field)
    return model


def stranger(domain: str, operator: str) -> onnx.ModelProto:
    """Return a graph with an operator of somebody's own."""
    model = street_graph(extra=[helper.make_node(operator, ["scores"], ["more"], domain=domain)])
    model.opset_import.append(helper.make_opsetid(domain, 1))
    return model


def gigantic() -> onnx.ModelProto:
    """Return a graph that makes a tensor of 40 GB on its way."""
    shape = onnx.numpy_helper.from_array(np.array([100_000, 100_000], np.int64), "sides")
    nodes = [
        helper.make_node("ConstantOfShape", ["sides"], ["zeros"]),
        helper.make_node("ReduceMax", ["zeros"], ["zero"], keepdims=0),
    ]
    model = street_graph(extra=nodes)
    model.graph.initializer.append(shape)
    return model


def claiming(dims: list[int]) -> onnx.ModelProto:
    """Return a graph with a tensor that claims to be huge."""
    model = street_graph()
    model.graph.initializer.append(TensorProto(name="huge", data_type=1, dims=dims))
    return model


def renamed(old: str, new: str) -> onnx.ModelProto:
    """Return a graph whose output has another name."""
    model = street_graph()
    model.graph.node[-1].output[0] = new
    for info in model.graph.output:
        info.name = new if info.name == old else info.name
    return model


def open_columns() -> onnx.ModelProto:
    """Return a graph that does not say how many classes it has."""
    model = street_graph(activation="Identity")
    model.graph.node[-1].CopyFrom(helper.make_node("Compress", ["raw", "chosen"], ["scores"], axis=1))
    model.graph.initializer.append(onnx.numpy_helper.from_array(np.ones(3, np.bool_), "chosen"))
    model.graph.output[0].type.tensor_type.shape.dim[1].dim_param = "classes"
    return model


REFUSED: list[tuple[str, Callable[[], onnx.ModelProto]]] = [
    ("keeps weight in other files", lambda: outside(street_graph(), "../../etc/passwd")),
    ("operator Teleport of domain my.company", lambda: stranger("my.company", "Teleport")),
    ("operator Teleport of domain ai.onnx", lambda: street_graph(extra=[helper.make_node("Teleport", ["raw"], ["x"])])),
    ("opset 99", lambda: street_graph(opset=99)),
    ("images float N×3×32×32; its description says float32 N×3×16×16", lambda: street_graph(sides=(3, 32, 32))),
    ("images uint8 N×3×16×16; its description says float32", lambda: street_graph(element=TensorProto.UINT8)),
    ("images float N×80; its description", lambda: street_graph(sides=(80,))),
    ("takes nothing, not one batch of pictures", lambda: without(street_graph(), "input")),
    ("scores has 4 values a picture, its description 3 labels", lambda: street_graph(columns=4)),
    ("gives no scores", lambda: renamed("scores", "logits")),
    ("only the batch may be open", open_columns),
    ("tensor huge of", lambda: claiming([1_000_000, 1_000_000])),
    ("tensor huge of", lambda: claiming([-1])),
    ("tensor zeros of 100000×100000 takes 40000000000 bytes", gigantic),
]


@pytest.mark.parametrize(("message", "make"), REFUSED, ids=[message for message, _ in REFUSED])
def test_what_cannot_be_served_is_refused_by_name(
    tmp_path: Path, message: str, make: Callable[[], onnx.ModelProto]
) -> None:
    with pytest.raises(ModelError) as refusal:
        wrapped(make(), described(tmp_path))
    assert message in str(refusal.value)


@pytest.mark.parametrize("raw", [b"", b"not a model", b"\x80\x04\x95pickle", bytes(1000), b"PK\x03\x04"])
def test_what_is_no_graph_is_refused(raw: bytes) -> None:
    with pytest.raises(ModelError, match="not an ONNX model"):
        parse_graph(raw, "x.onnx")


def test_a_file_over_the_limit_is_refused_before_it_is_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.onnx").open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ModelError, match="bytes that are allowed"):
        read_graph(tmp_path / "huge.onnx")


FAULTS = [
    (("size = 16", "size = 4"), "input.size"),
    (('layout = "NCHW"', 'layout = "NHCW"'), "input.layout"),
    (('element = "float32"', 'element = "uint8"'), "takes pixels as they are"),
    (("std = [0.2, 0.25, 0.5]", "std = [0.2, 0.25, 0]"), "not divided by 0"),
    (("[input]", "[inputs]"), "inputs"),
    (('gives = "logits"', 'gives = "scores"'), "output.gives"),
    (('["lorry"]', '["lorry", "van"]'), "'van' is none of its 3 labels"),
    (('["lorry"]', '["lorry", 1]'), "belongs to car already"),
    (('truck = ["lorry"]', 'Truck = ["lorry"]'), "small letters"),
    (('labels = ["hatchback", "coupe", "lorry"]', 'labels = ["hatchback"]'), "at least 2"),
    (('labels = ["hatchback", "coupe", "lorry"]', 'labels_file = "../names.txt"'), "no name of a file beside it"),
    (('"coupe", "lorry"]', '"coupe", "lorry", "lorry"]'), "write their numbers"),
    (('purpose = "Tells cars from trucks."', ""), "purpose: Field required"),
    (('name = "street"', 'name = "street'), "not TOML"),
]


@pytest.mark.parametrize(("change", "message"), FAULTS, ids=[message for _, message in FAULTS])
def test_faults_of_a_description_are_told(tmp_path: Path, change: tuple[str, str], message: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        described(tmp_path, change)
    assert message in str(refusal.value)


def test_labels_may_stand_in_a_file_beside_it(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("hatchback\ncoupe\nlorry\n", encoding="utf-8")
    found = described(tmp_path, ('labels = ["hatchback", "coupe", "lorry"]', 'labels_file = "names.txt"'))
    assert found.labels == ("hatchback", "coupe", "lorry")


@pytest.mark.parametrize("folder", [BUNDLED, None], ids=["bundled", "tiny"])
def test_a_bundle_in_an_mlflow_folder_comes_back_byte_for_byte(tmp_path: Path, folder: Path | None) -> None:
    bundle = load_bundle(folder) if folder else replace(tiny_bundle(), reference=tiny_bundle().model)
    files = read_files(folder) if folder else bundle_files(bundle)
    write_folder({**mlflow_files(bundle), **files}, tmp_path / "mlflow")
    assert read_files(tmp_path / "mlflow") == files
    assert load_bundle(tmp_path / "mlflow") == bundle


def test_mlflow_is_told_what_goes_in_and_comes_out() -> None:
    """The signature is that of the graph, and the same bundle gives the same files."""
    files = mlflow_files(tiny_bundle())
    told = yaml.safe_load(files["MLmodel"])
    assert told["flavors"]["python_function"]["loader_module"] == "mlflow.onnx"
    spec = {"name": "images", "type": "tensor", "tensor-spec": {"dtype": "uint8", "shape": [-1, 16, 16, 3]}}
    assert json.loads(told["signature"]["inputs"]) == [spec]
    assert [item["name"] for item in json.loads(told["signature"]["outputs"])] == ["probabilities", "embedding"]
    assert files == mlflow_files(tiny_bundle())


def test_the_description_in_the_documents_is_one(tmp_path: Path) -> None:
    documents = [path.read_text(encoding="utf-8") for path in (Path(__file__).parents[2] / "docs").glob("*.md")]
    blocks = [block for text in documents for block in re.findall(r"```toml\n(.*?)```", text, re.DOTALL)]
    (block,) = [block for block in blocks if "[classes]" in block]
    (tmp_path / "a.toml").write_text(block, encoding="utf-8")
    assert read_description(tmp_path / "a.toml").bundle_labels == ("car", "truck")


def mlflow_folder(folder: Path, model: onnx.ModelProto, mlmodel: str = "flavors: {onnx: {data: model.onnx}}") -> Path:
    """Write a model of MLflow's that is none of ours."""
    folder.mkdir()
    (folder / "MLmodel").write_text(mlmodel, encoding="utf-8")
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    return folder


def test_tensors_beside_an_mlflow_graph_are_taken_in(tmp_path: Path) -> None:
    """`mlflow.onnx.save_model` writes them to a file of their own unless told not to."""
    whole = street_graph()
    folder = mlflow_folder(tmp_path / "m", outside(street_graph(), "weights.data", offset=4))
    (folder / "weights.data").write_bytes(b"\0\0\0\0" + whole.graph.initializer[1].raw_data)
    model, _ = read_mlflow_graph(folder)
    assert said(wrapped(model, described(tmp_path))).tolist() == said(wrapped(whole, described(tmp_path))).tolist()


HOSTILE = [
    ("flavors: {onnx: {data: ../secret.onnx}}", "weights.data", "not followed"),
    ("flavors: {onnx: {data: /etc/passwd}}", "weights.data", "not followed"),
    ("flavors: {onnx: {data: model.onnx}}", "../weights.data", "not followed"),
    ("flavors: {onnx: {data: model.onnx}}", "link.data", "not followed"),
    ("flavors: {onnx: {data: model.onnx}}", "weights.data", "bytes 0 to 36 of a file of 8"),
    ("flavors: {sklearn: {pickled_model: model.pkl}}", "weights.data", "flavours sklearn, not onnx"),
    ("flavors: !!python/object/apply:os.system [id]", "weights.data", "not YAML"),
    ("[" * 5000, "weights.data", "not YAML"),
    ("a: 1", "weights.data", "no flavors"),
    ("#" * 300_000, "weights.data", "bytes that are allowed"),
]


@pytest.mark.parametrize(("mlmodel", "location", "message"), HOSTILE)
def test_an_mlflow_folder_leads_nowhere_else(tmp_path: Path, mlmodel: str, location: str, message: str) -> None:
    folder = mlflow_folder(tmp_path / "m", outside(street_graph(), location), mlmodel)
    (folder / "weights.data").write_bytes(bytes(8))
    (folder / "link.data").symlink_to("/etc/passwd")
    with pytest.raises(ModelError, match=message):
        read_mlflow_graph(folder)


def test_a_bundle_of_links_is_not_followed(tmp_path: Path) -> None:
    save_bundle(tiny_bundle(), tmp_path / "a")
    (tmp_path / "a" / "card.md").rename(tmp_path / "card.md")
    (tmp_path / "a" / "card.md").symlink_to(tmp_path / "card.md")
    with pytest.raises(ModelError, match="not followed"):
        read_files(tmp_path / "a")


def test_the_description_is_that_of_the_pictures_size(tmp_path: Path) -> None:
    assert wrapped(street_graph(), described(tmp_path)).preprocessing.size == SIZE
