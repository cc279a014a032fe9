"""Training, offline: a pretrained network, its last blocks tuned, a head, a bundle."""
