"""Benchmarks: ratios of two ways to do the same thing, measured in turn in one run."""
