"""Restricted text stays on this machine: servers of other hosts listen here, and receive nothing."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx2
import pytest

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.engines import Request
from cclearn.engines.openai import OpenAIEngine
from cclearn.engines.settings import EngineSettings
from cclearn.engines.transport import ThisMachineOnly, http_client
from cclearn.errors import CclearnError, ConfigurationError, RestrictedTextError
from cclearn.notes import Note, Origin
from cclearn.prompts import document_prompt
from cclearn.runtime.loopback import AnotherMachineError, is_loopback, loopback_addresses
from tests.engines.servers import completion, serving

GOOD = completion("none")
CANARY = "Zyxwvut"
OTHER = "127.0.0.77"
"""Listens on this machine and stands for another one."""

PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy")


class Listener:
    """Accepts connections on an address and records every byte; answers as a server if it is told to.

    Attributes:
        connections: The number of connections.
        received: All bytes of all of them.
    """

    def __init__(self, address: str) -> None:
        self.connections = 0
        self.received = b""
        self._socket = socket.create_server((address, 0))
        self.port = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._listen, daemon=True)
        self._thread.start()

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._socket.accept()
            except OSError:
                return
            with connection:
                self.connections += 1
                connection.settimeout(0.5)
                try:
                    while piece := connection.recv(2**16):
                        self.received += piece
                        connection.settimeout(0.05)
                except TimeoutError:
                    pass
                connection.sendall(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")

    def close(self) -> None:
        # Wakes the thread that accepts, which `close` alone does not.
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()
        self._thread.join()


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*PROXIES, "NO_PROXY", "no_proxy", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setattr("openai._base_client.INITIAL_RETRY_DELAY", 0.01)
    monkeypatch.setattr("openai._base_client.MAX_RETRY_DELAY", 0.05)
    monkeypatch.setattr(
        "cclearn.runtime.loopback.is_loopback", lambda host: host != OTHER and is_loopback(host)
    )


@pytest.fixture
def other() -> Iterator[Listener]:
    with closing(Listener(OTHER)) as listener:
        yield listener


@pytest.fixture
def resolve(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Set the addresses that a name resolves to; several lists are the answers of successive calls."""
    real = socket.getaddrinfo

    def set_answers(name: str, *answers: list[str]) -> None:
        rest = list(answers)

        def resolver(host: Any, port: Any, *args: Any, **kwargs: Any) -> Any:
            if host != name:
                return real(host, port, *args, **kwargs)
            addresses = rest.pop(0) if len(rest) > 1 else rest[0]
            return [
                found for address in addresses for found in real(address, port, *args, **kwargs)
            ]

        monkeypatch.setattr("socket.getaddrinfo", resolver)

    return set_answers


def request(origin: Origin = "restricted") -> Request:
    return Request("n", document_prompt(f"{CANARY} with sepsis"), origin=origin)


def ask(url: str, origin: Origin = "restricted", **settings: Any) -> str | None:
    """Ask a server about one note, and return the answer's problem."""
    engine = OpenAIEngine("m", base_url=url, **{"retries": 1, "timeout": 5.0, **settings})
    (answer,) = engine.generate([request(origin)])
    return answer.problem


@pytest.mark.parametrize("name", PROXIES)
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_no_proxy_receives_what_is_sent_to_this_machine(
    monkeypatch: pytest.MonkeyPatch, other: Listener, name: str, host: str
) -> None:
    monkeypatch.setenv(name, f"http://{OTHER}:{other.port}")
    monkeypatch.setenv("NO_PROXY", "example.org")
    with serving(GOOD) as server:
        url = server.url.replace("127.0.0.1", host)
        for origin in ("restricted", "public"):
            assert ask(url, origin) is None
        assert ask(url, send_restricted=True, may_send_restricted=True) is None
        assert len(server.asked) == 3
    assert (other.connections, other.received) == (0, b"")


def test_no_proxy_receives_a_note_by_way_of_a_coder(
    monkeypatch: pytest.MonkeyPatch, other: Listener, system: CodeSystem
) -> None:
    for name in PROXIES:
        monkeypatch.setenv(name, f"http://{OTHER}:{other.port}")
    with serving(completion("- sepsis => A41.9")) as server:
        settings = EngineSettings(base_url=server.url, cache=Path("off"))
        coder = Coder.load("openai:tiny", system, engine=settings)
        assert [code.code for code in coder.code(Note(id="n", text="sepsis")).codes] == ["A41.9"]
    assert (other.connections, other.received) == (0, b"")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_counts_as_another_machine_even_on_loopback(
    monkeypatch: pytest.MonkeyPatch, scheme: str, resolve: Callable[..., None]
) -> None:
    resolve("server.example", ["192.0.2.1"])
    with closing(Listener("127.0.0.1")) as proxy:
        for name in PROXIES:
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        with pytest.raises(RestrictedTextError, match=r"server\.example is another machine"):
            ask(f"{scheme}://server.example/v1")
        assert (proxy.connections, proxy.received) == (0, b"")
        # Allowed twice, it is sent through the environment's proxy.
        ask(f"{scheme}://server.example/v1", send_restricted=True, may_send_restricted=True)
        assert b"server.example" in proxy.received
        assert (CANARY.encode() in proxy.received) == (scheme == "http")


