"""The HTTP service compared with the coder alone: latency, notes per second, overload and memory.

The server, its worker and the client are separate processes. The client writes HTTP to plain sockets,
because an HTTP library would take longer than the coder. Each request contains one note of 500 words.

python benchmarks/serve.py [--seconds 8] [--rounds 3] [--requests 100000]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import psutil
import uvloop
from measure import save
from note_pool import WORDS, pool_notes

from cclearn import Coder
from cclearn.notes.jsonl import row_to_json

NOTES = 256
CLIENTS = (1, 16, 64)
OVERLOAD = 4
TIME_LIMIT = 2.0
"""Limit on the latency of the server under overload, in seconds."""

MOST_CONNECTIONS = 850


class Connection(asyncio.Protocol):
    """A persistent connection with one request in flight."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> asyncio.Future[int]:
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(request)
        return self._answer

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, ended, body = self._received.partition(b"\r\n\r\n")
        if not ended:
            return
        length = re.search(rb"content-length: (\d+)", head)
        assert length is not None
        if len(body) == int(length[1]):
            self._received = b""
            assert self._answer is not None
            self._answer.set_result(int(head[9:12]))

    def connection_lost(self, error: Exception | None) -> None:
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_result(0)

    def close(self) -> None:
        assert self._transport is not None
        self._transport.close()


def requests() -> list[bytes]:
    """Return the requests. Each contains one note."""
    messages = []
    for note in pool_notes(NOTES):
        body = row_to_json(note).encode()
        head = (
            "POST /code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        messages.append(head.encode() + body)
    return messages


async def connect(port: int) -> Connection:
    """Return a new connection to the server."""
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, "127.0.0.1", port
    )
    return connection


async def closed_loop(port: int, clients: int, seconds: float, most: int) -> dict[str, Any]:
    """Run clients that each send their next request as soon as the last one is answered."""
    messages = requests()
    taken: list[float] = []
    statuses: Counter[int] = Counter()
    sent = 0
    start = time.perf_counter()

    async def work(number: int) -> None:
        nonlocal sent
        connection = await connect(port)
        while time.perf_counter() < start + seconds and sent < most:
            began = time.perf_counter()
            sent += 1
            status = await connection.send(messages[(number + sent) % NOTES])
            taken.append(time.perf_counter() - began)
            statuses[status] += 1
        connection.close()

    await asyncio.gather(*(work(number) for number in range(clients)))
    seconds = time.perf_counter() - start
    return {**latencies(taken), "notes_a_second": len(taken) / seconds, "statuses": statuses}


