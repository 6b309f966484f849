"""Parsers of untrusted JSON and XML, with a limit on depth and with errors that quote nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from cclearn.errors import DataError, foreign_errors
from cclearn.runtime.files import read_bytes, read_text

_MAX_DEPTH = 100
"""Maximum depth of the elements of an XML file or of the values of a JSON file."""


def read_xml(path: Path) -> Any:
    """Return the root element of an XML file. Nothing outside the file is ever fetched.

    Raises:
        DataError: The file is missing, is not XML, is incomplete, has an unknown encoding, or is nested
            more than 100 elements deep.
    """
    from xml.etree import ElementTree

    content = read_bytes(path)
    with foreign_errors(lambda error: DataError(path, f"cannot be read as XML ({error})")):
        try:
            root = ElementTree.fromstring(content)  # noqa: S314 - expat resolves nothing
        except ElementTree.ParseError as error:
            line, column = error.position
            raise DataError(path, f"incomplete or malformed XML at column {column}", line) from None
    below = [root]
    for _ in range(_MAX_DEPTH):
        below = [child for node in below for child in node]
        if not below:
            return root
    raise DataError(path, f"nested more than {_MAX_DEPTH} elements deep")


def read_json(path: Path) -> Any:
    """Return the value in a JSON file.

    Raises:
        DataError: The file is missing, is not JSON, contains half of a surrogate pair or a number
            that is too long, or is nested more than 100 values deep.
    """
    return parse_json(read_text(path), path)


def parse_json(
    text: str, path: object, line: int | None = None, lone_surrogates: bool = False
) -> Any:
    """Return the value in a JSON text.

    Args:
        text: Text to parse.
        path: Name of the file in messages.
        line: Number of the line, from 1. None if the text is not one line of a file.
        lone_surrogates: Whether strings may contain lone surrogates, which UTF-8 cannot represent.

    Raises:
        DataError: The text is not JSON, contains half of a surrogate pair or a number that is too long,
            or is nested more than 100 values deep.
    """
    with foreign_errors(lambda error: DataError(path, f"not JSON ({error})", line)):
        try:
            value = json.loads(text)
        except json.JSONDecodeError as error:
            number = line if line is not None else error.lineno
            raise DataError(path, f"not JSON at column {error.colno}", number) from None
        if "\\u" in text and not lone_surrogates:
            json.dumps(value, ensure_ascii=False).encode()
    below = [value]
    for _ in range(_MAX_DEPTH):
        below = [
            part
            for node in below
            if isinstance(node, (dict, list))
            for part in (node.values() if isinstance(node, dict) else node)
        ]
        if not below:
            return value
    raise DataError(path, f"nested more than {_MAX_DEPTH} values deep", line)
