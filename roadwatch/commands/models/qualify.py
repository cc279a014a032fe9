"""`roadwatch models qualify`: a candidate tested as an application, and two versions side by side."""

from collections.abc import Callable

COMMANDS: dict[str, Callable[..., None]] = {}
