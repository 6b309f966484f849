"""Limits on size, queue and time, and callers who hang up."""

from __future__ import annotations

import json
import socket
import threading
import time
from typing import Any

import pytest
from pydantic import ValidationError

from cclearn.codes import CodeSystem
from cclearn.service.limits import Limits, ServiceSettings
from tests.service.served import Reply, Served, scripted


def sleeping(count: int, seconds: float, name: str = "n") -> list[dict[str, str]]:
    return [{"id": f"{name}{n}", "text": f"sleep {seconds}"} for n in range(count)]


def in_background(
    served: Served, notes: Any, **headers: str
) -> tuple[threading.Thread, list[Reply]]:
    replies: list[Reply] = []
    thread = threading.Thread(target=lambda: replies.append(served.code(notes, **headers)))
    thread.start()
    return thread, replies


def test_a_long_body_is_refused_before_it_is_read(tight: Served) -> None:
    reply = tight.code({"id": "a", "text": "x" * 11_000})
    assert reply.status == 413
    assert reply.detail == "body: it has more than 0.01 MiB. Send fewer notes at once."
    pieces = (b"x" * 1_000 for _ in range(20))  # Without a length.
    reply = tight.ask("POST", "/code", pieces, content_type="application/json")
    assert reply.status == 413
    assert tight.code({"id": "a", "text": "x" * 9_000}).status == 200


def test_an_endless_body_is_answered_before_its_end(tight: Served) -> None:
    head = "POST /code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    with socket.create_connection(("127.0.0.1", tight.port), timeout=30) as connection:
        connection.sendall(f"{head}Transfer-Encoding: chunked\r\n\r\n".encode())
        for _ in range(20):
            connection.sendall(b"3e8\r\n" + b"x" * 1_000 + b"\r\n")
        assert connection.recv(2**16).startswith(b"HTTP/1.1 413")


def test_too_many_notes_are_refused(tight: Served) -> None:
    reply = tight.code(sleeping(7, 0))
    assert reply.status == 413
    assert reply.detail.startswith("body: it has more notes than 6, which is the limit")
    lines = b"\n".join(json.dumps(note).encode() for note in sleeping(7, 0))
    assert tight.ask("POST", "/code", lines, content_type="application/x-ndjson").status == 413
    assert tight.code(sleeping(6, 0)).status == 200


def test_what_does_not_fit_the_queue_is_to_come_again(tight: Served) -> None:
    # Two batches of two are handed out, so four of these twelve wait, then ten.
    threads = [in_background(tight, sleeping(6, 0.1, name)) for name in "ab"]
    tight.wait_for(lambda: tight.metric("cclearn_waiting_notes") > 4)
    reply = tight.code(sleeping(6, 0))
    assert reply.status == 429
    assert 1 <= int(reply.headers["retry-after"]) <= 2
    for thread, replies in threads:
        thread.join()
        assert [row["id"][1:] for row in replies[0].json] == ["0", "1", "2", "3", "4", "5"]
    assert tight.code(sleeping(6, 0)).status == 200
    assert tight.metric('cclearn_refused_requests_total{reason="queue"}') >= 1


def test_the_bodies_of_all_requests_have_a_limit(tight: Served) -> None:
    large = {"id": "a", "text": "sleep 0.5 " + "x" * 8_000}
    threads = [in_background(tight, large) for _ in range(2)]
    tight.wait_for(lambda: tight.metric("cclearn_notes_in_progress") == 2)
    reply = tight.code(large)
    assert (reply.status, reply.headers["retry-after"]) == (429, "1")
    for thread, replies in threads:
        thread.join()
        assert replies[0].status == 200
    assert tight.code({**large, "text": "x" * 8_000}).status == 200


