"""A Schema Registry on this machine, with nothing installed but Python: Apicurio, which speaks Confluent's API.

```
with LocalRegistry() as registry:
    registry.url        for schema.registry.url
```
"""

import http.client
import os
import shutil
import tarfile
import tempfile
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Self

import structlog

from runtime.broker_folder import HOST, choose_ports
from runtime.jars import Progress, cache_folder, fetch, pinned
from runtime.java import find_java
from runtime.jvm import FRUGAL, JavaProcess

log = structlog.get_logger(__name__)

APICURIO_JAVA = 21


class LocalRegistry:
    """A registry that lives as long as this object is started; its schemas are in memory and end with it."""

    def __init__(
        self,
        *,
        environment: Mapping[str, str] | None = None,
        port: int | None = None,
        heap_mb: int = 400,
        start_timeout_s: float = 120,
    ) -> None:
        """Say how; nothing is started yet.

        `environment` says where Java and the cache are; None is this process's.
        """
        self._environment = os.environ if environment is None else environment
        self._wanted_port = port
        self._heap_mb = heap_mb
        self._start_timeout_s = start_timeout_s
        self._port: int | None = None
        self._folder: Path | None = None
        self._jvm: JavaProcess | None = None

    @property
    def url(self) -> str:
        """The address of its Confluent API; raises RuntimeError before start()."""
        if self._port is None:
            raise RuntimeError("the registry has no address before it is started")
        return f"http://{HOST}:{self._port}/apis/ccompat/v7"

    def start(self, progress: Progress | None = None) -> None:
        """Fetch what is missing, start the registry and return when it answers.

        `progress` is told the bytes of a download. Raises LocalStackError when Java, the files or the port are not to
        be had or the registry does not come up.
        """
        if self._jvm is not None:
            raise RuntimeError("the registry is started already")
        java = [str(find_java(APICURIO_JAVA, self._environment)), f"-Xmx{self._heap_mb}m", *FRUGAL]
        application = unpacked(self._environment, progress)
        self._port, _ = choose_ports(self._wanted_port, None)
        self._folder = Path(tempfile.mkdtemp(prefix="roadwatch-registry-"))
        try:
            self._launch([*java, "-jar", str(application / "quarkus-run.jar")], self._folder)
        except BaseException:
            self.stop()
            raise

    def stop(self, grace_s: float = 10) -> None:
        """End the registry, by force after `grace_s` seconds; harmless when stopped."""
        if self._jvm is not None:
            self._jvm.stop(grace_s)
            log.info("registry stopped", url=self.url)
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        self._jvm = self._folder = self._port = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _launch(self, command: list[str], folder: Path) -> None:
        environment = {**self._environment, "QUARKUS_HTTP_HOST": HOST, "QUARKUS_HTTP_PORT": str(self._port)}
        self._jvm = JavaProcess(command, folder, environment)
        logs = [folder / "console.log"]
        self._jvm.wait_until(lambda: _answers(self.url), "the local registry", self._start_timeout_s, logs)
        log.info("registry started", url=self.url, pid=self._jvm.pid)


def unpacked(environment: Mapping[str, str], progress: Progress | None = None) -> Path:
    """Give the folder of the unpacked application in the cache, fetching and unpacking it the first time."""
    artifact = pinned("apicurio")[0]
    folder = cache_folder(environment) / f"{artifact.name}-{artifact.version}"
    if not folder.is_dir():
        archive = fetch([artifact], environment, progress)[0]
        _unpack(archive, folder)
        archive.unlink(missing_ok=True)
    return folder


def _unpack(archive: Path, folder: Path) -> None:
    """Unpack beside `folder` and rename: it is there only once it is complete, and whoever is first keeps it."""
    part = Path(tempfile.mkdtemp(prefix=f"{folder.name}.", dir=folder.parent))
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(part, filter="data")
        part.rename(folder)
    except OSError:
        if not folder.is_dir():
            raise
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/subjects", timeout=2) as reply:  # noqa: S310 - our own address
            return bool(reply.status == 200)
    except (OSError, http.client.HTTPException):
        return False
