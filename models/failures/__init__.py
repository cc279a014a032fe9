"""Failures of a day in groups: what they have in common, what each costs, and what would help."""
