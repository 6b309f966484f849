"""A real service in its own process, and a client for it."""

from __future__ import annotations

import http.client
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).parent.parent.parent


class Reply:
    """A response.

    Attributes:
        status: HTTP status code.
        headers: Headers by their names in lower case.
        body: Bytes of the body.
    """

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self.body = response.read()

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def detail(self) -> str:
        return str(self.json["detail"])

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.body.splitlines()]


class Served:
    """A running service.

    Attributes:
        process: Process of the server.
        port: Port on 127.0.0.1.
    """

    def __init__(self, command: list[str], environment: dict[str, str]) -> None:
        self._log = tempfile.TemporaryFile("w+b")  # noqa: SIM115 - closed at the end
        self.process = subprocess.Popen(
            [sys.executable, *command],
            stdout=self._log,
            stderr=self._log,
            cwd=ROOT,
            env={**os.environ, **environment},
        )
        self.wait_for(lambda: b"http://" in self.log or self.process.poll() is not None)
        found = re.search(rb"http://[\d.]+:(\d+)", self.log)
        assert found, self.log.decode()
        self.port = int(found[1])

    @property
    def log(self) -> bytes:
        """Everything that the service has written to standard output and standard error."""
        return os.pread(self._log.fileno(), 2**24, 0)

    def ask(
        self, method: str, path: str, body: bytes | Iterable[bytes] | None = None, **headers: str
    ) -> Reply:
        """Send a request. Names of headers have underscores instead of hyphens."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        fields = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, fields)
            return Reply(connection.getresponse())
        finally:
            connection.close()

    def code(self, notes: Any, **headers: str) -> Reply:
        """Post notes as JSON."""
        headers = {"content_type": "application/json", **headers}
        return self.ask("POST", "/code", json.dumps(notes).encode(), **headers)

    def open(self, notes: Any, cut: int = 0, accept: str = "*/*") -> socket.socket:
        """Send a request without its last bytes, and do not read the response."""
        body = json.dumps(notes).encode()
        head = (
            "POST /code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Accept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=30)
        connection.sendall((head.encode() + body)[: -cut or None])
        return connection

    def metric(self, name: str) -> float:
        """Return a metric. Its name includes its labels."""
        found = re.search(
            rf"^{re.escape(name)} (\S+)$", self.ask("GET", "/metrics").body.decode(), re.M
        )
        return float(found[1]) if found else 0.0

    @property
    def workers(self) -> list[psutil.Process]:
        """The worker processes."""
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "spawn_main" in " ".join(child.cmdline())]

    def wait_for(self, condition: Callable[[], bool], seconds: float = 180) -> None:
        """Wait until a condition is true."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, self.log.decode()
            time.sleep(0.02)

    def wait_until_idle(self) -> None:
        """Wait until no note waits or is coded."""
        self.wait_for(
            lambda: (
                self.metric("cclearn_waiting_notes") + self.metric("cclearn_notes_in_progress") == 0
            )
        )

    def stop(self) -> None:
        """Stop the service, and check its exit code and that its workers have ended."""
        workers = self.workers if self.process.poll() is None else []
        self.process.terminate()
        assert self.process.wait(30) == 0, self.log.decode()
        assert not [worker for worker in workers if worker.is_running()]

    def close(self) -> None:
        """Kill the service."""
        self.process.kill()
        self.process.wait()
        self._log.close()


@contextmanager
def serving(*options: str, **environment: str) -> Iterator[Served]:
    """Run `cclearn serve` on a free port."""
    with closing(
        Served(["-m", "cclearn", "serve", "--port", "0", *options], environment)
    ) as served:
        yield served
        served.stop()


@contextmanager
def scripted(**settings: Any) -> Iterator[Served]:
    """Run a service whose coder follows instructions in the notes."""
    with closing(scripted_service(**settings)) as served:
        yield served
        served.stop()


def scripted_service(**settings: Any) -> Served:
    """Return a service whose coder follows instructions in the notes. The caller closes it."""
    environment = {"SCRIPTED_BROKEN": str(settings.pop("broken", "/nowhere"))}
    return Served(["-m", "tests.service.scripted", json.dumps(settings)], environment)
