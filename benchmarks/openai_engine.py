"""Requests a second of the `openai` engine with 64 in flight, beside those of bare clients.

The server, a process of its own on loopback, holds at most 64 requests and answers each after a delay:
so it can give `64 / delay` answers a second and no more. The delay is fixed, or uneven as answers of a
model are: log-normal by the request, the longest of a thousand about ten times the median. Prompts are
notes of 500 words.

python benchmarks/openai_engine.py [--rounds 3] [--seconds 10]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Callable, Iterator
from pathlib import Path

import httpx2
import numpy as np
from measure import save

from cclearn.engines import Request
from cclearn.engines.cache import CachedEngine
from cclearn.engines.openai import OpenAIEngine
from cclearn.prompts import document_prompt

IN_FLIGHT = 64
SPREAD = 0.75
"""Of the logarithm of an uneven delay."""

DELAYS = ("1.0 even", "1.0 uneven", "0.25 even", "0.25 uneven", "0.1 even")
"""The mean, in seconds, and whether it is the same for all."""

ANSWER = "\n".join(f"- acute on chronic heart failure {n} => I50.9" for n in range(8))
BODY = json.dumps(
    {
        "id": "x",
        "object": "chat.completion",
        "created": 0,
        "model": "m",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": ANSWER, "refusal": None},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 800, "completion_tokens": 120, "total_tokens": 920},
    }
).encode()
REPLY = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


def part(body: bytes) -> float:
    """Return a request's delay, of a mean of 1: always the same for the same note."""
    number = int(
        json.loads(body)["messages"][-1]["content"].rpartition("note number ")[2].split()[0]
    )
    return float(np.random.default_rng(number).lognormal(-(SPREAD**2) / 2, SPREAD))


async def serve() -> None:
    """Answer `POST /DELAY/even/...` and `/DELAY/uneven/...`, 64 at a time; tell the port."""
    places = asyncio.Semaphore(IN_FLIGHT)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                _, mean, evenness, *_ = head.split(b"/")
                async with places:
                    await asyncio.sleep(float(mean) * (part(body) if evenness == b"uneven" else 1))
                writer.write(REPLY)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def requests(count: int) -> Iterator[Request]:
    """Yield requests about notes of 500 words, each another."""
    random = np.random.default_rng(0)
    words = "".join(__doc__ or "").split() + ANSWER.split()
    for number in range(count):
        text = " ".join(random.choice(words, 500))
        yield Request(str(number), document_prompt(f"note number {number} {text}"), origin="public")


def body_of(request: Request) -> bytes:
    return json.dumps({"model": "m", "messages": list(request.prompt)}).encode()


def asynchronous_client(url: str, asked: list[Request]) -> None:
    """64 tasks over one asynchronous client of the library that the official client is built on."""

    async def work(client: httpx2.AsyncClient, waiting: deque[Request]) -> None:
        while waiting:
            response = await client.post("/chat/completions", content=body_of(waiting.popleft()))
            assert response.json()["choices"][0]["message"]["content"] == ANSWER

    async def main() -> None:
        waiting = deque(asked)
        limits = httpx2.Limits(max_connections=IN_FLIGHT)
        async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
            await asyncio.gather(*(work(client, waiting) for _ in range(IN_FLIGHT)))

    asyncio.run(main())


def socket_client(url: str, asked: list[Request]) -> None:
    """64 tasks, each with a bare connection: what the server can give."""
    host, _, rest = url.removeprefix("http://").partition("/")
    name, _, port = host.partition(":")
    head = f"POST /{rest}/chat/completions HTTP/1.1\r\nHost: {host}\r\nContent-Length: "

    async def work(waiting: deque[Request]) -> None:
        reader, writer = await asyncio.open_connection(name, int(port))
        while waiting:
            body = body_of(waiting.popleft())
            writer.write(f"{head}{len(body)}\r\n\r\n".encode() + body)
            received = await reader.readexactly(len(REPLY))
            assert json.loads(received.partition(b"\r\n\r\n")[2])
        writer.close()

    async def main() -> None:
        waiting = deque(asked)
        await asyncio.gather(*(work(waiting) for _ in range(IN_FLIGHT)))

    asyncio.run(main())


def engine(url: str, asked: list[Request]) -> None:
    """Ours."""
    ours = OpenAIEngine("m", base_url=url, concurrency=IN_FLIGHT)
    answers = list(ours.generate(iter(asked)))
    assert [answer.id for answer in answers] == [request.id for request in asked]
    assert all(answer.text == ANSWER for answer in answers)


def engine_with_cache(url: str, asked: list[Request]) -> None:
    """Ours, each answer kept on disk."""
    with tempfile.TemporaryDirectory() as folder:
        ours = OpenAIEngine("m", base_url=url, concurrency=IN_FLIGHT)
        cached = CachedEngine(ours, Path(folder) / "answers.sqlite")
        assert all(answer.text == ANSWER for answer in cached.generate(iter(asked)))
        assert cached.hits == 0
        cached.close()


SIDES: tuple[Callable[[str, list[Request]], None], ...] = (
    socket_client,
    asynchronous_client,
    engine,
    engine_with_cache,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="of a run, at the server's best"
    )
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        asyncio.run(serve())
        return
    server = subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE)
    assert server.stdout is not None
    port = int(server.stdout.readline())
    os.environ.pop("OPENAI_API_KEY", None)
    figures = {}
    try:
        prepared = list(
            requests(
                round(
                    arguments.seconds * IN_FLIGHT / min(float(delay.split()[0]) for delay in DELAYS)
                )
            )
        )
        for delay in DELAYS:
            mean, _, evenness = delay.partition(" ")
            url = f"http://127.0.0.1:{port}/{mean}/{evenness}"
            asked = prepared[: round(arguments.seconds * IN_FLIGHT / float(mean))]
            taken: dict[str, list[float]] = {side.__name__: [] for side in SIDES}
            for side in SIDES:  # Imports and the like are no part of the figure.
                side(url, asked[:IN_FLIGHT])
            for _ in range(arguments.rounds):
                for side in SIDES:
                    started = time.perf_counter()
                    side(url, asked)
                    taken[side.__name__].append(len(asked) / (time.perf_counter() - started))
            best = taken["socket_client"]
            figures[delay] = {
                "requests": len(asked),
                "server_limit": IN_FLIGHT / float(mean),
                "requests_a_second": {
                    name: round(statistics.median(rates), 1) for name, rates in taken.items()
                },
                "to_socket_client": {
                    name: [round(rate / peer, 3) for rate, peer in zip(rates, best, strict=True)]
                    for name, rates in taken.items()
                    if name != "socket_client"
                },
            }
            print(delay, figures[delay], flush=True)
    finally:
        server.terminate()
        server.wait()
    save("openai_engine", {"in_flight": IN_FLIGHT, "rounds": arguments.rounds, **figures})


if __name__ == "__main__":
    main()
