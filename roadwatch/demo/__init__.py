"""The demo: the whole system on simulated cameras, or on a clip, watched as it runs."""
