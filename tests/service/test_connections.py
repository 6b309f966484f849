"""Limits on connections, on the length of heads, and on peers that send or read slowly."""

from __future__ import annotations

import json
import re
import select
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import psutil
import pytest

from cclearn.codes import CodeSystem
from tests.service.served import Served, scripted

MOST = 12
"""The limit on connections of the service here."""

HEAD_TIME = 1.5
REQUEST = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"
HALF = REQUEST[:-2] + b"X: "


@pytest.fixture(scope="module")
def few(system: CodeSystem) -> Iterator[Served]:
    with scripted(max_connections=MOST, head_time=HEAD_TIME, max_head=8, time_limit=3) as served:
        yield served


@pytest.fixture(autouse=True)
def _no_connections(few: Served) -> Iterator[None]:
    yield
    few.wait_for(lambda: connections(few) == 0)


def connections(served: Served) -> int:
    """Return the number of connections that the server holds."""
    found = psutil.Process(served.process.pid).net_connections("tcp")
    return sum(connection.status == "ESTABLISHED" for connection in found)


def connect(served: Served) -> socket.socket:
    return socket.create_connection(("127.0.0.1", served.port), timeout=20)


def rest_of(connection: socket.socket) -> bytes:
    """Return what is received until the server closes."""
    answer = b""
    with suppress(
        ConnectionResetError
    ):  # The server may close before it has read all that was sent.
        while piece := connection.recv(2**16):
            answer += piece
    return answer


def answer_of(connection: socket.socket, request: bytes = REQUEST) -> bytes:
    """Send a request on a connection that stays open, and return the answer."""
    connection.sendall(request)
    answer = b""
    while True:
        answer += connection.recv(2**16)
        head, ended, body = answer.partition(b"\r\n\r\n")
        length = re.search(rb"content-length: (\d+)", head, re.I)
        if ended and length and len(body) == int(length[1]):
            return answer


def refusals(served: Served, reason: str) -> float:
    return served.metric(f'cclearn_refused_requests_total{{reason="{reason}"}}')


@pytest.mark.parametrize(
    "head",
    [
        b"X-Long: " + b"x" * 2**20,
        b"X-Long: " + b"x" * 2**20 + b"\r\n\r\n",
        b"x" * 2**20,
        b"".join(b"X-%d: y\r\n" % number for number in range(10_000)) + b"\r\n",
        b"".join(b"a:\r\n" for _ in range(101)) + b"\r\n",
    ],
)
def test_a_long_head_is_refused(few: Served, head: bytes) -> None:
    before = refusals(few, "head_size")
    with connect(few) as connection:
        with suppress(ConnectionError):  # It may be refused before all of it was sent.
            connection.sendall(REQUEST[:-2] + head)
        answer = rest_of(connection)
    assert answer[:12] in (b"HTTP/1.1 431", b"")
    if answer:
        assert "8 KiB or 100 headers" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
    assert refusals(few, "head_size") == before + 1


def test_the_status_of_a_long_head_is_told(few: Served) -> None:
    with connect(few) as connection:
        connection.sendall(REQUEST[:-2] + b"X-Long: " + b"x" * 9_000 + b"\r\n\r\n")
        answer = rest_of(connection)
    assert answer.startswith(b"HTTP/1.1 431 Request Header Fields Too Large\r\n")
    assert b"Connection: close" in answer
    with connect(few) as connection:
        answer = answer_of(connection, b"GET /" + b"x" * 9_000 + b" HTTP/1.1\r\n")
        assert answer.startswith(b"HTTP/1.1 431")


def test_a_head_within_the_limit_is_answered(few: Served) -> None:
    many = b"".join(b"X-%d: y\r\n" % number for number in range(98))
    for more in (b"X-Long: " + b"x" * 8_000 + b"\r\n", many):
        with connect(few) as connection:
            for _ in range(3):
                answer = answer_of(connection, REQUEST[:-2] + more + b"\r\n")
                assert answer.startswith(b"HTTP/1.1 200")


def test_a_trailer_without_an_end_is_refused(few: Served) -> None:
    head = (
        b"POST /code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n"
    )
    for trailer in (b"X: " + b"x" * 2**20, b"".join(b"a:\r\n" for _ in range(9_999))):
        before = refusals(few, "head_size")
        with connect(few) as connection, suppress(ConnectionError):
            connection.sendall(head + b"2\r\n[]\r\n0\r\n" + trailer)
            rest_of(connection)
        assert refusals(few, "head_size") == before + 1
        few.wait_for(lambda: connections(few) == 0)


def test_many_small_chunks_are_no_head(few: Served) -> None:
    body = b'{"id": "a", "text": "' + b"x" * 20_000 + b'"}'
    chunks = b"".join(b"1\r\n%c\r\n" % byte for byte in body) + b"0\r\n\r\n"
    with connect(few) as connection:
        connection.sendall(
            b"POST /code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n" + chunks
        )
        assert rest_of(connection).startswith(b"HTTP/1.1 200")


