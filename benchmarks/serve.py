"""The service beside the bare coder: latency, notes a second, overload, memory.

The server, its worker and the client are processes of their own. The client speaks HTTP over bare
sockets: a library's would take longer than the coder. Every request holds one note of 500 words.

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
"""Of the server under overload: the bound on latency."""

MOST_CONNECTIONS = 850


class Connection(asyncio.Protocol):
    """A kept connection with one request in flight."""

    def __init__(self) -> None:
        self._answer: asyncio.Future[int] | None = None
        self._received = b""
        self._transport: asyncio.Transport | None = None
        self.is_open = True

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def ask(self, request: bytes) -> asyncio.Future[int]:
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
    """Return the requests, a note each."""
    found = []
    for note in pool_notes(NOTES):
        body = row_to_json(note).encode()
        head = (
            "POST /code HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n"
        )
        found.append(head.encode() + body)
    return found


async def connect(port: int) -> Connection:
    _, connection = await asyncio.get_running_loop().create_connection(
        Connection, "127.0.0.1", port
    )
    return connection


async def closed_loop(port: int, clients: int, seconds: float, most: int) -> dict[str, Any]:
    """So many clients, each with its next request as soon as the last one is answered."""
    asked = requests()
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
            status = await connection.ask(asked[(number + sent) % NOTES])
            taken.append(time.perf_counter() - began)
            statuses[status] += 1
        connection.close()

    await asyncio.gather(*(work(number) for number in range(clients)))
    seconds = time.perf_counter() - start
    return {**latencies(taken), "notes_a_second": len(taken) / seconds, "statuses": statuses}


async def open_loop(port: int, rate: float, seconds: float) -> dict[str, Any]:
    """Requests at a rate that does not heed the answers, then one client until all is as before."""
    asked = requests()
    taken: dict[int, list[float]] = {}
    free: deque[Connection] = deque()
    running: set[asyncio.Task[None]] = set()
    opened = not_sent = 0

    async def one(number: int) -> None:
        nonlocal opened
        began = time.perf_counter()
        connection = free.pop() if free else None
        if connection is None or not connection.is_open:
            opened += connection is None
            connection = await connect(port)
        status = await connection.ask(asked[number % NOTES])
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
            task = asyncio.create_task(one(number))
            running.add(task)
            task.add_done_callback(running.discard)
        await asyncio.sleep(0.002)
    ended = time.perf_counter()
    while running:
        await asyncio.wait(set(running))
    drained = time.perf_counter() - ended
    # Recovered: ten requests one after the other, all taken.
    connection = await connect(port)
    row: deque[float] = deque(maxlen=10)
    for place in range(1_000):
        began = time.perf_counter()
        status = await connection.ask(asked[place % NOTES])
        row.append(time.perf_counter() - began if status == 200 else float("inf"))
        if len(row) == row.maxlen and max(row) < 1:
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
        "milliseconds_p50_after": 1000 * statistics.median(row),
    }


def latencies(taken: list[float]) -> dict[str, float]:
    """Return the median, the 99th percentile and the longest, in milliseconds."""
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
    """Run the service on a free port; give the port and the process."""
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
    """Run a client in a process of its own."""
    command = [sys.executable, __file__, "--client", json.dumps(arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def bare(seconds: float, coder: Coder) -> float:
    """Return the notes a second of the coder's own loop."""
    notes = pool_notes(NOTES)
    count = 0
    start = time.perf_counter()
    while time.perf_counter() < start + seconds:
        count += sum(1 for _ in coder.code_many(notes))
    return count / (time.perf_counter() - start)


def resident(process: psutil.Process) -> list[float]:
    """Return the MiB of the server and its worker."""
    family = [process, *(p for p in process.children() if "spawn_main" in " ".join(p.cmdline()))]
    return [round(each.memory_info().rss / 2**20, 1) for each in family]


def memory(count: int) -> dict[str, Any]:
    """Ten readings of the resident memory over so many requests."""
    with served() as (port, process):
        readings = [resident(process)]
        errors = 0
        for _ in range(10):
            found = client("closed", port, 64, 600, count // 10)
            errors += sum(n for status, n in found["statuses"].items() if status != "200")
            readings.append(resident(process))
    return {"requests": count, "errors": errors, "resident_mib_server_and_worker": readings}


def rounded(value: Any) -> Any:
    """Round every number of a result to three digits behind the point."""
    if isinstance(value, dict):
        return {key: rounded(each) for key, each in value.items()}
    if isinstance(value, list):
        return [rounded(each) for each in value]
    return round(value, 3) if isinstance(value, float) else value


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=8.0, help="of a run")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--requests", type=int, default=100_000, help="of the memory's run")
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
    bare(2, coder)
    loads: dict[int, list[dict[str, Any]]] = {clients: [] for clients in CLIENTS}
    bare_rates = []
    with served() as (port, _):
        client("closed", port, 16, 2, 10**9)
        for _ in range(arguments.rounds):
            bare_rates.append(bare(arguments.seconds, coder))
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
