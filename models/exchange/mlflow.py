"""MLflow's model folders: written so that MLflow serves them, read without running anything that is in them.

road/                        as `mlflow.onnx.save_model` writes it (MLflow 3)
├── MLmodel                  flavours, signature, metadata
├── model.onnx               the graph: MLflow's and the bundle's
├── requirements.txt, python_env.yaml, conda.yaml
└── bundle.json, card.json, card.md, reference.onnx   the bundle's other files, as they are
"""

import hashlib
import json
import platform
from collections.abc import Mapping
from datetime import UTC, datetime, time
from importlib.metadata import version as package_version
from pathlib import Path
from typing import Any, Final

import onnx
import yaml

from models.bundle import Bundle
from models.exchange.inspection import MAX_BYTES, is_outside, parse_graph, read_graph, tensors
from schemas.errors import ModelError

MLMODEL: Final = "MLmodel"
MAX_MLMODEL_BYTES: Final = 256 * 1024
MAX_DATA_FILES: Final = 4
REQUIREMENTS: Final = ("onnx", "onnxruntime", "numpy")
"What serving it with MLflow needs beside MLflow."
MLFLOW: Final = "mlflow>=2.9"


def mlflow_files(bundle: Bundle) -> dict[str, bytes]:
    """Return the files that make a bundle's folder a model of MLflow's, by name; the same bundle gives the same."""
    requirements = [MLFLOW, *(f"{name}=={package_version(name)}" for name in REQUIREMENTS)]
    python = platform.python_version()
    environment = {"python": python, "build_dependencies": ["pip"], "dependencies": ["-r requirements.txt"]}
    conda = {
        "name": "mlflow-env",
        "channels": ["conda-forge"],
        "dependencies": [f"python={python}", "pip", {"pip": requirements}],
    }
    return {
        MLMODEL: _yaml(_mlmodel(bundle, python)),
        "requirements.txt": "\n".join([*requirements, ""]).encode(),
        "python_env.yaml": _yaml(environment),
        "conda.yaml": _yaml(conda),
    }


def is_mlflow(folder: Path) -> bool:
    """Whether the folder is a model of MLflow's."""
    return (folder / MLMODEL).is_file()


def read_mlflow_graph(folder: Path) -> tuple[onnx.ModelProto, str]:
    """Return the graph of an MLflow model with the onnx flavour, tensors of its data files inside, and its SHA-256.

    Raises ModelError for other flavours, which may hold pickles and are not opened, and for files outside the folder.
    """
    raw = read_graph(_graph_path(folder))
    model = parse_graph(raw, str(folder))
    _bring_in(model, folder)
    return model, hashlib.sha256(raw).hexdigest()


def inside(folder: Path, name: object) -> Path:
    """Return the path of a file of this folder; raises ModelError where it is none, or leads elsewhere."""
    path = folder / str(name)
    if not isinstance(name, str) or Path(name).name != name or path.is_symlink():
        raise ModelError(f"{folder}: {name!r} is no file of this folder itself: it is not followed")
    return path


def _mlmodel(bundle: Bundle, python: str) -> dict[str, Any]:
    made = datetime.combine(bundle.card.created, time(), UTC)
    identity = hashlib.sha256(bundle.version.encode() + bundle.model).hexdigest()
    return {
        "flavors": {
            "onnx": {
                "code": None,
                "data": "model.onnx",
                "onnx_session_options": None,
                "onnx_version": package_version("onnx"),
                "providers": ["CPUExecutionProvider"],
            },
            "python_function": {
                "data": "model.onnx",
                "env": {"conda": "conda.yaml", "virtualenv": "python_env.yaml"},
                "loader_module": "mlflow.onnx",
                "python_version": python,
            },
        },
        "metadata": _metadata(bundle),
        "model_uuid": identity[:32],
        "signature": _signature(bundle),
        "utc_time_created": f"{made:%Y-%m-%d %H:%M:%S.%f}",
    }


