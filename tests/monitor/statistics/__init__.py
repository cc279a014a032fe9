"""Tests of the statistics behind reports and alarms."""
