"""Requests: the media types that they send and accept, their bodies, and the notes in them."""

from __future__ import annotations

import asyncio
import json
import re
from codecs import BOM_UTF8
from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from itertools import islice
from typing import Any, Literal, NamedTuple

from starlette.datastructures import Headers
from starlette.requests import Request

from cclearn.errors import DataError, shown_id
from cclearn.notes import Note
from cclearn.notes.jsonl import decode_json, parse_row
from cclearn.runtime.files import decode_text
from cclearn.service.limits import Limits
from cclearn.service.refusal import Refused

Form = Literal["application/json", "application/x-ndjson"]

JSON: Form = "application/json"
LINES: Form = "application/x-ndjson"

_NAME = "body"
"""Name of the body in messages."""

_NOT_JSON = object()
"""Value of a line that is not JSON."""

_TOKENS_A_NOTE = 16
"""Maximum number of tokens of a note: an opening brace, eight strings and four commas are 13."""

_TOKENS = (b"[", b"{", b",", b'"')
_TOKEN = re.compile(r'[\[{,"]')
_STRING = json.JSONDecoder(strict=False)
_LINE = re.compile(rb"\S[^\n]*")
"""A line that is not blank, from its first character that is not white space."""


class BadRow(NamedTuple):
    """A row of a request that is not a valid note.

    Attributes:
        id: Id of the row, None if it has no id that can be read.
        problem: Message of the form `body:NUMBER: field: problem`, without text of the note.
        is_json: Whether the row is JSON.
    """

    id: str | None
    problem: str
    is_json: bool


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


def parse_notes(body: bytes, form: Form, most: int) -> tuple[list[Note | BadRow], bool]:
    """Return the rows of a body, and whether the body is a single note.

    Args:
        body: One note or an array of notes as JSON, or one note on each line.
        form: Media type of the body.
        most: Maximum number of notes.

    Raises:
        Refused: The notes are too many, the body or all of its lines are not JSON, or the body is a
            single note that is not valid.
    """
    body = body.removeprefix(BOM_UTF8)
    try:
        return (_parse_lines(body, most), False) if form == LINES else _parse_json(body, most)
    except DataError as error:
        raise Refused(422, str(error), "contract") from None


def _parse_lines(body: bytes, most: int) -> list[Note | BadRow]:
    if sum(1 for _ in islice(_LINE.finditer(body), most + 1)) > most:
        raise _too_many(most)
    # Each line is counted alone, because the count stops where a line is not JSON.
    _refuse_many_tokens((line for _, line in _numbered_lines(body)), body, most)
    rows = _checked_rows(_line_values(body))
    bad = [row for row in rows if isinstance(row, BadRow) and not row.is_json]
    if bad and len(bad) == len(rows):
        raise Refused(422, bad[0].problem, "contract")
    return rows


def _parse_json(body: bytes, most: int) -> tuple[list[Note | BadRow], bool]:
    _refuse_many_tokens((body,), body, most)
    value = _decode_body(body)
    escaped = b"\\u" in body
    if not isinstance(value, list):
        if escaped:
            _refuse_surrogates(value)
        return [parse_row(value, Note, _NAME)], True
    if len(value) > most:
        raise _too_many(most)
    return _checked_rows(_array_values(value, escaped)), False


def _checked_rows(values: Iterable[tuple[int, Any, DataError | None]]) -> list[Note | BadRow]:
    """Return the rows of a request.

    Args:
        values: Number and value of each row. A row that is already known to be bad has the error as
            the third item.
    """
    rows: list[Note | BadRow] = []
    seen: set[str] = set()
    for number, value, known in values:
        try:
            if known is not None:
                raise known
            note = parse_row(value, Note, _NAME, number)
            if note.id in seen:
                raise DataError(_NAME, f"'{shown_id(note.id)}' occurs twice", number, "id")
        except DataError as error:
            rows.append(BadRow(_readable_id(value), str(error), value is not _NOT_JSON))
        else:
            seen.add(note.id)
            rows.append(note)
    return rows


def _line_values(body: bytes) -> Iterator[tuple[int, Any, DataError | None]]:
    for number, line in _numbered_lines(body):
        try:
            yield number, decode_json(line, _NAME, number), None
        except DataError as error:
            yield number, _NOT_JSON, error


def _array_values(rows: list[Any], escaped: bool) -> Iterator[tuple[int, Any, DataError | None]]:
    for number, row in enumerate(rows, 1):
        problem = None
        if escaped:
            try:
                _refuse_surrogates(row, number)
            except DataError as error:
                problem = error
        yield number, row, problem


def _readable_id(value: Any) -> str | None:
    identifier = value.get("id") if isinstance(value, dict) else None
    if not identifier or not isinstance(identifier, str):
        return None
    try:
        identifier.encode()
    except UnicodeEncodeError:
        return None
    return identifier


def _decode_body(body: bytes) -> Any:
    """Return the value of a body.

    `decode_json` refuses half of a surrogate pair anywhere. Here it may be in one note of several.

    Raises:
        DataError: The body is not JSON.
    """
    try:
        return json.loads(decode_text(body, _NAME))
    except json.JSONDecodeError as error:
        raise DataError(_NAME, f"not JSON at column {error.colno}") from None
    except (RecursionError, ValueError):
        raise DataError(_NAME, "nested too deeply or with too long a number") from None


def _refuse_surrogates(value: Any, number: int | None = None) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DataError(_NAME, "contains half of a surrogate pair", number) from None
    except RecursionError:
        raise DataError(_NAME, "nested too deeply", number) from None


def _numbered_lines(body: bytes) -> Iterator[tuple[int, bytes]]:
    """Yield the lines that are not blank, with their 1-based numbers."""
    number, counted = 1, 0
    for found in _LINE.finditer(body):
        number += body.count(b"\n", counted, found.start())
        counted = found.start()
        yield number, body[body.rfind(b"\n", 0, counted) + 1 : found.end()]


def _refuse_many_tokens(parts: Iterable[bytes], body: bytes, most: int) -> None:
    """Refuse a body with more values than its notes can have, before the values take memory.

    A value of two bytes in the body can take a hundred bytes when it is parsed.

    Args:
        parts: Parts of the body that are parsed separately.
        body: The whole body.
        most: Maximum number of notes.

    Raises:
        Refused: The body has too many values.
    """
    limit = _TOKENS_A_NOTE * (most + 1)
    if sum(map(body.count, _TOKENS)) <= limit:
        return  # Few enough, although tokens inside strings are counted too.
    count = 0
    for part in parts:
        count += _count_tokens(part, limit - count)
        if count > limit:
            raise _too_many(most)


def _count_tokens(part: bytes, limit: int) -> int:
    """Return the number of tokens outside of strings. Stop after the limit, or where it is not JSON."""
    text = part.decode("latin-1")  # The characters of JSON's syntax are ASCII.
    count = position = 0
    while count <= limit and (found := _TOKEN.search(text, position)):
        count += 1
        position = found.end()
        if found[0] == '"':
            try:
                _, position = _STRING.raw_decode(text, found.start())
            except ValueError:
                return count  # The parser reports the error.
    return count


def _too_many(most: int) -> Refused:
    problem = (
        f"body: it has more notes than {most}, which is the limit, or more values than so many notes"
        " have. Send fewer notes at once."
    )
    return Refused(413, problem, "notes")
