"""Make the recording anew: cameras.toml filmed, classified and recorded on a real Kafka. Takes about two minutes.

python make_recording.py recording
"""

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from runtime.broker import LocalBroker

HERE = Path(__file__).parent
SETTINGS = """\
cameras_file = {cameras}

[kafka]
bootstrap_servers = "{servers}"
topic_prefix = "road"
"""


def main(recording: Path) -> None:
    """Film, classify, record."""
    with tempfile.TemporaryDirectory() as folder, LocalBroker(None) as broker:
        settings = Path(folder) / "roadwatch.toml"
        cameras = json.dumps(str(HERE / "cameras.toml"))
        settings.write_text(SETTINGS.format(cameras=cameras, servers=broker.bootstrap_servers), encoding="utf-8")
        roadwatch = [sys.executable, "-m", "roadwatch", "--settings", str(settings)]
        subprocess.run([*roadwatch, "topics", "create"], check=True)
        processor = subprocess.Popen([*roadwatch, "process", "--instance", "1"])
        try:
            subprocess.run([*roadwatch, "camera"], check=True)
            while frames_that_wait(roadwatch):
                time.sleep(1)
        finally:
            processor.terminate()
            processor.wait()
        topics = [word for topic in ("observations", "labels", "telemetry") for word in ("--topic", topic)]
        subprocess.run([*roadwatch, "record", str(recording), *topics], check=True)


def frames_that_wait(roadwatch: list[str]) -> int:
    """How many frames are still to be classified."""
    ledger = subprocess.run([*roadwatch, "ledger", "--json"], check=True, stdout=subprocess.PIPE)
    return int(json.loads(ledger.stdout)["waiting"])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
