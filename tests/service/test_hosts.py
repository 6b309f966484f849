"""Hosts and origins that are ours, and those that are not."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from cclearn.codes import CodeSystem
from cclearn.service.limits import ServiceSettings
from tests.service.served import Served, serving

ROUTES = [
    ("POST", "/code"),
    ("GET", "/"),
    ("GET", "/docs"),
    ("GET", "/codes/I10"),
    ("GET", "/codes?q=asthma"),
    ("GET", "/healthz"),
    ("GET", "/metrics"),
    ("GET", "/openapi.json"),
    ("GET", "/nowhere"),
    ("DELETE", "/code"),
]


def send(served: Served, method: str, path: str, *headers: str, version: str = "1.1") -> bytes:
    """Send a request of these headers alone, and return all of the answer."""
    body = b'{"id": "a", "text": "Pneumonia."}' if method == "POST" else b""
    lines = [f"{method} {path} HTTP/{version}", *headers, "Connection: close"]
    if body:
        lines += ["Content-Type: application/json", f"Content-Length: {len(body)}"]
    with socket.create_connection(("127.0.0.1", served.port), timeout=30) as connection:
        connection.sendall("\r\n".join([*lines, "", ""]).encode() + body)
        answer = b""
        while piece := connection.recv(2**16):
            answer += piece
    return answer


def status(answer: bytes) -> int:
    return int(answer[9:12])


@pytest.fixture(scope="module")
def allowing(system: CodeSystem) -> Iterator[Served]:
    names = ("--allow-host", "Codes.Example", "--allow-host", "other.example:8443")
    with serving(*names) as served:
        yield served


@pytest.mark.parametrize(("method", "path"), ROUTES)
def test_another_host_or_origin_is_refused_on_every_route(
    lexicon: Served, method: str, path: str
) -> None:
    ours = f"Host: 127.0.0.1:{lexicon.port}"
    expected = {"/nowhere": 404, "/code": 200 if method == "POST" else 405}.get(path, 200)
    assert status(send(lexicon, method, path, ours)) == expected
    for headers in (
        [],
        ["Host: evil.example"],
        [f"Host: evil.example:{lexicon.port}"],
        ["Host: 192.0.2.1"],
        ["Host: localhost.evil.example"],
        ["Host: 127.0.0.1.evil.example"],
        ["Host: localhost@evil.example"],
        ["Host: localhost, evil.example"],
        ["Host:"],
        [ours, "Host: evil.example"],
        [ours, ours],
        [ours, "Origin: https://evil.example"],
        [ours, "Origin: null"],
        [ours, "Origin: http://127.0.0.1"],
        [ours, "Origin: http://127.0.0.1:3000"],
        [ours, f"Origin: http://localhost:{lexicon.port}"],
        [ours, f"Origin: ftp://127.0.0.1:{lexicon.port}"],
        [ours, f"Origin: http://127.0.0.1:{lexicon.port}", "Origin: http://evil.example"],
    ):
        answer = send(lexicon, method, path, *headers)
        assert status(answer) == 403, headers
        assert b'"detail":"Host: ' in answer or b'"detail":"Origin: ' in answer
        assert b"evil" not in answer
    assert status(send(lexicon, method, path, version="1.0")) == 403
    assert lexicon.metric('cclearn_refused_requests_total{reason="host"}') >= 10


def test_names_of_this_machine_are_ours(lexicon: Served) -> None:
    for host in ("localhost", "LOCALHOST:9", "127.0.0.1", "127.9.9.9:80", "[::1]", "localhost."):
        for origin in ([], [f"Origin: http://{host}"], [f"Origin: https://{host}"]):
            answer = send(lexicon, "GET", "/healthz", f"Host: {host}", *origin)
            assert status(answer) == 200, (host, origin)


def test_further_names_are_given(allowing: Served) -> None:
    for host in ("codes.example", "CODES.example:1234", "other.example:8443", "localhost"):
        assert status(send(allowing, "GET", "/healthz", f"Host: {host}")) == 200, host
    for host in ("other.example", "other.example:1", "a.codes.example"):
        assert status(send(allowing, "GET", "/healthz", f"Host: {host}")) == 403, host
    for origin, expected in {
        "https://codes.example": 200,
        "https://other.example:8443": 200,
        "https://codes.example:1234": 403,
        "https://other.example": 403,
    }.items():
        answer = send(allowing, "GET", "/healthz", "Host: localhost", f"Origin: {origin}")
        assert status(answer) == expected, origin


def test_the_address_that_a_connection_came_in_on_is_ours(system: CodeSystem) -> None:
    """Kubernetes' probes and Prometheus call a pod by its address, which nobody knows before."""
    with serving("--host", "0.0.0.0", CCLEARN_API_KEY="0123456789abcdef") as served:  # noqa: S104
        address = _own_address()
        with socket.create_connection((address, served.port), timeout=30) as connection:
            connection.sendall(f"GET /healthz HTTP/1.1\r\nHost: {address}:1\r\n\r\n".encode())
            assert connection.recv(2**16).startswith(b"HTTP/1.1 200")
        if address != "127.0.0.1":
            assert status(send(served, "GET", "/healthz", f"Host: {address}")) == 403
        assert status(send(served, "GET", "/healthz", "Host: 0.0.0.0")) == 200


def _own_address() -> str:
    """Return an address of this machine, other than loopback where it has one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.254", 9))  # Nothing is sent.
        except OSError:
            return "127.0.0.1"
        return str(probe.getsockname()[0])


@pytest.mark.parametrize("host", ["", "https://codes.example", "a b", "a/b", "*", "x:99999999"])
def test_what_is_no_name_is_no_setting(host: str) -> None:
    with pytest.raises(ValueError, match="NAME or NAME:PORT"):
        ServiceSettings(allow_host=(host,))
