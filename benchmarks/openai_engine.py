"""Requests per second of the `openai` engine with 64 in flight, compared with plain clients.

The server is a separate process on loopback. It processes at most 64 requests at a time and answers each
after a delay, so that it gives at most `64 / delay` answers per second. The delay is constant, or it
varies like the answers of a model: it follows a log-normal distribution, and the longest of a thousand
delays is about ten times the median. The prompts are notes of 500 words.

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
"""Standard deviation of the logarithm of an uneven delay."""

DELAYS = ("1.0 even", "1.0 uneven", "0.25 even", "0.25 uneven", "0.1 even")
"""Mean delays in seconds, and whether the delay is the same for all requests."""

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
MODELS = b'{"object": "list", "data": [{"id": "m", "object": "model", "root": "m"}]}'


def reply(body: bytes) -> bytes:
    """Return the response with a body of JSON."""
    head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n"
    return head % len(body) + body


REPLY = reply(BODY)
MODELS_REPLY = reply(MODELS)
"""Response to `GET /models`, by which the cache identifies the model."""


def relative_delay(body: bytes) -> float:
    """Return the delay of a request relative to the mean. It depends only on the note."""
    number = int(
        json.loads(body)["messages"][-1]["content"].rpartition("note number ")[2].split()[0]
    )
    return float(np.random.default_rng(number).lognormal(-(SPREAD**2) / 2, SPREAD))


async def serve() -> None:
    """Print the port, and answer `POST /DELAY/even/...` and `/DELAY/uneven/...`, 64 at a time.

    `GET /DELAY/even/models` is answered at once.
    """
    slots = asyncio.Semaphore(IN_FLIGHT)

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                if head.startswith(b"GET "):
                    writer.write(MODELS_REPLY)
                    await writer.drain()
                    continue
                length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
                body = await reader.readexactly(length)
                _, mean, evenness, *_ = head.split(b"/")
                async with slots:
                    factor = relative_delay(body) if evenness == b"uneven" else 1
                    await asyncio.sleep(float(mean) * factor)
                writer.write(REPLY)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0, backlog=1024)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def requests(count: int) -> Iterator[Request]:
    """Yield requests about distinct notes of 500 words."""
    rng = np.random.default_rng(0)
    words = "".join(__doc__ or "").split() + ANSWER.split()
    for number in range(count):
        text = " ".join(rng.choice(words, 500))
        yield Request(str(number), document_prompt(f"note number {number} {text}"), origin="public")


def body_of(request: Request) -> bytes:
    """Return the body of a request as JSON."""
    return json.dumps({"model": "m", "messages": list(request.prompt)}).encode()


def asynchronous_client(url: str, sent: list[Request]) -> None:
    """Run 64 tasks over one asynchronous client of the HTTP library that the official client uses."""

    async def work(client: httpx2.AsyncClient, waiting: deque[Request]) -> None:
        while waiting:
            response = await client.post("/chat/completions", content=body_of(waiting.popleft()))
            assert response.json()["choices"][0]["message"]["content"] == ANSWER

    async def main() -> None:
        waiting = deque(sent)
        limits = httpx2.Limits(max_connections=IN_FLIGHT)
        async with httpx2.AsyncClient(base_url=url, limits=limits, timeout=60) as client:
            await asyncio.gather(*(work(client, waiting) for _ in range(IN_FLIGHT)))

    asyncio.run(main())


def socket_client(url: str, sent: list[Request]) -> None:
    """Run 64 tasks, each with a plain connection. This is the fastest that the server allows."""
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
        waiting = deque(sent)
        await asyncio.gather(*(work(waiting) for _ in range(IN_FLIGHT)))

    asyncio.run(main())


def plain_engine(url: str, sent: list[Request]) -> None:
    """Run the `openai` engine."""
    engine = OpenAIEngine("m", base_url=url, concurrency=IN_FLIGHT)
    answers = list(engine.generate(iter(sent)))
    assert [answer.id for answer in answers] == [request.id for request in sent]
    assert all(answer.text == ANSWER for answer in answers)


def engine_with_cache(url: str, sent: list[Request]) -> None:
    """Run the `openai` engine with its cache on disk."""
    with tempfile.TemporaryDirectory() as folder:
        engine = OpenAIEngine("m", base_url=url, concurrency=IN_FLIGHT)
        cached = CachedEngine(engine, Path(folder) / "answers.sqlite")
        assert all(answer.text == ANSWER for answer in cached.generate(iter(sent)))
        assert cached.hits == 0
        cached.close()


CLIENTS: dict[str, Callable[[str, list[Request]], None]] = {
    "socket_client": socket_client,
    "asynchronous_client": asynchronous_client,
    "engine": plain_engine,
    "engine_with_cache": engine_with_cache,
}
"""Clients by their names in the results."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--seconds", type=float, default=10.0, help="shortest possible duration of a run"
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
            sent = prepared[: round(arguments.seconds * IN_FLIGHT / float(mean))]
            taken: dict[str, list[float]] = {name: [] for name in CLIENTS}
            for (
                client
            ) in CLIENTS.values():  # The first call imports and connects, which is not measured.
                client(url, sent[:IN_FLIGHT])
            for _ in range(arguments.rounds):
                for name, client in CLIENTS.items():
                    started = time.perf_counter()
                    client(url, sent)
                    taken[name].append(len(sent) / (time.perf_counter() - started))
            best = taken["socket_client"]
            figures[delay] = {
                "requests": len(sent),
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
