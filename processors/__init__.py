"""Frames to predictions: decode, classify, and the loop around it."""
