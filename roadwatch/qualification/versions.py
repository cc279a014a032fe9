"""Which model is meant: a folder, the bundle that ships, or a version of the registry by name, beginning or alias."""

from pathlib import Path

from models.bundle import BUNDLED, SHIPPED, Bundle, load_bundle, save_bundle
from models.registry.history import State, resolve
from models.registry.store import Registry
from schemas.errors import ConfigurationError, ModelError

NOBODY = "none"

Found = tuple[Bundle, Path]
"A bundle, and the folder where processors find it."


def find(name: str, registry: Registry, scratch: Path) -> Found:
    """Return the bundle that a name means; a registered one is laid into `scratch`.

    Raises ModelError where there is none, or where it is damaged.
    """
    folder = SHIPPED.get(name) or Path(name)
    if folder.is_dir():
        return load_bundle(folder), folder.absolute()
    return _registered(resolve(registry.state(), name), registry, scratch)


def require_the_registered(bundle: Bundle, registry: Registry) -> None:
    """Raise ModelError where a bundle is not the one that is registered under its version.

    Its verdict would be recorded for the other.
    """
    if bundle.version in registry.state().versions and registry.load(bundle.version) != bundle:
        raise ModelError(
            f"the bundle given says that it is {bundle.version}, and is not what is registered under that version;"
            f" 'roadwatch models qualify {bundle.version}' tests the registered one"
        )


def find_champion(name: str | None, candidate: Bundle, registry: Registry, scratch: Path) -> Found | None:
    """Return what a candidate is compared with: what `name` says, the registry's champion, or the bundle that ships.

    None where that is the candidate itself, where `name` is `none`, or where the bundle that ships has other labels.
    """
    if name == NOBODY:
        return None
    found = find(name, registry, scratch) if name else _champion(registry.state(), candidate, registry, scratch)
    if found is None or found[0].version != candidate.version:
        return found
    if name:
        raise ConfigurationError("--against", [f"{name!r} is {candidate.version}, the candidate itself"])
    return None


def _champion(state: State, candidate: Bundle, registry: Registry, scratch: Path) -> Found | None:
    if (holder := state.holders.get("champion")) is not None:
        return _registered(holder.version, registry, scratch)
    shipped = load_bundle(BUNDLED)
    return (shipped, BUNDLED) if set(shipped.labels) == set(candidate.labels) else None


def _registered(version: str, registry: Registry, scratch: Path) -> Found:
    bundle, folder = registry.load(version), scratch / version
    if not folder.exists():
        save_bundle(bundle, folder)
    return bundle, folder
