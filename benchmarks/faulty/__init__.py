"""Faults put into simulated cameras' streams, and what the monitor makes of them.

weather ─┐
faults ──┴─► filming ─► shelf ─► streams ─► changes ─► judging ─► table
             pictures, gate,     days,      faults of
             model: dear         kept       the records
"""