@pytest.mark.slow
def test_a_wait_beyond_the_time_limit_is_not_begun(system: CodeSystem) -> None:
    with scripted(time_limit=1, max_batch=1) as served:
        assert served.code(sleeping(1, 0.6)).status == 200  # Now it knows how slow it is.
        thread, replies = in_background(served, sleeping(4, 0.6))
        served.wait_for(lambda: served.metric("cclearn_waiting_notes") > 0)
        reply = served.code(sleeping(1, 0))
        assert reply.status == 429
        assert "the limit is 1 s" in reply.detail
        assert int(reply.headers["retry-after"]) >= 1
        thread.join()
        assert replies[0].status == 504
        served.wait_until_idle()
        assert served.code(sleeping(1, 0)).status == 200


def test_time_runs_out_and_what_has_not_begun_never_does(tight: Served) -> None:
    began = time.monotonic()
    reply = tight.code(sleeping(6, 0.9))
    assert reply.status == 504
    assert 1.4 < time.monotonic() - began < 4
    before = tight.metric('cclearn_notes_total{outcome="coded"}')
    tight.wait_until_idle()
    # Two were coded in time, two were with the coder, two had not begun.
    assert tight.metric('cclearn_notes_total{outcome="coded"}') - before <= 4
    assert tight.code(sleeping(1, 0)).status == 200


def test_a_stream_says_which_notes_were_not_coded_in_time(tight: Served) -> None:
    reply = tight.code(sleeping(6, 0.6), accept="application/x-ndjson")
    assert reply.status == 200
    assert [line["id"] for line in reply.lines] == [f"n{n}" for n in range(6)]
    assert "codes" in reply.lines[0]
    problem = "it was not coded within the time limit."
    late = {"id": "n5", "error": {"kind": "time", "problem": problem}}
    assert reply.lines[5] == late


def test_a_body_that_does_not_come_is_not_waited_for(tight: Served) -> None:
    with tight.open(sleeping(1, 0), cut=3) as connection:
        assert connection.recv(2**16).startswith(b"HTTP/1.1 408")


@pytest.mark.slow
def test_a_caller_who_hangs_up_harms_nobody(system: CodeSystem) -> None:
    gone = 'cclearn_refused_requests_total{reason="hung_up"}'
    with scripted(max_batch=1) as served:
        with served.open(sleeping(1, 0), cut=3):
            pass  # In the middle of the body.
        served.wait_for(lambda: served.metric(gone) == 1)
        with served.open(sleeping(100, 0.3)):
            served.wait_for(lambda: served.metric("cclearn_waiting_notes") == 98)
            thread, replies = in_background(served, sleeping(2, 0, "other"))
            served.wait_for(lambda: served.metric("cclearn_waiting_notes") == 100)
        # While its notes wait, and before those of another.
        thread.join()
        assert [row["id"] for row in replies[0].json] == ["other0", "other1"]
        assert served.metric(gone) == 2
        assert served.metric('cclearn_notes_total{outcome="coded"}') < 20
        assert b"Traceback" not in served.log


def test_all_that_is_wrong_with_limits_is_told() -> None:
    for limits in (
        {"max_notes": 10, "max_waiting": 9},
        {"max_body": 9, "max_held": 8},
        {"time_limit": 0},
        {"time_limit": "inf"},
        {"unknown": 1},
    ):
        with pytest.raises(ValidationError):
            Limits.model_validate(limits)
    for settings in (
        {"host": "0.0.0.0"},  # noqa: S104 - refused
        {"host": "::"},
        {"host": "example.org"},
        {"key": "short"},
        {"key": "long enough, but with blanks"},
        {"port": 70_000},
        {"unknown": 1},
    ):
        with pytest.raises(ValidationError):
            ServiceSettings.model_validate(settings)
    key = "0123456789abcdef"
    open_to_all = ServiceSettings.model_validate({"host": "0.0.0.0", "key": key})  # noqa: S104
    assert key not in repr(open_to_all)
    for host in ("localhost", "127.0.0.2", "::1"):
        assert ServiceSettings(host=host).key is None
