"""Predictions, labels and telemetry to reports, alerts and mails."""
