"""What a recording holds, and whether it is sound."""

from collections.abc import Callable, Mapping

COMMANDS: Mapping[str, Callable[..., None]] = {}
