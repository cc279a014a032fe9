"""Training, put together: the recipe of models.training with the simulator's pictures."""

from collections.abc import Callable, Iterable
from datetime import date
from importlib.metadata import version
from pathlib import Path

from models.card import Card
from models.training.data import LabelledPicture
from schemas.errors import ConfigurationError


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
    try:
        from models.training.train import TrainingSettings, train
    except ModuleNotFoundError as error:
        raise ConfigurationError("training", [f"{error.name} is missing; pip install 'roadwatch[train]'"]) from error
    missing = [f"{data / name} is not there" for name in ("train.zip", "test.zip") if not (data / name).is_file()]
    if missing:
        raise ConfigurationError(str(data), missing)
    settings = TrainingSettings(created=created, code_version=version("roadwatch"))
    return train(settings, data, extra, out, progress, extra_test)
