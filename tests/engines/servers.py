"""A server on loopback that speaks OpenAI's protocol and does what a test tells it to."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from cclearn.engines import Request
from cclearn.engines.openai import OpenAIEngine
from cclearn.prompts import document_prompt

Reply = dict[str, Any] | int | str | tuple[int, dict[str, str]]
"""A completion's fields; a status; a raw body; a status with headers."""


def completion(
    text: str | None, finish: str = "stop", refusal: str | None = None, **fields: Any
) -> dict[str, Any]:
    """Return a chat completion."""
    message = {"role": "assistant", "content": text, "refusal": refusal}
    return {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "tiny",
        "choices": [{"index": 0, "message": message, "finish_reason": finish, **fields}],
        "usage": {"prompt_tokens": 10, "completion_tokens": 4, "total_tokens": 14},
    }


class Server:
    """What the server was asked, and how it answers.

    Attributes:
        asked: The bodies of the requests, in order of arrival.
        keys: Their authorization headers.
        most: The most requests that were in flight at once.
        models: What it lists at `/models`; None where it has no such list.
    """

    def __init__(
        self, reply: Callable[[dict[str, Any], int], Reply], seconds: float = 0, port: int = 0
    ) -> None:
        self.asked: list[dict[str, Any]] = []
        self.keys: list[str] = []
        self.most = 0
        self.models: list[dict[str, Any]] | None = None
        self._now = 0
        self._lock = threading.Lock()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with outer._lock:
                    outer.asked.append(body)
                    outer.keys.append(self.headers.get("Authorization", ""))
                    number = len(outer.asked)
                    outer._now += 1
                    outer.most = max(outer.most, outer._now)
                time.sleep(seconds)
                answer = reply(body, number)
                with outer._lock:
                    outer._now -= 1
                with suppress(BrokenPipeError, ConnectionResetError):
                    self._send(answer)

            def do_GET(self) -> None:
                listed = {"object": "list", "data": outer.models}
                self._send(404 if outer.models is None else listed)

            def _send(self, answer: Reply) -> None:
                if answer == "cut":
                    self.send_response(200)
                    self.send_header("Content-Length", "1000")
                    self.end_headers()
                    self.wfile.write(b'{"choices": [')
                    self.close_connection = True
                    return
                if answer == "stall":
                    time.sleep(3)
                    self.close_connection = True
                    return
                status, headers, body = 200, {}, b""
                if isinstance(answer, tuple):
                    status, headers = answer
                    body = b'{"error": {"message": "no", "code": "busy"}}'
                elif isinstance(answer, int):
                    status, body = answer, b'{"error": {"message": "no", "code": "no"}}'
                else:
                    body = (answer if isinstance(answer, str) else json.dumps(answer)).encode()
                self.send_response(status)
                for name, value in {"Content-Type": "application/json", **headers}.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                """Say nothing."""

        self._server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"
        # The interval in seconds is how long `close` waits.
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.01,), daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def serving(
    reply: Callable[[dict[str, Any], int], Reply] | Reply, seconds: float = 0, port: int = 0
) -> Iterator[Server]:
    """Run a server that answers so; a callable is given the request's body and number."""
    answer = reply if callable(reply) else (lambda body, number: reply)
    server = Server(answer, seconds, port)
    try:
        yield server
    finally:
        server.close()


GOOD = completion("- heart failure => I50.9")


def requests(count: int, **fields: Any) -> list[Request]:
    """Return requests with the numbers from 0 as ids."""
    return [Request(str(n), document_prompt(f"note {n}"), **fields) for n in range(count)]


def engine(url: str, **settings: Any) -> OpenAIEngine:
    """Return an engine that gives up soon."""
    return OpenAIEngine("owner/tiny", base_url=url, **{"retries": 2, "timeout": 5.0, **settings})
