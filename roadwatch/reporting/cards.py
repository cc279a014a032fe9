"""The cards of the models that served on a day, as far as they are to be had."""

from collections.abc import Iterable, Mapping
from typing import Final

from models.bundle import SHIPPED, load_bundle, read_manifest
from models.card import Card
from models.registry.opening import open_registry
from runtime.settings import ModelSettings
from schemas.errors import ConfigurationError, ModelError

UNKNOWN: Final = "neither ships with this release nor is in the registry"


def cards(settings: ModelSettings, versions: Iterable[str]) -> Mapping[str, Card | str]:
    """Each version's card, or why there is none."""
    return {version: _card(settings, version) for version in versions}


def _card(settings: ModelSettings, version: str) -> Card | str:
    try:
        shipped = {read_manifest(folder).version: folder for folder in SHIPPED.values()}
        if version in shipped:
            return load_bundle(shipped[version]).card
        registry = open_registry(settings)
        return registry.about(version).card if version in registry.state().versions else UNKNOWN
    except (ModelError, ConfigurationError) as error:
        return str(error)
