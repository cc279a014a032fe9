"""The statistics behind reports and alarms: intervals, evidence over days, discoveries among slices. Pure."""
