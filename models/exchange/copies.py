"""A bundle's files as they lie in a folder: read byte for byte, and only where they are whole."""

from pathlib import Path

from models.bundle import LIMITS, MANIFEST, load_bundle, read_manifest
from models.exchange.mlflow import inside
from schemas.errors import ModelError


def read_files(folder: Path) -> dict[str, bytes]:
    """Return a bundle's files by name, the manifest last; raises ModelError where one is missing, changed or a link.

    What else lies in the folder, such as MLflow's files, stays behind.
    """
    for name in LIMITS:
        inside(folder, name)
    load_bundle(folder)
    named = {*read_manifest(folder).files, MANIFEST}
    return {name: _limited(folder / name) for name in sorted(LIMITS, key=_manifest_last) if name in named}


def _manifest_last(name: str) -> bool:
    return name == MANIFEST


def _limited(path: Path) -> bytes:
    with path.open("rb") as file:
        content = file.read(LIMITS[path.name] + 1)
    if len(content) > LIMITS[path.name]:
        raise ModelError(f"{path}: grew to more than the {LIMITS[path.name]} bytes that are allowed")
    return content
