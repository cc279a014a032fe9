"""The command line and the local stack: where the parts are put together."""
