"""A model's card: what it was made of, how well it does, where it ends. Written as JSON and as a page to read."""

from dataclasses import dataclass
from datetime import date
from functools import cache

from pydantic import TypeAdapter, ValidationError

from models.evaluation import Evaluation, Score
from schemas.errors import ModelError


@dataclass(frozen=True, slots=True)
class DataSource:
    """Pictures of one camera or collection."""

    name: str
    "The source."
    split: str
    "`train` or `test`."
    counts: dict[str, int]
    "Pictures of each class."


@dataclass(frozen=True, slots=True)
class Credit:
    """Somebody's work that is inside the model."""

    what: str
    "What was taken."
    origin: str
    "Where it comes from, and by whom."
    licence: str
    "SPDX identifier."


@dataclass(frozen=True, slots=True)
class Lineage:
    """What the model was made from: the same again makes the same file."""

    code_version: str
    "Version of the training code."
    seed: int
    "Of what is drawn by chance."
    settings: dict[str, str]
    "Training settings by name."
    data_sha256: dict[str, str]
    "Checksums of the data, by name."
    backbone_sha256: str
    "Checksum of the pretrained weights' file."
    packages: dict[str, str]
    "Versions of the packages that computed it."
    parent: str | None = None
    "The version that it was made from, by retraining or quantising; None: none."


@dataclass(frozen=True, slots=True)
class Card:
    """What to know before using the model."""

    version: str
    "The bundle's version."
    created: date
    "When it was trained."
    purpose: str
    "What it is for."
    architecture: str
    "What it is."
    labels: tuple[str, ...]
    "Its classes."
    data: tuple[DataSource, ...]
    "What it was trained and tested on."
    evaluation: Evaluation
    "Figures on the test split, by the finished file."
    limits: tuple[str, ...]
    "Where it is not to be trusted."
    credits: tuple[Credit, ...]
    "Whose work is inside."
    lineage: Lineage
    "What it was made from."

    def to_json(self) -> bytes:
        """Return the card as JSON."""
        return _adapter().dump_json(self, indent=2) + b"\n"

    def to_markdown(self) -> str:
        """Return the card as a page to read."""
        return "\n".join([*_heading(self), *_figures(self), *_data(self), *_ending(self)])


def parse_card(raw: bytes) -> Card:
    """Return the card that `Card.to_json` wrote; raises ModelError for anything else."""
    try:
        return _adapter().validate_json(raw)
    except ValidationError as error:
        first = error.errors()[0]
        raise ModelError(f"card.json: {'.'.join(map(str, first['loc']))}: {first['msg']}") from error


@cache
def _adapter() -> TypeAdapter[Card]:
    return TypeAdapter(Card)


def _heading(card: Card) -> list[str]:
    return [
        f"# {card.version}",
        "",
        f"{card.purpose} Classes: {', '.join(card.labels)}. Trained {card.created.isoformat()}.",
        "",
        card.architecture,
        "",
    ]


def _figures(card: Card) -> list[str]:
    labels = card.labels
    cells = card.evaluation.overall.confusion
    counts = {(cell.truth, cell.predicted): cell.count for cell in cells}
    return [
        "## How well it does",
        "",
        "Pictures that it was not trained on, classified by the finished file.",
        "",
        *_table(
            ["source", "pictures", "accuracy", "95 % interval", *(f"{x} recall" for x in labels), "calibration error"]
        ),
        *(_score_row(score, labels) for score in (*card.evaluation.sources, card.evaluation.overall)),
        "",
        *_table(["truth \\ said", *labels]),
        *(_row([truth, *(str(counts.get((truth, said), 0)) for said in labels)]) for truth in labels),
        "",
    ]


def _score_row(score: Score, labels: tuple[str, ...]) -> str:
    recalls = {recall.label: f"{recall.recall:.3f} of {recall.n}" for recall in score.recalls}
    interval = f"{score.low:.3f} to {score.high:.3f}"
    columns = [recalls.get(label, "") for label in labels]
    return _row(
        [score.source, str(score.n), f"{score.accuracy:.3f}", interval, *columns, f"{score.calibration_error:.3f}"]
    )


def _data(card: Card) -> list[str]:
    rows = [[item.name, item.split, *(str(item.counts.get(label, 0)) for label in card.labels)] for item in card.data]
    return [
        "## What it was trained and tested on",
        "",
        *_table(["source", "split", *card.labels]),
        *map(_row, rows),
        "",
    ]


def _ending(card: Card) -> list[str]:
    lineage = card.lineage
    return [
        "## Where it ends",
        "",
        *(f"- {limit}" for limit in card.limits),
        "",
        "## Whose work is inside",
        "",
        *(f"- {credit.what}: {credit.origin} ({credit.licence})" for credit in card.credits),
        "",
        "## How it was made",
        "",
        *([f"- made from: {lineage.parent}"] if lineage.parent else []),
        f"- code: {lineage.code_version}; seed: {lineage.seed}",
        *(f"- {name}: {value}" for name, value in lineage.settings.items()),
        *(f"- SHA-256 of {name}: `{value}`" for name, value in lineage.data_sha256.items()),
        f"- SHA-256 of the pretrained weights: `{lineage.backbone_sha256}`",
        f"- packages: {', '.join(f'{name} {version}' for name, version in lineage.packages.items())}",
        "",
    ]


def _table(names: list[str]) -> list[str]:
    return [_row(names), _row(["---"] * len(names))]


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