async def open_loop(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Send requests at a fixed rate, and then from one client until the latency has recovered."""
    messages = requests()
    taken: dict[int, list[float]] = {}
    free: deque[Connection] = deque()
    running: set[asyncio.Task[None]] = set()
    opened = not_sent = 0

    async def send(number: int) -> None:
        nonlocal opened
        began = time.perf_counter()
        connection = free.pop() if free else None
        if connection is None or not connection.is_open:
            opened += connection is None
            connection = await connect(port)
        status = await connection.send(messages[number % NOTES])
        taken.setdefault(status, []).append(time.perf_counter() - began)
        if status:
            free.append(connection)
        else:
            opened -= 1

    start = time.perf_counter()
    number = 0
    while (now := time.perf_counter() - start) < seconds:
        while number < now * rate:
            number += 1
            if not free and opened >= MOST_CONNECTIONS:
                not_sent += 1
                continue
            task = asyncio.create_task(send(number))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(0.002)
    ended = time.perf_counter()
    while running:
        await asyncio.wait(set(running))
    drained = time.perf_counter() - ended
    # It has recovered when ten successive requests are each answered within a second.
    connection = await connect(port)
    last: deque[float] = deque(maxlen=10)
    for attempt in range(1_000):
        began = time.perf_counter()
        status = await connection.send(messages[attempt % NOTES])
        last.append(time.perf_counter() - began if status == 200 else float("inf"))
        if len(last) == last.maxlen and max(last) < 1:
            break
    return {
        "sent_a_second": (number - not_sent) / seconds,
        "not_sent_as_all_connections_waited": not_sent,
        "statuses": {status: len(times) for status, times in taken.items()},
        "coded": latencies(taken.get(200, [])),
        "refused": latencies(taken.get(429, [])),
        "coded_a_second": len(taken.get(200, [])) / (seconds + drained),
        "seconds_until_all_were_answered": drained,
        "seconds_until_recovered": time.perf_counter() - ended,
        "milliseconds_p50_after": 1000 * statistics.median(last),
    }


def latencies(taken: list[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the maximum in milliseconds."""
    if not taken:
        return {}
    ordered = sorted(taken)
    return {
        "milliseconds_p50": 1000 * ordered[len(ordered) // 2],
        "milliseconds_p99": 1000 * ordered[int(len(ordered) * 0.99)],
        "milliseconds_longest": 1000 * ordered[-1],
    }


@contextmanager
def served(*options: str) -> Iterator[tuple[int, psutil.Process]]:
    """Run the service on a free port, and yield the port and the process."""
    with tempfile.TemporaryFile("w+") as log:
        command = [sys.executable, "-m", "cclearn", "serve", "--port", "0", *options]
        process = subprocess.Popen(command, stderr=log)
        try:
            port = None
            while port is None:
                assert process.poll() is None, "the service did not start"
                time.sleep(0.1)
                log.seek(0)
                port = re.search(r"http://127\.0\.0\.1:(\d+)", log.read())
            yield int(port[1]), psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0
            log.seek(0)
            assert "ERROR" not in log.read()


def client(*arguments: object) -> dict[str, Any]:
    """Run a client in a separate process, and return its result."""
    command = [sys.executable, __file__, "--client", json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    result: dict[str, Any] = json.loads(done.stdout)
    return result


def coder_speed(seconds: float, coder: Coder) -> float:
    """Return the notes per second of the coder without the service."""
    notes = pool_notes(NOTES)
    count = 0
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        count += sum(1 for _ in coder.code_many(notes))
    return count / (time.perf_counter() - start)


def resident(process: psutil.Process) -> list[float]:
    """Return the resident memory of the server and of its worker in MiB."""
    workers = [p for p in process.children() if "spawn_main" in " ".join(p.cmdline())]
    return [round(p.memory_info().rss / 2**20, 1) for p in (process, *workers)]


def memory(count: int) -> dict[str, Any]:
    """Return the resident memory before and after each tenth of `count` requests."""
    with served() as (port, process):
        readings = [resident(process)]
        errors = 0
        for _ in range(10):
            result = client("closed", port, 64, 600, count // 10)
            errors += sum(n for status, n in result["statuses"].items() if status != "200")
            readings.append(resident(process))
    return {"requests": count, "errors": errors, "resident_mib_server_and_worker": readings}


def rounded(value: Any) -> Any:
    """Return a result with all numbers rounded to three decimal places."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return round(value, 3) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="duration of a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=100_000, help="requests of the memory test")
    parser.add_argument("--client", type=json.loads, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.client:
        kind, *rest = arguments.client
        loop = closed_loop if kind == "closed" else open_loop
        print(json.dumps(uvloop.run(loop(*rest))))
        return
    os.environ.pop("CCLEARN_API_KEY", None)
    coder = Coder.lexicon()
    coder.prepare()
    coder_speed(2, coder)
    loads: dict[int, list[dict[str, Any]]] = {clients: [] for clients in CLIENTS}
    bare_rates = []
    with served() as (port, _):
        client("closed", port, 16, 2, 10**9)
        for _ in range(arguments.rounds):
            bare_rates.append(coder_speed(arguments.seconds, coder))
            for clients, runs in loads.items():
                runs.append(client("closed", port, clients, arguments.seconds, 10**9))
                runs[-1]["to_bare"] = runs[-1]["notes_a_second"] / bare_rates[-1]
                print(clients, rounded(runs[-1]), flush=True)
    rate = OVERLOAD * statistics.median(run["notes_a_second"] for run in loads[64])
    with served("--limit", f"time_limit={TIME_LIMIT:g}") as (port, _):
        overload = client("open", port, rate, arguments.seconds)
        print("overload", rounded(overload), flush=True)
    figures = {
        "words_a_note": WORDS,
        "bare_notes_a_second": bare_rates,
        "clients": loads,
        "overload": {"asked_a_second": rate, "time_limit_seconds": TIME_LIMIT, **overload},
    }
    if arguments.requests:
        figures["memory"] = memory(arguments.requests)
    save("serve", rounded(figures))


if __name__ == "__main__":
    main()
