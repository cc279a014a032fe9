"""Retraining, put together: from labels in the ledger to a challenger in shadow."""
