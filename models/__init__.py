"""A model's life: what a bundle is, how one is trained, and how well it does."""
