"""Recordings from recordings: cut and merged."""

from collections.abc import Callable, Mapping

COMMANDS: Mapping[str, Callable[..., None]] = {}
