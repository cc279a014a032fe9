"""The story of a model that fails on a new road and learns it: the whole loop on simulated cameras, day by day."""
