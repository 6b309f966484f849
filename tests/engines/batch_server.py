"""A server on loopback with files and batches, as far as OpenAI's client needs them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.engines.servers import completion

Reply = Callable[[dict[str, Any]], "str | int | None"]
"""Text of an answer, status of a failure, or None for no line at all."""


class BatchServer:
    """Runs every batch at once when it is asked for its status.

    Attributes:
        url: Base URL.
        files: Content of each file by its id.
        batches: Input file of each batch by its id.
        status: Status that batches have.
    """

    def __init__(self, reply: Reply) -> None:
        self.files: dict[str, str] = {}
        self.batches: dict[str, str] = {}
        self.status = "completed"
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.path == "/v1/files":
                    boundary = (
                        b"--" + self.headers["Content-Type"].partition("boundary=")[2].encode()
                    )
                    part = next(p for p in body.split(boundary) if b"filename=" in p)
                    content = part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
                    identifier = outer.add(content.decode())
                    self._send(
                        {
                            "id": identifier,
                            "object": "file",
                            "bytes": len(content),
                            "created_at": 0,
                            "filename": "x",
                            "purpose": "batch",
                            "status": "processed",
                        }
                    )
                else:
                    identifier = f"batch-{len(outer.batches) + 1}"
                    outer.batches[identifier] = json.loads(body)["input_file_id"]
                    self._send(outer.batch(identifier, "validating"))

            def do_GET(self) -> None:
                parts = self.path.removeprefix("/v1/").split("/")
                if parts[0] == "files":
                    self._send(outer.files[parts[1]])
                elif parts[0] == "batches":
                    self._send(outer.batch(parts[1], outer.status, reply))
                else:
                    self._send({"object": "list", "data": []})

            def _send(self, value: object) -> None:
                content = (value if isinstance(value, str) else json.dumps(value)).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        # The interval in seconds is how long `close` waits.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def add(self, content: str) -> str:
        """Add a file. Return its id."""
        identifier = f"file-{len(self.files) + 1}"
        self.files[identifier] = content
        return identifier

    def requests(self, batch: str) -> list[dict[str, Any]]:
        """Return the requests of a batch."""
        return [json.loads(line) for line in self.files[self.batches[batch]].splitlines()]

    def batch(self, identifier: str, status: str, reply: Reply | None = None) -> dict[str, Any]:
        """Return a batch, run if it is completed."""
        found: dict[str, Any] = {
            "id": identifier,
            "object": "batch",
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
            "created_at": 0,
            "input_file_id": self.batches[identifier],
            "status": status,
        }
        if reply is not None and status == "completed":
            right, wrong = [], []
            for request in self.requests(identifier):
                answer = reply(request)
                line: dict[str, Any] = {"id": "x", "custom_id": request["custom_id"], "error": None}
                if isinstance(answer, str):
                    line["response"] = {"status_code": 200, "body": completion(answer)}
                    right.append(json.dumps(line))
                elif answer is not None:
                    line["response"] = {"status_code": answer, "body": {}}
                    wrong.append(json.dumps(line))
            found["output_file_id"] = self.add("\n".join(right))
            found["error_file_id"] = self.add("\n".join(wrong))
            total = len(self.requests(identifier))
            found["request_counts"] = {
                "total": total,
                "completed": len(right),
                "failed": len(wrong),
            }
        return found

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def batches(reply: Reply) -> Iterator[BatchServer]:
    """Run a server whose batches have these answers."""
    server = BatchServer(reply)
    try:
        yield server
    finally:
        server.close()
