"""Streams into a recording."""

from collections.abc import Callable, Mapping

COMMANDS: Mapping[str, Callable[..., None]] = {}
