"""The monitor in a process of its own, to be killed: its settings come from the environment."""

import os

from monitor.run import run_monitor
from runtime.service import configure_logs, stopping
from runtime.settings import load_settings


def main() -> None:
    """Monitor until told to stop."""
    settings = load_settings(None, os.environ)
    configure_logs(settings.service)
    with stopping() as stop:
        run_monitor(settings, stop)


if __name__ == "__main__":
    main()
