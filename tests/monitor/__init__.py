"""The monitor's tests."""
