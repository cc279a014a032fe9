"""A follower at work: the registry of the settings, the models topic, and the thread that looks."""

import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from models.bundle import BUNDLED, Bundle, load_bundle
from models.registry.history import Alias
from models.registry.opening import open_registry
from processors.classifier import Classifier
from processors.events import ModelEvents
from processors.following import Follower, Workshop
from runtime.settings import Settings
from schemas.codec import Codec


@contextmanager
def following_champion(settings: Settings, codec: Codec) -> Iterator[Follower]:
    """A follower that has a model to begin with, and keeps it up to date for as long as the context lasts.

    Raises ModelError where no model may serve.
    """
    with _following(settings, codec, "champion", shipped) as follower:
        yield follower


@contextmanager
def following_challenger(settings: Settings, codec: Codec) -> Iterator[Follower]:
    """A follower that has a model while somebody is challenger."""
    with _following(settings, codec, "challenger", None) as follower:
        yield follower


@contextmanager
def _following(
    settings: Settings, codec: Codec, alias: Alias, otherwise: Callable[[], Bundle] | None
) -> Iterator[Follower]:
    events = ModelEvents(settings.kafka, codec, settings.processor.group)
    workshop = Workshop(
        shelf=open_registry(settings.models),
        open=Classifier.load,
        tell=events.tell,
        clock=lambda: datetime.now(UTC),
        by=f"processor {socket.gethostname()}",
        shipped=otherwise,
    )
    follower = Follower(alias, workshop)
    if otherwise:
        follower.start()
    with events.ringing(follower.look, settings.models.poll):
        yield follower


def shipped() -> Bundle:
    """The bundle that comes with the distribution."""
    return load_bundle(BUNDLED)
