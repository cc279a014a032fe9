"""W3C Trace Context: the header that ties together what happens to a frame in each service."""

import secrets

TRACEPARENT = "traceparent"
"The header's name; its value is ASCII."


def new_traceparent() -> str:
    """Begin a trace that is sampled: `00-<32 hex>-<16 hex>-01`, https://www.w3.org/TR/trace-context/."""
    return f"00-{_identifier(16)}-{_identifier(8)}-01"


def _identifier(size: int) -> str:
    """Random bytes in hex; all zeros mean "no trace" and are never drawn."""
    return f"{1 + secrets.randbelow(2 ** (8 * size) - 1):0{2 * size}x}"
