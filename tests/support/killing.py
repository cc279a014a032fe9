"""`roadwatch`, killed where it first comes to a certain function: `python killing.py MODULE.NAME ARGUMENTS`."""

import os
import signal
import sys
from unittest.mock import patch


def die(*_: object, **__: object) -> None:
    """End at once, as the machine's power does."""
    os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    """Run the command that stands behind the function's name."""
    from roadwatch.cli import main as roadwatch

    where, *arguments = sys.argv[1:]
    sys.argv = ["roadwatch", *arguments]
    with patch(where, die):
        roadwatch()


if __name__ == "__main__":
    main()
