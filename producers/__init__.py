"""Cameras: sources of pictures, the gate that chooses what to push, and what goes to Kafka."""
