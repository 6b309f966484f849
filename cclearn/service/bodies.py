"""Requests: the media types that they send and accept, their bodies, and the notes in them."""

from __future__ import annotations

import asyncio
import json
import re
from codecs import BOM_UTF8
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import islice
from typing import Literal

from starlette.datastructures import Headers
from starlette.requests import Request

from cclearn.errors import DataError
from cclearn.notes import Note
from cclearn.notes.jsonl import checked_rows, decode_json, parse_line, parse_row
from cclearn.service.limits import Limits
from cclearn.service.refusal import Refused

Form = Literal["application/json", "application/x-ndjson"]

JSON: Form = "application/json"
LINES: Form = "application/x-ndjson"

_NAME = "body"
"""Name of the body in messages."""

_TOKENS_A_NOTE = 16
"""Maximum number of tokens of a note: an opening brace, eight strings and four commas are 13."""

_TOKENS = (b"[", b"{", b",", b'"')
_TOKEN = re.compile(r'[\[{,"]')
_STRING = json.JSONDecoder(strict=False)
_LINE = re.compile(rb"\S[^\n]*")
"""A line that is not blank, from its first character that is not white space."""


class Room:
    """The memory for the bodies of all requests in progress.

    Args:
        size: Maximum number of bytes of all bodies together.
    """

    def __init__(self, size: int) -> None:
        self._free = size

    def take(self, size: int) -> None:
        """Reserve bytes. Raise Refused if there are too few."""
        if size > self._free:
            problem = "the bodies of all requests have reached the limit. Send it again later."
            raise Refused(429, problem, "held", 1)
        self._free -= size

    def give_back(self, size: int) -> None:
        """Release bytes that were reserved."""
        self._free += size


def sent_form(headers: Headers) -> Form:
    """Return the media type of the body. Raise Refused if it is not supported."""
    if headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "Content-Encoding: bodies are read as they are. Send it plain.", "form")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        return JSON
    if kind == LINES:
        return LINES
    raise Refused(415, f"Content-Type: it must be {JSON} or {LINES}.", "form")


def wanted_form(headers: Headers, sent: Form) -> Form:
    """Return the media type of the response.

    Args:
        headers: Headers of the request.
        sent: Media type of the body, which is preferred if the client accepts both.

    Raises:
        Refused: The client accepts neither.
    """
    weights: dict[str, float] = {}
    for part in headers.get("accept", "*/*").split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights[kind] = _weight(parameters)
    general = weights.get("application/*", weights.get("*/*", 0.0))
    # A media type that is named is preferred to one that only a wildcard covers.
    ranked = {
        form: (weights.get(form, general), form in weights, form == sent) for form in (JSON, LINES)
    }
    best: Form = max((JSON, LINES), key=ranked.__getitem__)
    if not ranked[best][0]:
        raise Refused(406, f"Accept: the answer can be {JSON} or {LINES}.", "form")
    return best


def _weight(parameters: list[str]) -> float:
    for parameter in parameters:
        if parameter.startswith("q="):
            try:
                return float(parameter[2:])
            except ValueError:
                return 0.0
    return 1.0


async def read_body(
    request: Request, limits: Limits, room: Room, taken: ExitStack, deadline: float
) -> bytes:
    """Return the body of a request. Stop reading when it is too long.

    Args:
        request: The request.
        limits: Limits of the service.
        room: Memory for bodies, in which the bytes are reserved.
        taken: Resources of the request. Closing it releases the bytes.
        deadline: Time of the event loop at which the time limit is over.

    Raises:
        Refused: The body is too long or too slow, or there is no memory for it.
        ClientDisconnect: The client has disconnected.
    """
    most = limits.body_bytes
    too_long = Refused(
        413, f"body: it has more than {limits.max_body:g} MiB. Send fewer notes at once.", "size"
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise too_long
    body = bytearray()  # Not a list, because a client may send one byte at a time.
    reserved = 0
    taken.callback(lambda: room.give_back(reserved))
    try:
        async with asyncio.timeout_at(deadline):
            async for piece in request.stream():
                if reserved + len(piece) > most:
                    raise too_long
                room.take(len(piece))
                reserved += len(piece)
                body += piece
    except TimeoutError:
        problem = f"body: it was incomplete after {limits.time_limit:g} s."
        raise Refused(408, problem, "time") from None
    return bytes(body)


def parse_notes(body: bytes, form: Form, most: int) -> tuple[list[Note], bool]:
    """Return the notes of a body, and whether the body is a single note.

    Args:
        body: One note or an array of notes as JSON, or one note on each line.
        form: Media type of the body.
        most: Maximum number of notes.

    Raises:
        Refused: The notes are too many, or one is not valid. The message is the first problem, as
            `body:NUMBER: field: problem`.
    """
    body = body.removeprefix(BOM_UTF8)
    rows: Iterator[tuple[object, int | None, Callable[[], Note]]]
    try:
        if form == LINES:
            if sum(1 for _ in islice(_LINE.finditer(body), most + 1)) > most:
                raise _too_many(most)
            _refuse_many_tokens(body, most)
            lines = _numbered_lines(body)
            rows = ((_NAME, n, partial(parse_line, line, Note, _NAME, n)) for n, line in lines)
        else:
            _refuse_many_tokens(body, most)
            value = decode_json(body, _NAME)
            if not isinstance(value, list):
                return [parse_row(value, Note, _NAME)], True
            if len(value) > most:
                raise _too_many(most)
            rows = (
                (_NAME, n, partial(parse_row, row, Note, _NAME, n))
                for n, row in enumerate(value, 1)
            )
        return list(checked_rows(rows, max_problems=1)), False
    except DataError as error:
        raise Refused(422, str(error), "contract") from None


def _numbered_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their 1-based numbers."""
    number, counted = 1, 0
    for found in _LINE.finditer(body):
        number += body.count(b"\n", counted, found.start())
        counted = found.start()
        yield number, body[body.rfind(b"\n", 0, counted) + 1 : found.end()]


def _refuse_many_tokens(body: bytes, most: int) -> None:
    """Refuse a body with more values than its notes can have, before the values take memory.

    A value of two bytes in the body can take a hundred bytes when it is parsed.

    Raises:
        Refused: The body has too many values.
    """
    limit = _TOKENS_A_NOTE * (most + 1)
    if sum(map(body.count, _TOKENS)) <= limit:
        return  # Few enough, although tokens inside strings are counted too.
    text = body.decode("latin-1")  # The characters of JSON's syntax are ASCII.
    count = position = 0
    while found := _TOKEN.search(text, position):
        count += 1
        if count > limit:
            raise _too_many(most)
        position = found.end()
        if found[0] == '"':
            try:
                _, position = _STRING.raw_decode(text, found.start())
            except ValueError:
                return  # The parser reports the error.


def _too_many(most: int) -> Refused:
    problem = (
        f"body: it has more notes than {most}, which is the limit, or more values than so many notes"
        " have. Send fewer notes at once."
    )
    return Refused(413, problem, "notes")
