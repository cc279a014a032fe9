"""`roadwatch models import`, `export` and `retrain`: models from and to elsewhere, and a new head on new labels."""

from collections.abc import Callable

COMMANDS: dict[str, Callable[..., None]] = {}
