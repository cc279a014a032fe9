"""What somebody else's graph wants and gives: a small TOML file, all of whose faults are told at once.

name = "street"                       labels = ["hatchback", "coupe", "lorry"]
[input]   size, layout, element, colours, scale, mean, std, fit, name
[output]  gives, name, temperature, embedding
[classes] car = ["hatchback", "coupe"]
          truck = ["lorry"]
"""

import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, TypeAdapter, ValidationError

from models.card import Credit
from models.preprocessing import Fit, Preprocessing
from schemas.errors import ConfigurationError
from schemas.labels import CLASS_NAME

MAX_BYTES: Final = 256 * 1024
MAX_CLASSES: Final = 1000
"As a bundle allows."
DROPPED: Final = "dropped"
OUR_LABEL: Final = re.compile(CLASS_NAME)

Channels = float | tuple[float, float, float]
"One number for all channels, or one for each."


@dataclass(frozen=True, slots=True)
class Entrance:
    """What the graph wants to be given: (pixel × scale - mean) / std."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    size: Annotated[int, Field(ge=8, le=1024)]
    "Height and width, pixels."
    layout: Literal["NCHW", "NHWC"]
    "The order of its axes."
    element: Literal["uint8", "float32", "float16"]
    "The type of its values."
    colours: Literal["RGB", "BGR"]
    "The order of its channels, and of `mean` and `std`."
    scale: float = 1.0
    "What a pixel of 0 to 255 is multiplied with."
    mean: Channels = 0.0
    "Subtracted after scaling."
    std: Channels = 1.0
    "Divided by, last."
    fit: Fit = "stretch"
    "How a crop becomes a square."
    name: str | None = None
    "The input's name; None: the graph has only one."


@dataclass(frozen=True, slots=True)
class Exit:
    """What the graph gives."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    gives: Literal["logits", "probabilities"]
    "What its columns are; of two labels one column will do, which speaks for the second."
    name: str | None = None
    "The output's name; None: the graph has only one beside the embedding."
    temperature: Annotated[float, Field(gt=0, le=100)] = 1.0
    "What the scores are divided by: above 1 where it is too sure."
    embedding: str | None = None
    "The name of a feature vector; None: it gives none."


@dataclass(frozen=True, slots=True)
class Description:
    """What to know of a graph to serve it."""

    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid")

    name: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,39}$")]
    "The version's first part."
    purpose: Annotated[str, Field(min_length=1)]
    "What it is for, a sentence."
    input: Entrance
    "What it wants to be given."
    output: Exit
    "What it gives."
    labels: tuple[str, ...] = ()
    "Its classes, in its order."
    labels_file: str | None = None
    "Instead of `labels`: a text file beside the description, a class on each line."
    classes: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    "Ours, and the classes or columns (from 0) of the graph that belong to each; empty: its labels are ours."
    rest: str = DROPPED
    "What becomes of columns in none of `classes`: `dropped`, or a label that they are added to, such as `other`."
    architecture: str = ""
    "What it is."
    limits: tuple[str, ...] = ()
    "Where it is not to be trusted."
    credits: tuple[Credit, ...] = ()
    "Whose work is inside, and under which licence."

    @property
    def wanted(self) -> Preprocessing:
        """What the wrapped graph wants to be given."""
        return Preprocessing(self.input.size, self.input.fit)

    @property
    def bundle_labels(self) -> tuple[str, ...]:
        """The classes as the application knows them."""
        if not self.classes:
            return self.labels
        added = () if self.rest == DROPPED or self.rest in self.classes else (self.rest,)
        return (*self.classes, *added)

    def class_matrix(self) -> NDArray[np.float32] | None:
        """Return L×K, 1 where one of its columns belongs to a class of ours; None where its labels are ours."""
        if not self.classes:
            return None
        ours = self.bundle_labels
        owner = {self._column(member): name for name, members in self.classes.items() for member in members}
        matrix = np.zeros((len(self.labels), len(ours)), np.float32)
        for column in range(len(self.labels)):
            name = owner.get(column, self.rest)
            if name != DROPPED:
                matrix[column, ours.index(name)] = 1
        return matrix

    def _column(self, member: str | int) -> int:
        return member if isinstance(member, int) else self.labels.index(member)


