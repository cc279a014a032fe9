"""A model's life."""
