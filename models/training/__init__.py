"""Training, offline: a frozen pretrained backbone, features, a logistic head, a bundle."""
