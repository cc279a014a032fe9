"""A service behind a webhook, for channels: it keeps what it is told, and answers as it is bid."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(slots=True)
class Service:
    """What it was told, and how it answers."""

    status: int = 200
    "The answer's status."
    silent: threading.Event | None = None
    "Where there is one, nothing is answered before it is set."
    told: list[dict[str, Any]] = field(default_factory=list)
    "Bodies that were taken, in order."
    tries: int = 0
    "Requests."


@contextmanager
def webhook(service: Service) -> Iterator[int]:
    """Serve on a free port of 127.0.0.1, which is given."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:  # the standard library's name
            service.tries += 1
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if service.silent:
                service.silent.wait(30)
            if service.status == 200:
                service.told.append(body)
            self.send_response(service.status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,))
        thread.start()
        try:
            yield server.server_port
        finally:
            server.shutdown()
            thread.join()
