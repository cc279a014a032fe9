"""The archive: pictures that are kept past their topic's retention, and the ledger of what was asked and labelled."""
