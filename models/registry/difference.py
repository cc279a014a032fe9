"""Two versions side by side: what they were made of, what they want, how well they do. Pure."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from models.bundle import About

NONE = "–"


@dataclass(frozen=True, slots=True)
class Line:
    """One thing of both."""

    what: str
    "Such as `labels`, or `accuracy, bridge`."
    a: str
    "Of the first."
    b: str
    "Of the second."

    @property
    def same(self) -> bool:
        """Whether there is no difference."""
        return self.a == self.b


def difference(a: About, b: About) -> list[Line]:
    """Return both, line by line: the graph, the figures of each source, the lineage. What one has not is `–`."""
    return [line for part in PARTS for line in _beside(dict(part(a)), dict(part(b)))]


def _beside(left: Mapping[str, str], right: Mapping[str, str]) -> list[Line]:
    return [Line(what, left.get(what, NONE), right.get(what, NONE)) for what in {**left, **right}]


Lines = Iterator[tuple[str, str]]


def _wants(about: About) -> Lines:
    manifest = about.manifest
    yield "created", about.card.created.isoformat()
    yield "labels", ", ".join(manifest.labels)
    yield "preprocessing", f"{manifest.preprocessing.size} px, {manifest.preprocessing.fit}"
    yield "abstains below", NONE if manifest.abstain_below is None else f"{manifest.abstain_below:g}"


def _sizes(about: About) -> Lines:
    graphs = [(name, entry.size) for name, entry in about.manifest.files.items() if name.endswith(".onnx")]
    yield from ((f"{name}, KiB", f"{size / 1024:.0f}") for name, size in graphs)


def _accuracies(about: About) -> Lines:
    evaluation = about.card.evaluation
    for score in (evaluation.overall, *evaluation.sources):
        interval = f"{score.low:.3f} to {score.high:.3f}, {score.n} pictures"
        yield f"accuracy, {score.source}", f"{score.accuracy:.3f} ({interval})" if score.n else NONE


def _recalls(about: About) -> Lines:
    overall = about.card.evaluation.overall
    yield from ((f"recall, {recall.label}", f"{recall.recall:.3f} of {recall.n}") for recall in overall.recalls)
    yield "calibration error", f"{overall.calibration_error:.3f}"


def _origin(about: About) -> Lines:
    lineage = about.card.lineage
    yield "parent", lineage.parent or NONE
    yield "code", lineage.code_version
    yield "seed", str(lineage.seed)


def _settings(about: About) -> Lines:
    yield from ((f"setting {name}", value) for name, value in about.card.lineage.settings.items())


def _data(about: About) -> Lines:
    yield from ((f"SHA-256 of {name}", value) for name, value in about.card.lineage.data_sha256.items())
    yield "SHA-256 of the pretrained weights", about.card.lineage.backbone_sha256


def _architecture(about: About) -> Lines:
    yield "architecture", about.card.architecture


def _packages(about: About) -> Lines:
    yield from ((f"package {name}", value) for name, value in about.card.lineage.packages.items())


PARTS: Final = (_wants, _sizes, _accuracies, _recalls, _origin, _settings, _data, _architecture, _packages)
"What is compared, in this order; within a part, what the first has comes first."