def _metadata(bundle: Bundle) -> dict[str, Any]:
    return {
        "roadwatch_version": bundle.version,
        "roadwatch_labels": list(bundle.labels),
        "roadwatch_size": bundle.preprocessing.size,
        "roadwatch_fit": bundle.preprocessing.fit,
    }


def _signature(bundle: Bundle) -> dict[str, str | None]:
    size, classes = bundle.preprocessing.size, len(bundle.labels)
    graph = parse_graph(bundle.model, bundle.version).graph
    widths = {info.name: [dim.dim_value or -1 for dim in info.type.tensor_type.shape.dim] for info in graph.output}
    widths["probabilities"] = [-1, classes]
    outputs = [_tensor_spec(name, "float32", [-1, *shape[1:]]) for name, shape in widths.items()]
    inputs = [_tensor_spec("images", "uint8", [-1, size, size, 3])]
    return {"inputs": json.dumps(inputs), "outputs": json.dumps(outputs), "params": None}


def _tensor_spec(name: str, dtype: str, shape: list[int]) -> dict[str, Any]:
    return {"name": name, "type": "tensor", "tensor-spec": {"dtype": dtype, "shape": shape}}


def _yaml(value: Mapping[str, Any]) -> bytes:
    return str(yaml.safe_dump(value, sort_keys=True, allow_unicode=True)).encode()


def _graph_path(folder: Path) -> Path:
    flavours = _flavours(folder)
    onnx_flavour = flavours.get("onnx")
    if not isinstance(onnx_flavour, dict):
        told = ", ".join(map(str, flavours)) or "none"
        raise ModelError(f"{folder / MLMODEL}: flavours {told}, not onnx: other formats are not opened")
    return inside(folder, onnx_flavour.get("data", "model.onnx"))


def _flavours(folder: Path) -> Mapping[str, Any]:
    path = inside(folder, MLMODEL)
    with path.open("rb") as file:
        raw = file.read(MAX_MLMODEL_BYTES + 1)
    if len(raw) > MAX_MLMODEL_BYTES:
        raise ModelError(f"{path}: more than the {MAX_MLMODEL_BYTES} bytes that are allowed")
    try:
        found = yaml.safe_load(raw)
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise ModelError(f"{path}: not YAML: {error}") from error
    flavours = found.get("flavors") if isinstance(found, dict) else None
    if not isinstance(flavours, dict):
        raise ModelError(f"{path}: no flavors: not a model of MLflow's")
    return flavours


def _bring_in(model: onnx.ModelProto, folder: Path) -> None:
    """Put tensors that MLflow keeps in a file beside the graph into the graph."""
    files: dict[str, bytes] = {}
    budget = MAX_BYTES
    for tensor in filter(is_outside, tensors(model)):
        told = {entry.key: entry.value for entry in tensor.external_data}
        name = told.get("location", "")
        if name not in files:
            files[name] = read_graph(inside(folder, name))
        values = _slice(files[name], told, f"{folder / name}: {tensor.name}")
        budget -= len(values)
        if budget < 0 or len(files) > MAX_DATA_FILES:
            raise ModelError(f"{folder}: tensors of more than {MAX_BYTES} bytes or {MAX_DATA_FILES} files beside it")
        tensor.raw_data = values
        tensor.ClearField("external_data")
        tensor.data_location = onnx.TensorProto.DEFAULT


def _slice(content: bytes, told: Mapping[str, str], where: str) -> bytes:
    try:
        offset = int(told.get("offset", "0"))
        length = int(told.get("length", str(len(content) - offset)))
    except ValueError as error:
        raise ModelError(f"{where}: its place in the file is {dict(told)}") from error
    if offset < 0 or length < 0 or offset + length > len(content):
        raise ModelError(f"{where}: bytes {offset} to {offset + length} of a file of {len(content)}")
    return content[offset : offset + length]
