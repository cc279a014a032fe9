"""Rules about a day."""
