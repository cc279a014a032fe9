"""`roadwatch models list`, `show`, `register`, `promote`, `rollback`, `withdraw`, `history` and `diff`."""

from collections.abc import Callable

COMMANDS: dict[str, Callable[..., None]] = {}
