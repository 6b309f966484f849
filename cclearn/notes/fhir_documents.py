"""Notes in FHIR: a `DocumentReference` with inline text, R4 or R5, one in each line of NDJSON."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any

from cclearn.errors import DataError, shown_id

_RESOURCE = "resourceType"


def is_resource(fields: Mapping[str, Any]) -> bool:
    """Return whether a row is a resource of FHIR."""
    return isinstance(fields.get(_RESOURCE), str)


def document_fields(fields: Mapping[str, Any], name: object, number: int) -> dict[str, Any]:
    """Return the fields `id` and `text` of the note in a resource.

    The id is the first identifier with a value, or else the id of the resource. The text is that of the
    first attachment with the content type `text/plain` and inline data, which is UTF-8.

    Args:
        fields: Fields of the resource.
        name: Name of the file in messages.
        number: Number of the line, from 1.

    Raises:
        DataError: The resource is of another type, or has no inline text. The message has no text of the
            note.
    """
    kind = fields[_RESOURCE]
    if kind != "DocumentReference":
        problem = f"{shown_id(kind)}: only DocumentReference contains a note. Leave the others out"
        raise DataError(name, problem, number, _RESOURCE)
    identifiers = [part.get("value") for part in _dicts(fields.get("identifier"))]
    identifier = next((i for i in identifiers if isinstance(i, str) and i), fields.get("id"))
    return {"id": identifier, "text": _text(fields, name, number)}


def _text(fields: Mapping[str, Any], name: object, number: int) -> str:
    kinds = []
    for content in _dicts(fields.get("content")):
        for attachment in _dicts([content.get("attachment")]):
            kind = str(attachment.get("contentType", "")).partition(";")[0].strip().lower()
            data = attachment.get("data")
            if kind == "text/plain" and attachment.get("size") == 0 and data is None:
                return ""
            if kind == "text/plain" and isinstance(data, str):
                try:
                    # R4 allows white space in base64Binary.
                    return base64.b64decode("".join(data.split()), validate=True).decode("utf-8")
                except (binascii.Error, ValueError):
                    problem = "the data of text/plain is not UTF-8 in Base64"
                    raise DataError(name, problem, number, "content") from None
            kinds.append(shown_id(kind) if kind else "an attachment without a type")
    found = f" There is: {', '.join(kinds)}." if kinds else ""
    problem = f"no attachment has text/plain with inline data.{found} Export the texts inline"
    raise DataError(name, problem, number, "content")


def _dicts(value: Any) -> list[dict[str, Any]]:
    return [part for part in value if isinstance(part, dict)] if isinstance(value, list) else []
