"""Models from elsewhere, opened in a process of their own: what a stranger's file does to memory and time, it does there.

import ─► child, with limits: read ─► check ─► wrap ─► try ─► a bundle's folder ─► import goes on with that
            └─ too much memory, too long, a crash: the file is refused, and nothing else happened
"""

import json
import resource
import subprocess
import sys
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Final

from schemas.errors import ConfigurationError, ModelError, RoadwatchError

if TYPE_CHECKING:
    from onnx import ModelProto

    from models.bundle import Bundle

MEMORY: Final = 4 * 1024**3
"Address space of the child, bytes: a bundle's largest graph, several times over, with its libraries."
PATIENCE_S: Final = 300.0
REFUSED: Final = 3
"Exit status of a child that says why."
BATCH: Final = 32
AGREEMENT: Final = 0.02
"In probability, between a picture alone and in a batch."

SERVABLE: Final = "a .onnx file with --describe, a bundle's folder, or a folder with MLflow's MLmodel"


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the child is asked for: plain values, for they travel as JSON."""

    source: str
    "A file or folder."
    describe: str | None
    "The description of a stranger's graph."
    out: str
    "The folder that the bundle is written to."
    created: str
    "The day, ISO 8601."
    code_version: str
    "Version of this code, for the card."


def prepare(wanted: Wanted, memory: int = MEMORY, patience_s: float = PATIENCE_S) -> None:
    """Read, check and try a model in a child process, and write it as a bundle.

    Raises:
        ConfigurationError: the description has faults, or what importing needs is not installed.
        ModelError: the model cannot be served, or takes more memory or time than it may.

    """
    command = [sys.executable, "-P", "-m", "roadwatch.importing"]  # -P: no modules from where the model may lie
    request = json.dumps({**asdict(wanted), "memory": memory})
    try:
        done = subprocess.run(command, input=request, capture_output=True, text=True, check=False, timeout=patience_s)
    except subprocess.TimeoutExpired as error:
        raise ModelError(f"{wanted.source}: gave no answer in {patience_s:g} s: it is not imported") from error
    if done.returncode == REFUSED:
        raise _refusal(done.stdout)
    if done.returncode:
        raise ModelError(
            f"{wanted.source}: reading and trying it ended the process that did so (status {done.returncode}, with"
            f" {memory >> 20} MiB of memory): it is not imported. {done.stderr.strip()[-300:]}".strip()
        )


def main() -> None:
    """Do what standard input asks for, under its limits; say on standard output why not."""
    request = json.load(sys.stdin)
    memory = request.pop("memory")
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    wanted = Wanted(**request)
    try:
        _prepare(wanted)
    except RoadwatchError as error:
        _refuse(error)
    except MemoryError:
        _refuse(ModelError(f"{wanted.source}: needs more than {memory >> 20} MiB of memory: it is not imported"))
    except ModuleNotFoundError as error:
        _refuse(ConfigurationError("import", [f"{error.name} is missing; pip install 'roadwatch[retrain]'"]))


def _prepare(wanted: Wanted) -> None:
    from models.bundle import MANIFEST
    from models.exchange.mlflow import is_mlflow

    source = Path(wanted.source)
    if (source / MANIFEST).is_file():
        _copy(wanted)
    elif is_mlflow(source) or source.is_file():
        _convert(wanted)
    else:
        what = "no such file or folder" if not source.exists() else "not a model"
        raise ModelError(f"{source}: {what}; give {SERVABLE}")


def _copy(wanted: Wanted) -> None:
    """Copy a bundle's files as they are, once its graphs were looked at and the served one was tried."""
    from models.bundle import load_bundle, write_folder
    from models.exchange.copies import read_files
    from models.exchange.inspection import check_graph, parse_graph
    from processors.classifier import Classifier

    source = Path(wanted.source)
    if wanted.describe:
        raise ConfigurationError("--describe", [f"{source} is a bundle already: it describes itself"])
    files = read_files(source)
    for name in ("model.onnx", "reference.onnx"):
        if name in files:
            check_graph(parse_graph(files[name], str(source / name)), str(source / name))
    write_folder(files, Path(wanted.out))
    Classifier.load(load_bundle(Path(wanted.out)))


def _convert(wanted: Wanted) -> None:
    """Make a bundle of a stranger's graph, and try it."""
    from models.bundle import save_bundle
    from models.exchange.description import read_description
    from models.exchange.foreign import Given, foreign_bundle

    if wanted.describe is None:
        raise ConfigurationError("--describe", [f"{wanted.source} is a graph of others: say in a file what it takes"])
    described = read_description(Path(wanted.describe))
    model, sha256 = _graph(Path(wanted.source))
    given = Given(model, described, sha256, wanted.source)
    bundle = foreign_bundle(given, date.fromisoformat(wanted.created), wanted.code_version)
    save_bundle(replace(bundle, expected=_tried(bundle, wanted.source)), Path(wanted.out))


def _graph(source: Path) -> "tuple[ModelProto, str]":
    import hashlib

    from models.exchange.inspection import parse_graph, read_graph
    from models.exchange.mlflow import read_mlflow_graph

    if source.is_dir():
        return read_mlflow_graph(source)
    raw = read_graph(source)
    return parse_graph(raw, str(source)), hashlib.sha256(raw).hexdigest()


def _tried(bundle: "Bundle", where: str) -> tuple[tuple[float, ...], ...]:
    """Return what the graph says of the self-test's pictures; raises ModelError where a batch changes what it says of one."""
    import numpy as np

    from models.selftest import rows_of, selftest_pictures
    from processors.classifier import REFUSALS, Classifier

    classifier = Classifier.load(bundle)
    pictures = selftest_pictures()
    try:
        together = classifier.classify(pictures * (BATCH // len(pictures))).probabilities
        alone = np.concatenate([classifier.classify([picture]).probabilities for picture in pictures])
    except REFUSALS as error:
        raise ModelError(
            f"{where}: fails on a batch of {BATCH} or of 1: export it with an open batch: {error}"
        ) from error
    if not np.allclose(together, np.tile(alone, (BATCH // len(pictures), 1)), atol=AGREEMENT):
        raise ModelError(f"{where}: says other things of a picture in a batch than alone: export it with an open batch")
    return rows_of(alone)


def _refuse(error: RoadwatchError) -> None:
    fault: dict[str, object] = {"message": str(error)}
    if isinstance(error, ConfigurationError):
        fault |= {"where": error.where, "faults": error.faults}
    sys.stdout.write(json.dumps(fault))
    sys.stdout.flush()
    raise SystemExit(REFUSED)


def _refusal(answer: str) -> RoadwatchError:
    fault = json.loads(answer)
    if "faults" in fault:
        return ConfigurationError(fault["where"], fault["faults"])
    return ModelError(fault["message"])


if __name__ == "__main__":
    main()
