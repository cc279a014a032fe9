"""The classes that labels may say: those of the model that serves."""

from models.bundle import BUNDLED, read_manifest
from models.registry.opening import open_registry
from runtime.settings import Settings


def classes_served(settings: Settings) -> tuple[str, ...]:
    """Return what the processors' model tells apart.

    A bundle that the settings name serves whatever the registry says; the one that ships, while it says nothing.

    Raises:
        ModelError: it cannot be read.

    """
    if settings.processor.bundle:
        return read_manifest(settings.processor.bundle).labels
    registry = open_registry(settings.models)
    champion = registry.state().holders.get("champion")
    return registry.about(champion.version).manifest.labels if champion else read_manifest(BUNDLED).labels
