"""Whether settings, and what they name, are sound: every fault at once, without connecting to anything.

settings ─┬─ what is written: librdkafka's properties, cameras, rules, subscriptions ─► faults
          └─ what has to be on this machine: secrets, recordings, a bundle           ─► faults; elsewhere, warnings
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from runtime.environment import PREFIX, Environment
from runtime.properties import missing_files, refused
from runtime.settings import (
    ENVIRONMENT,
    Draft,
    Settings,
    Subscription,
    draft_of,
    read_secret,
    settings_file,
    value_of,
)
from runtime.toml import read_toml
from schemas.errors import ConfigurationError, ModelError


@dataclass(slots=True)
class Checked:
    """What a check has found so far."""

    cameras: tuple[str, ...] = ()
    "Ids; empty where there is no file of cameras."
    rules: tuple[str, ...] = ()
    "Names."
    cameras_file: Path = Path()
    "Where cameras were looked for."
    faults: list[str] = field(default_factory=list)
    "Where and what, a line each."
    warnings: list[str] = field(default_factory=list)
    "What need not be wrong, likewise."

    def read(self, read: Callable[[], Iterable[str]]) -> tuple[str, ...]:
        """What is read; nothing of what has faults, which join those that are known."""
        try:
            return tuple(read())
        except ConfigurationError as error:
            self.faults += error.lines
            return ()


def check(file: Path | None, environment: Mapping[str, str], *, elsewhere: bool = False) -> Checked:
    """Check the settings of a file and of the environment; `elsewhere`: what is not on this machine is a warning."""
    found = Checked(warnings=Environment(environment, Settings).doubtful())
    path = settings_file(file)
    draft = _draft(found, path, environment)
    settings, found.cameras_file = draft.settings, draft.settings.cameras_file
    found.faults += [fault if fault.startswith(PREFIX) else f"{path}: {fault}" for fault in draft.faults]
    found.faults += [f"kafka.properties: {fault}" for fault in refused(settings.kafka)]
    _check_cameras(found, settings)
    _check_rules(found, settings)
    _check_mail(found, draft)
    (found.warnings if elsewhere else found.faults).extend(_missing(settings))
    return found


def _draft(found: Checked, path: Path | None, environment: Mapping[str, str]) -> Draft:
    """The settings as far as they are sound; those of the environment alone where the file cannot be read."""
    try:
        return draft_of(read_toml(path) if path else {}, environment, str(path or ENVIRONMENT))
    except ConfigurationError as error:
        found.faults += error.lines
        return draft_of({}, environment, ENVIRONMENT)


def _check_cameras(found: Checked, settings: Settings) -> None:
    from producers.cameras import load_cameras, named_in

    path = settings.cameras_file
    if not path.exists():
        return
    found.cameras = found.read(lambda: (camera.id for camera in load_cameras(path)))
    try:
        known = named_in(path)
    except ConfigurationError:  # as is told already
        return
    for wish in settings.mail.subscriptions:
        found.faults += [f"mail.subscriptions: {fault}" for fault in _unknown(wish, known)]


def _unknown(wish: Subscription, cameras: tuple[str, ...]) -> list[str]:
    from monitor.subscriptions import unknown_cameras

    return unknown_cameras(wish.to or wish.channel or "", wish.cameras, cameras)


def _check_rules(found: Checked, settings: Settings) -> None:
    from monitor.policies import rules_of

    if settings.monitor.rules_file is None or settings.monitor.rules_file.exists():
        found.rules = found.read(lambda: (rule.name for rule in rules_of(settings.monitor)))


def _check_mail(found: Checked, draft: Draft) -> None:
    from monitor.channels import open_channels
    from monitor.policies import subscribers_of

    mail = draft.settings.mail
    here = [channel for channel in mail.channels if not _unreadable(channel.url_file)]
    found.read(lambda: open_channels(mail.model_copy(update={"channels": tuple(here)})))
    if not any(fault.startswith("mail.channels") for fault in draft.faults):  # channels that are faulty are left out
        found.read(lambda: (subscriber.address for subscriber in subscribers_of(mail)))


def _missing(settings: Settings) -> Iterator[str]:
    """What the settings name and is not on this machine."""
    yield from (f"kafka.properties: {fault}" for fault in missing_files(settings.kafka))
    yield from _missing_secrets(settings)
    for name, options in (("models", settings.models.options), ("archive", settings.archive.options)):
        yield from (f"{name}.options.{key}: {fault}" for key, text in options.items() for fault in _unread(text))
    yield from _missing_bundle(settings)
    yield from _missing_files(settings)


def _missing_secrets(settings: Settings) -> Iterator[str]:
    registry = settings.kafka.schema_registry
    files = {
        "kafka.schema_registry.password_file": registry.password_file if registry else None,
        "mail.password_file": settings.mail.password_file,
        "mail.ca_file": settings.mail.ca_file,
        **{f"mail.channels: channel {channel.name!r}": channel.url_file for channel in settings.mail.channels},
    }
    yield from (f"{name}: {fault}" for name, path in files.items() for fault in _unreadable(path))


def _missing_bundle(settings: Settings) -> Iterator[str]:
    from models.bundle import read_manifest

    try:
        if settings.processor.bundle is not None:
            read_manifest(settings.processor.bundle)
    except ModelError as error:
        yield f"processor.bundle: {error}"


def _missing_files(settings: Settings) -> Iterator[str]:
    from producers.cameras import missing_sources

    rules, cameras = settings.monitor.rules_file, settings.cameras_file
    if rules is not None and not rules.exists():
        yield f"monitor.rules_file: {rules} is not there"
    if cameras.exists():
        yield from _named(cameras, missing_sources)
    elif "cameras_file" in settings.model_fields_set:
        yield f"cameras_file: {cameras} is not there"


def _named(path: Path, read: Callable[[Path], Iterable[str]]) -> Iterator[str]:
    try:
        yield from (f"{path}: {fault}" for fault in read(path))
    except ConfigurationError:  # as is told already
        return


def _unreadable(path: Path | None) -> list[str]:
    return [] if path is None else _unread_by(lambda: read_secret(path))


def _unread(text: str) -> list[str]:
    return _unread_by(lambda: value_of(text))


def _unread_by(read: Callable[[], str]) -> list[str]:
    try:
        read()
    except ConfigurationError as error:
        return error.lines
    return []
