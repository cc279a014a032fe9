"""`roadwatch models compare` and `explain`: champion against challenger, and what decided in a picture."""

from collections.abc import Callable

COMMANDS: dict[str, Callable[..., None]] = {}
