"""Requests as they come: what they send, what they want back, and the notes in them."""

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
from cclearn.notes.jsonl import checked_rows, parse_json, parse_line, parse_row
from cclearn.service.limits import Limits
from cclearn.service.refusal import Refused

Form = Literal["application/json", "application/x-ndjson"]

JSON: Form = "application/json"
LINES: Form = "application/x-ndjson"

_PLACE = "body"

_TOKENS_A_NOTE = 16
"""A note has four members: an opening brace, eight strings and four commas."""

_TOKENS = (b"[", b"{", b",", b'"')
_TOKEN = re.compile(r'[\[{,"]')
_STRING = json.JSONDecoder(strict=False)
_LINE = re.compile(rb"\S[^\n]*")
"""A line that is not blank, from its first character that is not white space."""


class Room:
    """The bytes that the bodies of all requests in progress may take.

    Args:
        size: In bytes.
    """

    def __init__(self, size: int) -> None:
        self._free = size

    def take(self, size: int) -> None:
        """Take so many. Raises Refused."""
        if size > self._free:
            problem = "the service holds as many bytes of requests as it may. Send it again later."
            raise Refused(429, problem, "held", 1)
        self._free -= size

    def give_back(self, size: int) -> None:
        """Give so many back."""
        self._free += size


def sent_form(headers: Headers) -> Form:
    """Say in which form the notes are sent. Raises Refused."""
    if headers.get("content-encoding", "identity") != "identity":
        raise Refused(415, "Content-Encoding: bodies are read as they are. Send it plain.", "form")
    kind = headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind == JSON:
        return JSON
    if kind == LINES:
        return LINES
    raise Refused(415, f"Content-Type: it must be {JSON} or {LINES}.", "form")


def wanted_form(headers: Headers, sent: Form) -> Form:
    """Say in which form the answer is wanted: the one that was sent, where both will do."""
    weights: dict[str, float] = {}
    for part in headers.get("accept", "*/*").split(","):
        kind, *parameters = (piece.strip().lower() for piece in part.split(";"))
        weights[kind] = _weight(parameters)
    general = weights.get("application/*", weights.get("*/*", 0.0))
    # Whoever names a form wants it more than one that "anything" covers.
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
    """Read a request's body piece by piece, and stop where it is too long.

    Args:
        request: The request.
        limits: Of the service.
        room: For the bytes.
        taken: Gives the room back when it is closed.
        deadline: By the loop's clock.

    Raises:
        Refused: It is too long, too slow, or there is no room.
        ClientDisconnect: The caller hung up.
    """
    most = limits.body_bytes
    too_long = Refused(
        413, f"body: it has more than {limits.max_body:g} MiB. Send fewer notes at once.", "size"
    )
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and int(declared[:20]) > most:
        raise too_long
    body = bytearray()  # Not a list: a peer may send a byte at a time.
    held = 0
    taken.callback(lambda: room.give_back(held))
    try:
        async with asyncio.timeout_at(deadline):
            async for piece in request.stream():
                if held + len(piece) > most:
                    raise too_long
                room.take(len(piece))
                held += len(piece)
                body += piece
    except TimeoutError:
        problem = f"body: it was not whole after {limits.time_limit:g} s."
        raise Refused(408, problem, "time") from None
    return bytes(body)


def read_notes(body: bytes, form: Form, most: int) -> tuple[list[Note], bool]:
    """Return the notes of a body, and whether it is one note by itself.

    Args:
        body: One note or an array of them as JSON, or a note a line.
        form: Which of the two.
        most: Notes.

    Raises:
        Refused: They are too many, or one is not what it should be; the first problem is told, as
            `body:NUMBER: field: problem`.
    """
    body = body.removeprefix(BOM_UTF8)
    rows: Iterator[tuple[int | None, Callable[[], Note]]]
    try:
        if form == LINES:
            if sum(1 for _ in islice(_LINE.finditer(body), most + 1)) > most:
                raise _too_many(most)
            _refuse_many_tokens(body, most)
            lines = _numbered_lines(body)
            rows = ((n, partial(parse_line, line, Note, _PLACE, n)) for n, line in lines)
        else:
            _refuse_many_tokens(body, most)
            value = parse_json(body, _PLACE)
            if not isinstance(value, list):
                return [parse_row(value, Note, _PLACE)], True
            if len(value) > most:
                raise _too_many(most)
            rows = ((n, partial(parse_row, row, Note, _PLACE, n)) for n, row in enumerate(value, 1))
        return list(checked_rows(rows, _PLACE, most_problems=1)), False
    except DataError as error:
        raise Refused(422, str(error), "contract") from None


def _numbered_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their numbers counted from 1."""
    number, counted = 1, 0
    for found in _LINE.finditer(body):
        number += body.count(b"\n", counted, found.start())
        counted = found.start()
        yield number, body[body.rfind(b"\n", 0, counted) + 1 : found.end()]


def _refuse_many_tokens(body: bytes, most: int) -> None:
    """Refuse a body with more values than so many notes have, before any of them takes memory.

    A value that is written in two bytes can take a hundred when it is parsed.

    Raises:
        Refused: The body has too many values.
    """
    limit = _TOKENS_A_NOTE * (most + 1)
    if sum(map(body.count, _TOKENS)) <= limit:
        return  # So few, even if those within texts are counted.
    text = body.decode("latin-1")  # The characters of JSON's own syntax are ASCII.
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
                return  # The parser reports where.


def _too_many(most: int) -> Refused:
    problem = (
        f"body: it has more notes than {most}, which is the limit, or more values than so many notes"
        " have. Send fewer notes at once."
    )
    return Refused(413, problem, "notes")
