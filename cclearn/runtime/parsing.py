"""Parsing JSON and XML that is not trusted: within a depth, and with errors that quote none of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cclearn.errors import DataError, foreign_errors
from cclearn.runtime.files import read_bytes, read_text

_DEEPEST = 100
"""How deeply the elements of an XML file, or the values of a JSON file, may be nested."""


def read_xml(path: Path) -> Any:
    """Read an XML file and return its root element; nothing outside the file is ever fetched.

    Raises:
        DataError: It is missing, is no XML, is cut off, has an encoding that is not known, or is nested
            more than 100 elements deep.
    """
    from xml.etree import ElementTree

    content = read_bytes(path)
    with foreign_errors(lambda place: DataError(path, f"cannot be read as XML ({place})")):
        try:
            root = ElementTree.fromstring(content)  # noqa: S314 - expat resolves nothing
        except ElementTree.ParseError as error:
            line, column = error.position
            raise DataError(path, f"not whole XML at column {column}", line) from None
    below = [root]
    for _ in range(_DEEPEST):
        below = [child for node in below for child in node]
        if not below:
            return root
    raise DataError(path, f"nested more than {_DEEPEST} elements deep")


def read_json(path: Path) -> Any:
    """Read a JSON file.

    Raises:
        DataError: It is missing, is no JSON, holds half of a surrogate pair or too long a number, or is
            nested more than 100 values deep.
    """
    return parse_json(read_text(path), path)


def parse_json(text: str, path: object, line: int | None = None, halves: bool = False) -> Any:
    """Parse JSON of a file.

    Args:
        text: What to parse.
        path: What messages call the file.
        line: The 1-based line that the text is, if it is one.
        halves: Whether a string may hold half of a surrogate pair, which no file can hold as UTF-8.

    Raises:
        DataError: As for `read_json`.
    """
    with foreign_errors(lambda place: DataError(path, f"not JSON ({place})", line)):
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            number = line if line is not None else error.lineno
            raise DataError(path, f"not JSON at column {error.colno}", number) from None
        if "\\u" in text and not halves:
            json.dumps(value, ensure_ascii=False).encode()
    below = [value]
    for _ in range(_DEEPEST):
        below = [
            part
            for each in below
            if isinstance(each, (dict, list))
            for part in (each.values() if isinstance(each, dict) else each)
        ]
        if not below:
            return value
    raise DataError(path, f"nested more than {_DEEPEST} values deep", line)
