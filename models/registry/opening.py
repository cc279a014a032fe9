"""The registry that the settings name."""

from models.files import options_of
from models.registry.store import Registry
from runtime.settings import ModelSettings


def open_registry(settings: ModelSettings) -> Registry:
    """Return the registry of the settings; nothing is opened yet. Raises ConfigurationError for a secret's file."""
    return Registry(settings.registry, options_of(settings.registry, settings.options))
