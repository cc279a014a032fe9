"""What is wrong with a document, in a line."""

from typing import Final

from pydantic import ValidationError

MOST: Final = 5
"Faults that are named."


def in_words(error: ValidationError) -> str:
    """Return where and what the first faults are."""
    faults = [f"{'.'.join(map(str, fault['loc']))}: {fault['msg']}" for fault in error.errors()[:MOST]]
    return "; ".join(fault.removeprefix(": ") for fault in faults)
