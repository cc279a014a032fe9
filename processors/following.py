"""Which model serves: the one that the registry says, once it has proved itself here.

    registry ──state──► wanted ──loaded, tested──► serving ──taken by the loop at its next batch──►
                          │ refused: told once, the old one stays until the alias moves again
    failed in service: refused likewise, who had the alias before serves, or the model that ships
    registry gone: counted, said once, the old one stays

All of it happens beside the loop, which goes on with the old model meanwhile.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from threading import RLock
from typing import Final, Protocol

import structlog
from prometheus_client import Counter, Gauge

from models.bundle import Bundle
from models.registry.history import Alias, Holder, State
from processors.frames import FrameClassifier
from schemas.errors import ModelError, ModelRegistryError
from schemas.records import ModelEvent, ModelEventKind

log = structlog.get_logger(__name__)

SERVED = Gauge("roadwatch_model_info", "1 for the version that serves under an alias.", ["alias", "version"])
SWAPS = Counter("roadwatch_model_swaps_total", "Models that began to serve in the place of another.", ["alias"])
REFUSALS = Counter("roadwatch_model_refusals_total", "Models that may not serve here.", ["alias"])
REGISTRY_ERRORS = Counter("roadwatch_registry_errors_total", "Looks at the model registry that failed.")

SHIPPED: Final = "the model that ships"


class Shelf(Protocol):
    """Where versions are found: `models.registry.store.Registry`, or a shelf of a test."""

    def state(self) -> State:
        """Who has which alias."""
        ...

    def load(self, version: str) -> Bundle:
        """Read a version, every file compared with its checksum."""
        ...


@dataclass(frozen=True, slots=True)
class Serving:
    """The model in service."""

    classifier: FrameClassifier
    "Loaded and tested."
    holder: Holder | None
    "Since when it has its alias, and its share of traffic; None for the model that ships."


@dataclass(frozen=True, slots=True)
class Workshop:
    """What a follower works with."""

    shelf: Shelf
    "The registry."
    open: Callable[[Bundle], FrameClassifier]
    "Makes a classifier of a bundle and tries it; raises ModelError."
    tell: Callable[[ModelEvent], None]
    "Takes an event for the models topic."
    clock: Callable[[], datetime]
    "The wall clock, UTC."
    by: str
    "Who tells: the service and its host."
    shipped: Callable[[], Bundle] | None = None
    "What serves while nobody has the alias; None: nothing does."


class Follower:
    """Keeps the model that an alias stands for: one thread looks, another reads `serving`."""

    def __init__(self, alias: Alias, workshop: Workshop) -> None:
        """Nothing is read yet."""
        self._alias = alias
        self._work = workshop
        self._refused: set[Holder] = set()
        self._trouble = ""
        self._lock = RLock()
        self.serving: Serving | None = None
        "The model to take at the next batch; None while nobody has the alias and none ships in his place."

    def start(self) -> None:
        """Find a model to begin with: the holder, or who had the alias before, or the one that ships.

        Raises ModelError where even the one that ships may not serve.
        """
        before = self.serving
        self._minding_the_registry(lambda: self._first_of(self._work.shelf.state()))
        if self.serving is before:
            self._begin_shipped()

    def look(self) -> None:
        """Look at the registry, and take up what has changed."""
        self._minding_the_registry(lambda: self._follow(self._work.shelf.state().holders.get(self._alias)))

    def dismiss(self, serving: Serving, error: ModelError) -> None:
        """Refuse a model that failed in service, long after it was tried, and find another as at the start.

        Raises the error where the model that ships has failed: there is no other.
        """
        if serving.holder is None:
            raise error
        with self._lock:
            if self.serving is None or self.serving.classifier is not serving.classifier:
                return  # another serves already
            self._refuse(serving.holder, error)
            if self._work.shipped is None:
                self._end()
            else:
                self.start()

    def _minding_the_registry(self, work: Callable[[], None]) -> None:
        """Do what needs the registry; where it cannot be had, what serves goes on, which is said once."""
        try:
            with self._lock:
                work()
        except ModelRegistryError as error:
            self._note_trouble(str(error))
        else:
            self._note_answer()

    def _note_trouble(self, told: str) -> None:
        REGISTRY_ERRORS.inc()
        if self._trouble != told:
            log.error("the model registry fails, what serves goes on", alias=self._alias, error=told)
        self._trouble = told

    def _note_answer(self) -> None:
        if self._trouble:
            log.info("the model registry answers again", alias=self._alias)
        self._trouble = ""

    def _first_of(self, state: State) -> None:
        """Let the first of those in line serve that may."""
        for holder in _line(state, self._alias):
            if self._begin(holder):
                return

    def _follow(self, holder: Holder | None) -> None:
        serving = self.serving
        if serving and _version(holder) == _version(serving.holder):
            self.serving = serving if serving.holder == holder else replace(serving, holder=holder)
            return
        if holder and self._begin(holder):
            return
        if self._work.shipped is None:
            self._end()
        elif holder is None:
            self._return_to_shipped()

    def _begin(self, holder: Holder) -> bool:
        """Let a version serve; whether it does. One that was refused is not tried again."""
        if holder in self._refused:
            return False
        try:
            classifier = self._work.open(self._work.shelf.load(holder.version))
        except ModelError as error:
            if _may_pass(error):
                raise
            self._refuse(holder, error)
            return False
        self._hand_over(Serving(classifier, holder))
        return True

    def _begin_shipped(self) -> None:
        if self._work.shipped:
            self._hand_over(Serving(self._work.open(self._work.shipped()), None))

    def _return_to_shipped(self) -> None:
        """Nobody has the alias any more."""
        try:
            self._begin_shipped()
        except ModelError as error:
            log.warning("the model that ships may not serve, the old one stays", error=str(error))

    def _refuse(self, holder: Holder, error: ModelError) -> None:
        REFUSALS.labels(self._alias).inc()
        log.error("model refused", alias=self._alias, version=holder.version, error=str(error))
        self._refused.add(holder)
        self._tell("refused", holder.version, str(error))

    def _hand_over(self, serving: Serving) -> None:
        before, self.serving = self.serving, serving
        version = serving.classifier.version
        _show(self._alias, before, serving)
        if before:
            SWAPS.labels(self._alias).inc()
        log.info("model serves", alias=self._alias, version=version, before=before and before.classifier.version)
        self._tell("loaded", version, "" if serving.holder else SHIPPED)

    def _end(self) -> None:
        """Nobody has the alias, or may serve under it, and none ships in his place."""
        before, self.serving = self.serving, None
        if before:
            _show(self._alias, before, None)
            log.info("nobody serves any more", alias=self._alias)

    def _tell(self, kind: ModelEventKind, version: str, reason: str) -> None:
        self._work.tell(ModelEvent(kind, version, self._alias, self._work.clock(), self._work.by, reason))


def _version(holder: Holder | None) -> str | None:
    return holder.version if holder else None


def _may_pass(error: ModelError) -> bool:
    """Whether the registry did not answer, rather than gave what is damaged: only then was something else the cause."""
    cause = error.__cause__
    return isinstance(error, ModelRegistryError) and cause is not None and not isinstance(cause, ValueError)


def _line(state: State, alias: Alias) -> Iterator[Holder]:
    """Who has an alias, then who had it before, the nearest first."""
    holder = state.holders.get(alias)
    if holder:
        yield holder
        yield from reversed(state.before.get(alias, ()))


def _show(alias: Alias, before: Serving | None, now: Serving | None) -> None:
    if before:
        SERVED.remove(alias, before.classifier.version)
    if now:
        SERVED.labels(alias, now.classifier.version).set(1)
