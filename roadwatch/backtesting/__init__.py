"""Backtests: what predictions, reports and alerts would have been, from a recording, with other models and rules."""