def test_an_unusable_proxy_is_told_in_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://user:secret@127.0.0.1:1")
    with pytest.raises(ConfigurationError, match=r"proxy \(environment\)") as error:
        OpenAIEngine("m", base_url="https://server.example/v1")
    assert "secret" not in str(error.value)
    OpenAIEngine("m", base_url="http://127.0.0.1/v1")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize("origin", ["restricted", "public"])
def test_no_redirect_is_followed(other: Listener, status: int, origin: Origin) -> None:
    location = f"http://{OTHER}:{other.port}/v1/chat/completions?{CANARY}"
    with serving((status, {"Location": location})) as server:
        with pytest.raises(CclearnError, match=f"answers {status}. Redirects are not") as error:
            ask(server.url, origin)
        assert len(server.asked) == 1
    assert "\n" not in str(error.value)
    assert CANARY not in str(error.value)
    assert (other.connections, other.received) == (0, b"")


@pytest.mark.parametrize("name", ["localhost", "model.hospital.example"])
def test_a_name_that_resolves_elsewhere_is_another_machine(
    other: Listener, resolve: Callable[..., None], name: str
) -> None:
    resolve(name, [OTHER])
    url = f"http://{name}:{other.port}/v1"
    with pytest.raises(RestrictedTextError, match=f"{name} is another machine"):
        ask(url)
    assert (other.connections, other.received) == (0, b"")
    ask(url, "public")  # The listener does listen.
    assert CANARY.encode() in other.received


def test_a_name_that_changes_its_address_takes_no_note_along(
    other: Listener, resolve: Callable[..., None]
) -> None:
    # A rebinding name: this machine when it is checked, another one when it is connected to.
    for answers in (
        [["127.0.0.1"], [OTHER]],
        [["127.0.0.1"], ["127.0.0.1"], [OTHER]],
        [[OTHER, "127.0.0.1"], ["127.0.0.1"], [OTHER]],
    ):
        resolve("rebinding.example", *answers)
        url = f"http://rebinding.example:{other.port}/v1"
        # Nothing listens on this port of 127.0.0.1.
        with suppress(RestrictedTextError):
            assert ask(url) == "connection"
        assert (other.connections, other.received) == (0, b"")


def test_a_name_of_this_machine_is_this_machine(
    monkeypatch: pytest.MonkeyPatch, other: Listener, resolve: Callable[..., None]
) -> None:
    # Nothing listens on `::1`; the next address of the name is tried.
    resolve("gpu.example", [OTHER, "::1", "127.0.0.1"])
    monkeypatch.setenv("ALL_PROXY", f"http://{OTHER}:{other.port}")
    with serving(GOOD) as server:
        assert ask(server.url.replace("127.0.0.1", "gpu.example")) is None
        assert len(server.asked) == 1
    assert (other.connections, other.received) == (0, b"")


def test_a_name_that_cannot_be_resolved_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise socket.gaierror(-2, "unknown")

    monkeypatch.setattr("socket.getaddrinfo", fail)
    with pytest.raises(RestrictedTextError):
        ask("http://nowhere.example/v1")


def test_addresses_are_told_apart() -> None:
    for host in ("127.0.0.1", "127.8.9.10", "::1", "::ffff:127.0.0.1", "localhost"):
        assert is_loopback(host), host
    for host in ("0.0.0.0", "::", "192.0.2.1", "::ffff:192.0.2.1", "localhost.example", ""):  # noqa: S104
        assert not is_loopback(host), host
    assert loopback_addresses("127.0.0.1") == ["127.0.0.1"]
    assert loopback_addresses("192.0.2.1") == []
    assert loopback_addresses("a" * 70) == []


def test_a_confined_client_refuses_every_spelling_of_another_address() -> None:
    with http_client(
        "http://127.0.0.1", this_machine_only=True, timeout=1, connections=1
    ) as client:
        for url in ("http://192.0.2.1/", r"http://127.0.0.1\@192.0.2.1/", "http://3221225985/"):
            with pytest.raises((AnotherMachineError, httpx2.InvalidURL)):
                client.post(url, content=CANARY)


def test_a_certificate_is_checked_against_the_name(tmp_path: Path) -> None:
    """The address replaces the name, but not in the check of the certificate."""
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", str(key), "-out", str(certificate), "-subj", "/CN=localhost"),
            *("-addext", "subjectAltName=DNS:localhost"),
        ],
        check=True,
        capture_output=True,
    )

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            body = self.headers["Host"].encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Write nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    trusted = ssl.create_default_context(cafile=str(certificate))
    try:
        transport = ThisMachineOnly(httpx2.HTTPTransport(verify=trusted))
        with httpx2.Client(transport=transport) as client:
            answer = client.get(f"https://localhost:{server.server_port}/")
            assert answer.text == f"localhost:{server.server_port}"
            with pytest.raises(httpx2.ConnectError, match="certificate"):
                client.get(f"https://127.0.0.1:{server.server_port}/")
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
