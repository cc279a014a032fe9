"""Frames to predictions."""
