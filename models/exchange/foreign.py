"""A bundle of somebody else's graph and its description."""

import hashlib
from dataclasses import asdict, dataclass
from datetime import date
from importlib.metadata import version as package_version
from typing import Final

from onnx import ModelProto

from models.bundle import Bundle, version_of
from models.card import Card, Credit, Lineage
from models.evaluation import Evaluation, Score
from models.exchange.description import Description
from models.exchange.ends import find_ends
from models.exchange.inspection import check_graph, check_sizes
from models.exchange.wrapping import wrap

PACKAGES: Final = ("numpy", "onnx", "onnxruntime", "opencv-python-headless")
UNMEASURED: Final = Evaluation(Score("all", 0, 0.0, 0.0, 1.0, 0.0, (), ()), ())
"No picture was classified: the accuracy lies between 0 and 1."
UNMEASURED_LIMIT: Final = "No labelled pictures of ours were classified with it when it was imported: measure it first."
FOREIGN_LIMIT: Final = "It was trained elsewhere: what it was trained on is known from its description alone."


@dataclass(frozen=True, slots=True)
class Given:
    """What an import starts from."""

    model: ModelProto
    "The graph, every tensor inside."
    described: Description
    "What was said of it."
    sha256: str
    "Of the file."
    where: str
    "The file's name, for messages."


def foreign_bundle(given: Given, created: date, code_version: str) -> Bundle:
    """Check and wrap the graph, and return it as a bundle that nobody has tried or measured yet.

    Raises ModelError where the graph cannot be served, or is not as described.
    """
    check_graph(given.model, given.where)
    ends = find_ends(given.model, given.described, given.where)
    wrapped = wrap(given.model, given.described, ends, given.where)
    check_sizes(wrapped, given.where)
    model = wrapped.SerializeToString(deterministic=True)
    described = given.described
    version = version_of(described.name, created, model, described.bundle_labels, described.wanted)
    card = _card(given, version, created, code_version)
    return Bundle(version, described.bundle_labels, described.wanted, model, card)


def _card(given: Given, version: str, created: date, code_version: str) -> Card:
    described = given.described
    return Card(
        version=version,
        created=created,
        purpose=described.purpose,
        architecture=described.architecture or _architecture(given.model),
        labels=described.bundle_labels,
        data=(),
        evaluation=UNMEASURED,
        limits=(*described.limits, FOREIGN_LIMIT, UNMEASURED_LIMIT),
        credits=described.credits or (Credit(described.name, "not told in its description", "NOASSERTION"),),
        lineage=_lineage(given, code_version),
    )


def _architecture(model: ModelProto) -> str:
    opset = next((item.version for item in model.opset_import if item.domain in ("", "ai.onnx")), "none")
    maker = " ".join(filter(None, (model.producer_name, model.producer_version))) or "an unnamed tool"
    return f"A graph of {len(model.graph.node)} operators in opset {opset}, written by {maker[:80]}."


def _lineage(given: Given, code_version: str) -> Lineage:
    described = given.described
    ends = {"input": asdict(described.input), "output": asdict(described.output)}
    settings = {f"{end}.{name}": str(value) for end, part in ends.items() for name, value in part.items() if value}
    settings |= {f"classes.{name}": ", ".join(map(str, members)) for name, members in described.classes.items()}
    return Lineage(
        code_version=code_version,
        seed=0,
        settings={**settings, **({"rest": described.rest} if described.classes else {})},
        data_sha256={"labels": hashlib.sha256("\n".join(described.labels).encode()).hexdigest()},
        backbone_sha256=given.sha256,
        packages={name: package_version(name) for name in PACKAGES},
    )
