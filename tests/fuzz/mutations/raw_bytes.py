"""Mutations of the bytes of a file, whatever its format."""

from __future__ import annotations

import gzip
import random
from collections.abc import Callable

from tests.fuzz.canary import CANARY

Mutation = Callable[[random.Random, bytes], bytes]


def _cut(rng: random.Random, content: bytes) -> bytes:
    return content[: rng.randrange(len(content) + 1)]


def _flip(rng: random.Random, content: bytes) -> bytes:
    mutated = bytearray(content or b"\0")
    for _ in range(rng.choice((1, 1, 2, 8, 64))):
        mutated[rng.randrange(len(mutated))] ^= 1 << rng.randrange(8)
    return bytes(mutated)


def _insert(rng: random.Random, content: bytes) -> bytes:
    offset = rng.randrange(len(content) + 1)
    return content[:offset] + rng.choice(_HOSTILE_BYTES) + content[offset:]


def _remove(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start + rng.randrange(1, 40) :]


def _repeat(rng: random.Random, content: bytes) -> bytes:
    start = rng.randrange(len(content) + 1)
    return content[:start] + content[start : start + 200] * rng.choice((2, 20)) + content[start:]


def _whole(rng: random.Random, content: bytes) -> bytes:
    text = content.decode("utf-8", errors="replace")
    return rng.choice(
        (
            lambda: b"",
            lambda: b"\n",
            lambda: b"\0" * 512,
            lambda: b"\xef\xbb\xbf" + content,
            lambda: text.encode("utf-16"),
            lambda: text.encode("utf-32"),
            lambda: text.encode("latin-1", errors="replace"),
            lambda: content.replace(b"\n", b"\r\n"),
            lambda: content.replace(b"\n", b"\r"),
            lambda: content.replace(b"\n", b" "),
            lambda: content.replace(b"\n", "\u2028".encode()),
            lambda: rng.randbytes(400),
            lambda: gzip.compress(content),
            lambda: content + content,
            lambda: b"[" * 100_000,
            lambda: b"{" * 5_000,
            lambda: b'{"a":' * 30_000,
            lambda: b"<a>" * 100_000,
            lambda: b"- " * 3_000,
            lambda: (CANARY * 40_000)[:2_000_000].encode(),
            lambda: CANARY.encode(),
            lambda: b"null",
            lambda: b"1" * 6_000,
        )
    )()


_HOSTILE_BYTES = (
    b"\0",
    b"\xff\xfe",
    b"\x80",
    b"\xed\xa0\x80",
    b"\x1b[31m",
    b"\r",
    b"\n\n",
    b'"',
    b"'",
    b"\\",
    b"[" * 10_000,
    b"{" * 10_000,
    b"&a;",
    b"*a",
    b"\xe2\x80\xae",
    b"\xef\xbb\xbf",
    b"9" * 5_000,
    b"-1",
    CANARY.encode(),
)
_ANY_BYTES: tuple[Mutation, ...] = (_cut, _flip, _insert, _remove, _repeat, _whole)


def mutate_bytes(rng: random.Random, content: bytes) -> bytes:
    return rng.choice(_ANY_BYTES)(rng, content)
