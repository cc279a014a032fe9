"""A retraining from beginning to end; killed at any point and run again, it goes on where it was.

    labels ─► trained ─► draft on the disk ─► registered ─► record beside it ─► qualified ─► challenger
                  │ worse, or something is forgotten                                │ refused
                  └─► stays a draft                                                 └─► stays registered, and nothing else

The same parent, labels and settings are the same retraining: a key says so, in the draft's name and on the card.
"""

from datetime import UTC, datetime
from typing import Final

from models.archive.opening import open_archive
from models.bundle import BUNDLED, Bundle, load_bundle
from models.registry.history import resolve
from models.registry.opening import open_registry
from roadwatch.announcing import whoami
from roadwatch.retraining.desk import Desk
from roadwatch.retraining.drafts import alone, forget, keep, kept
from roadwatch.retraining.material import Choice, Pictured, choose, pictured
from roadwatch.retraining.record import NAME, Record, candidate_of, record_of, to_json
from roadwatch.retraining.request import CHAMPION, Progress, Retrained, RetrainRequest
from roadwatch.retraining.testing import qualified, started
from roadwatch.retraining.training import train
from roadwatch.training import require_installed
from runtime.settings import Settings
from schemas.errors import ModelRegistryError

LONGEST_REASON: Final = 500
"Characters, of why it was registered."


def retrained(settings: Settings, asked: RetrainRequest, progress: Progress) -> Retrained:
    """Retrain the head, or the whole network, on the labels since the champion; register, qualify and start in shadow what came of it.

    Never makes it champion. One that is worse than its parent on vehicles that were held out, or has forgotten something,
    is not registered: `refusals` says why. The same parent, labels and settings give the same version, trained once.

    Raises:
        ConfigurationError: labels are too few, of one class, or of classes that the parent does not have; nothing would be
            held out to qualify it on; a whole network lacks what training needs, or base data.
        ModelError: the parent is not there, or its head cannot be replaced; there is no room.
        ArchiveError: labels or pictures cannot be read.
        LocalStackError: the qualification's broker cannot be had; run again, it goes on there.

    """
    if asked.whole:
        require_installed()
    desk = Desk(settings, asked, open_registry(settings.models), progress)
    with alone(asked.folder, progress):
        archive, ledger = open_archive(settings.archive)
        choice = choose(asked, _parent(desk), desk.registry, archive, ledger, settings.monitor.label_trust)
        shown = pictured(asked, choice, archive, progress)
        desk.done("labels")
        found = _trained(desk, choice, shown)
        return started(desk, qualified(desk, found, archive)) if found.registered else found


def _parent(desk: Desk) -> Bundle:
    """Return the model to start from; the one that ships where nobody is champion."""
    state, name = desk.registry.state(), desk.asked.parent
    if name == "bundled" or (name == CHAMPION and CHAMPION not in state.holders):
        return load_bundle(BUNDLED)
    return desk.registry.load(resolve(state, name))


def _trained(desk: Desk, choice: Choice, shown: Pictured) -> Retrained:
    """Return what this retraining made, in the registry where it is worth it."""
    draft = kept(desk.asked.folder, shown.key)
    if draft is None and (known := _finished(desk, choice.parent.version, shown.key)):
        return _as_found(*known, trained=False, registered=True)
    bundle, record = draft or train(desk, choice, shown)
    if draft is None:
        keep(desk.asked.folder, bundle, record)
    desk.done("trained")
    if record.findings.refusals and not desk.asked.force and desk.state_of(bundle.version) is None:
        return _as_found(bundle.version, record, trained=draft is None, registered=False)
    _register(desk, bundle, record)
    return _as_found(bundle.version, record, trained=draft is None, registered=True)


def _finished(desk: Desk, parent: str, key: str) -> tuple[str, Record] | None:
    """Return the version of this retraining and its record; None where they are not in the registry, both of them."""
    version = candidate_of(desk.registry, parent, key)
    try:
        record = None if version is None else record_of(desk.registry, version)
    except (
        ModelRegistryError
    ):  # it was killed between the two, and its draft is elsewhere: both come out the same again
        return None
    return None if version is None or record is None else (version, record)


def _register(desk: Desk, bundle: Bundle, record: Record) -> None:
    """Put it into the registry, its record beside it; what is there already stays as it is."""
    if desk.state_of(bundle.version) is None:
        entry = desk.registry.register(bundle, at=datetime.now(UTC), by=whoami(), reason=_reason(record))
        desk.tell(entry)
    desk.done("registered")
    desk.registry.attach(bundle.version, NAME, to_json(record))
    forget(desk.asked.folder, record.key)
    desk.done("recorded")


def _reason(record: Record) -> str:
    found, count = record.findings, sum(record.labels.vehicles.values())
    told = f"retrained from {record.parent} on {count} labelled vehicles: {found.before:.3f} before, {found.after:.3f} after"
    forced = f"; forced, though {'; '.join(found.refusals)}" if found.refusals else ""
    return f"{told}{forced}"[:LONGEST_REASON]


def _as_found(version: str, record: Record, *, trained: bool, registered: bool) -> Retrained:
    return Retrained(
        version=version,
        parent=record.parent,
        labels=record.labels,
        findings=record.findings,
        trained=trained,
        registered=registered,
    )