def read_description(path: Path) -> Description:
    """Read a description; raises ConfigurationError naming all faults."""
    try:
        table = tomllib.loads(_read_text(path, str(path)))
        found = _descriptions().validate_python(table, strict=False)
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(str(path), [f"not TOML: {error}"]) from error
    except ValidationError as error:
        raise ConfigurationError(str(path), [_said({**fault}) for fault in error.errors()]) from error
    described = _with_labels(found, path)
    if faults := list(_faults(described)):
        raise ConfigurationError(str(path), faults)
    return described


def _read_text(path: Path, where: str) -> str:
    try:
        with path.open("rb") as file:
            raw = file.read(MAX_BYTES + 1)
        if len(raw) <= MAX_BYTES:
            return raw.decode("utf-8-sig")
    except OSError as error:
        raise ConfigurationError(where, [f"{path}: {error.strerror}"]) from error
    except UnicodeDecodeError as error:
        raise ConfigurationError(where, [f"{path} is not UTF-8 text"]) from error
    raise ConfigurationError(where, [f"{path} has more than the {MAX_BYTES} bytes that are allowed"])


def _said(fault: Mapping[str, Any]) -> str:
    seen = "" if fault["type"] == "missing" else f", not {fault['input']!r}"
    return f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}{seen}"[:300]


def _with_labels(found: Description, path: Path) -> Description:
    if found.labels_file is None:
        return found
    if found.labels:
        raise ConfigurationError(str(path), ["labels and labels_file: give one of them"])
    if Path(found.labels_file).name != found.labels_file or (path.parent / found.labels_file).is_symlink():
        raise ConfigurationError(str(path), [f"labels_file: {found.labels_file!r} is no name of a file beside it"])
    lines = _read_text(path.parent / found.labels_file, f"{path}: labels_file").splitlines()
    return replace(found, labels=tuple(line.strip() for line in lines if line.strip()))


def _faults(found: Description) -> Iterator[str]:
    yield from _entrance_faults(found.input)
    yield from _class_faults(found)
    ours = found.bundle_labels
    if len(found.labels) < 2:
        yield f"labels: {len(found.labels)} of them; a classifier has at least 2"
    elif not 2 <= len(set(ours)) == len(ours) <= MAX_CLASSES:
        yield f"classes: {len(ours)}, {', '.join(ours[:6])}: 2 to {MAX_CLASSES} are wanted, each once"
    strangers = [repr(name) for name in ours if not OUR_LABEL.fullmatch(name)]
    if strangers:
        yield f"labels: {', '.join(strangers[:5])}: small letters, digits, - and _; say in [classes] which of ours they are"


def _entrance_faults(entrance: Entrance) -> Iterator[str]:
    plain = (entrance.scale, entrance.mean, entrance.std) == (1.0, 0.0, 1.0)
    if entrance.element == "uint8" and not plain:
        yield "input: an element of uint8 takes pixels as they are: leave scale, mean and std out"
    numbers = np.hstack([entrance.scale, entrance.mean, entrance.std])
    if not np.isfinite(numbers).all() or 0 in np.hstack([entrance.scale, entrance.std]):
        yield f"input: scale {entrance.scale}, mean {entrance.mean}, std {entrance.std}: finite, and not divided by 0"


def _class_faults(found: Description) -> Iterator[str]:
    if not found.classes and found.rest != DROPPED:
        yield f"rest: {found.rest!r} without [classes]"
    owner: dict[int, str] = {}
    for name, members in found.classes.items():
        if not members and name != found.rest:
            yield f"classes.{name}: no class of the graph belongs to it"
        for member in members:
            yield from _member_faults(found, name, member, owner)


def _member_faults(found: Description, name: str, member: str | int, owner: dict[int, str]) -> Iterator[str]:
    columns = [member] if isinstance(member, int) else [k for k, label in enumerate(found.labels) if label == member]
    if not columns or not 0 <= columns[0] < len(found.labels):
        yield f"classes.{name}: {member!r} is none of its {len(found.labels)} labels"
    elif len(columns) > 1:
        yield f"classes.{name}: {member!r} is the label of columns {columns[:5]}: write their numbers"
    elif owner.setdefault(columns[0], name) != name:
        yield f"classes.{name}: {member!r} belongs to {owner[columns[0]]} already"


@cache
def _descriptions() -> TypeAdapter[Description]:
    return TypeAdapter(Description)
