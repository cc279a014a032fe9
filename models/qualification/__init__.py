"""Application testing: what was measured of a candidate, and whether that is good enough. Pure."""
