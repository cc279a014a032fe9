"""A registered candidate, tested as an application and started in shadow: each once, however often it is asked for."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final

from models.archive.archive import Archive
from models.card import Card
from models.qualification.figures import PARTS
from models.registry.history import Step
from models.retraining.dataset import FEWEST, apart, largest_of
from models.training.data import LabelledPicture
from roadwatch.announcing import whoami
from roadwatch.qualification.bench import QUICK, Sizes
from roadwatch.qualification.session import Request, carry_out
from roadwatch.retraining.desk import Desk
from roadwatch.retraining.material import base_of, knows_simulator, sides_of, simulated, vehicles_of
from roadwatch.retraining.record import known_to
from roadwatch.retraining.request import CHAMPION, Retrained, RetrainRequest
from schemas.errors import ConfigurationError

SIMULATED, SIMULATED_QUICK = 500, 200
"Simulated pictures among those that are held out."
CHALLENGER: Final = "challenger"
DECIDED: Final[Mapping[str, str]] = {
    "promoted": "it was made {alias}",
    "withdrawn": "it was withdrawn as {alias}",
    "qualified": "its qualification refused it",
}
"What people and qualifications decide of a version, unless it approves."
SPOILT: Final = frozenset({"dark", "veiled", "night"})
"Words of a scene."


def qualified(desk: Desk, found: Retrained, archive: Archive) -> Retrained:
    """Test a candidate that never was, and return its verdict."""
    outcome, known = None, desk.state_of(found.version)
    if desk.asked.qualify and known is not None and known.qualified is None:
        outcome = carry_out(_request(desk, found, archive), desk.registry, desk.progress, _fetching(desk))
        known = desk.state_of(found.version)
        if outcome.entry is not None:
            desk.tell(outcome.entry)
    desk.done("qualified")
    verdict = known.approved if known is not None and known.qualified is not None else None
    return replace(found, approved=verdict, qualification=outcome)


def require_testable(asked: RetrainRequest, version: str, card: Card, held_out: Collection[object]) -> None:
    """Raise ConfigurationError where there is nothing to qualify a candidate on, with what to do."""
    if not held_out and not asked.base and not knows_simulator(card):
        fault = (
            f"no labelled vehicle is held out to qualify it on: of {FEWEST} new ones and more a fifth is, where they are"
            " of other times than what was taught before; label more ('roadwatch label request'), give pictures with"
            " --base, or leave the qualification out with --no-qualify"
        )
        raise ConfigurationError(f"retraining from {version}", [fault])


def started(desk: Desk, found: Retrained) -> Retrained:
    """Make a candidate challenger that was approved, the first time; whoever is challenger or champion stays what he is."""
    holders = desk.registry.state().holders
    champion, challenger = holders.get(CHAMPION), holders.get(CHALLENGER)
    share = desk.asked.shadow_share
    if challenger is not None and challenger.version == found.version:
        return replace(found, shadow=challenger.share)
    if not found.approved or share is None or (champion is not None and champion.version == found.version):
        return found
    if before := _before(desk, found.version):
        told = f"{before}; to compare it again: roadwatch models promote {found.version} --to {CHALLENGER} --share {share:g}"
        return replace(found, not_started=told)
    reason = f"retrained from {found.parent}"
    desk.record(Step("promoted", found.version, datetime.now(UTC), whoami(), reason, CHALLENGER, share))
    desk.done("challenger")
    return replace(found, shadow=share, replaced=None if challenger is None else challenger.version)


def _before(desk: Desk, version: str) -> str | None:
    """Return what was decided about a version before, the newest of it; None where nothing was."""
    steps = [entry.step for entry in reversed(desk.registry.history()) if entry.step.version == version]
    return next((_told(step) for step in steps if step.action in DECIDED and not step.approved), None)


def _told(step: Step) -> str:
    what = DECIDED[step.action].format(alias=step.alias)
    return f"{what} on {step.at:%Y-%m-%d}{f' ({step.reason})' if step.reason else ''}"


def _request(desk: Desk, found: Retrained, archive: Archive) -> Request:
    asked, known = desk.asked, known_to(desk.registry, found.version)
    held_out = vehicles_of(archive, known.held_out, desk.progress, "vehicles held out")
    vehicles = apart(held_out, sides_of(archive, known).taught)
    require_testable(asked, found.version, desk.registry.about(found.version).card, vehicles)
    spoilt = {vehicle.example_id for vehicle in vehicles if not SPOILT.isdisjoint(vehicle.scene.values())}
    return Request(
        candidate=found.version,
        against=None,
        data="vehicles held out",
        pictures=lambda: (*largest_of(vehicles), *_others(desk, found.version)),
        thresholds=asked.thresholds,
        parts=PARTS,
        sizes=QUICK if asked.quick else Sizes(),
        kafka=asked.kafka,
        out=None,
        outputs=asked.outputs,
        is_spoilt=lambda picture: picture.scene in spoilt,
    )


def _others(desk: Desk, version: str) -> Iterator[LabelledPicture]:
    """Yield the base data's pictures that were not mixed in, and simulated ones."""
    candidate = desk.registry.load(version)
    yield from base_of(desk.asked, candidate.labels, desk.progress).tried
    yield from simulated(candidate, training=False, count=SIMULATED_QUICK if desk.asked.quick else SIMULATED)


def _fetching(desk: Desk) -> Callable[[int, int], None]:
    return lambda done, total: desk.progress("fetching Apache Kafka", done, total)