def test_half_sent_heads_are_closed_while_others_are_answered(few: Served) -> None:
    before = refusals(few, "head_time")
    with ExitStack() as opened:
        slow = [opened.enter_context(connect(few)) for _ in range(MOST - 2)]
        begun = time.monotonic()
        for connection in slow:
            connection.sendall(HALF)
        # A byte now and then does not help.
        while time.monotonic() < begun + 0.6 * HEAD_TIME:
            for connection in slow:
                connection.sendall(b"x")
            assert few.ask("GET", "/healthz").status == 200
            time.sleep(0.1)
        for connection in slow:
            assert rest_of(connection).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begun < HEAD_TIME + 3
    assert refusals(few, "head_time") == before + MOST - 2


def test_connections_that_say_nothing_are_closed(few: Served) -> None:
    with connect(few) as silent, connect(few) as answered, connect(few) as second:
        assert answer_of(answered).startswith(b"HTTP/1.1 200")
        assert answer_of(second).startswith(b"HTTP/1.1 200")
        second.sendall(HALF)  # The head of the next request, which never ends.
        begun = time.monotonic()
        assert rest_of(silent) == b""
        assert rest_of(answered) == b""
        assert rest_of(second).startswith(b"HTTP/1.1 408")
        assert time.monotonic() - begun < HEAD_TIME + 3


def test_the_rest_of_a_body_that_was_answered_is_not_read_for_ever(few: Served) -> None:
    head = b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\n"
    with connect(few) as connection:
        assert answer_of(connection, head).startswith(b"HTTP/1.1 404")
        begun = time.monotonic()
        with suppress(ConnectionError):
            while time.monotonic() < begun + HEAD_TIME + 5:
                connection.sendall(b"x")
                time.sleep(0.1)
        assert time.monotonic() - begun < HEAD_TIME + 3


def test_more_connections_than_the_limit_are_refused_at_once(few: Served) -> None:
    before = refusals(few, "connections")
    with ExitStack() as opened:
        kept = [opened.enter_context(connect(few)) for _ in range(MOST)]
        for connection in kept:
            assert answer_of(connection).startswith(b"HTTP/1.1 200")
        for _ in range(3):
            begun = time.monotonic()
            with connect(few) as connection:
                answer = rest_of(connection)
            assert time.monotonic() - begun < 1
            assert answer.startswith(b"HTTP/1.1 503")
            assert b"Retry-After: 1\r\n" in answer
            assert "as many connections" in json.loads(answer.partition(b"\r\n\r\n")[2])["detail"]
            # Those that were there before are not harmed.
            for connection in kept:
                assert answer_of(connection).startswith(b"HTTP/1.1 200")
    few.wait_for(lambda: connections(few) == 0)
    assert few.ask("GET", "/healthz").status == 200
    assert refusals(few, "connections") == before + 3


def flood(connection: socket.socket, request: bytes, seconds: float) -> None:
    """Send requests without reading an answer, until nothing more can be sent for some seconds."""
    connection.setblocking(False)
    block = memoryview(request * 50)
    sent = time.monotonic()
    position = 0
    while time.monotonic() - sent < seconds:
        try:
            position = (position + connection.send(block[position:])) % len(block)
            sent = time.monotonic()
        except BlockingIOError:
            select.select([], [connection], [], 0.2)


def test_requests_that_are_sent_without_waiting_have_a_limit(few: Served) -> None:
    server = psutil.Process(few.process.pid)
    before = server.memory_info().rss
    refused = refusals(few, "pipeline")
    for request in (REQUEST, b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n"):
        with connect(few) as connection, pytest.raises(ConnectionError):
            flood(connection, request, 10)
    assert refusals(few, "pipeline") == refused + 2
    assert server.memory_info().rss - before < 2**26
    with connect(few) as connection:
        connection.sendall(REQUEST * 49 + REQUEST[:-2] + b"Connection: close\r\n\r\n")
        assert rest_of(connection).count(b"HTTP/1.1 200") == 50


@pytest.mark.parametrize("accept", ["application/json", "application/x-ndjson"])
def test_a_peer_that_does_not_read_its_answer_is_given_up(few: Served, accept: str) -> None:
    body = json.dumps({"id": "a", "text": "x" * 7_000_000}).encode()
    head = (
        "POST /code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"Accept: {accept}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with socket.socket() as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2**14)
        connection.connect(("127.0.0.1", few.port))
        connection.sendall(head.encode() + body)
        assert connection.recv(12) == b"HTTP/1.1 200"
        # The rest, 14 MB, is more than the buffers of both sides hold.
        few.wait_for(lambda: connections(few) == 0, 20)
    assert few.ask("GET", "/healthz").status == 200
