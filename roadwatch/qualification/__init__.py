"""Application testing, driven: a candidate on a real broker, in a real processor, on held-out pictures."""
