"""Descriptions of requests and responses for the OpenAPI document of the service."""

from __future__ import annotations

from typing import Any

from cclearn.service.bodies import JSON, LINES
from cclearn.service.schemas import CodedRow, CodedRowWithoutText, NoteRow, Problem, UncodedRow

Responses = dict[int | str, dict[str, Any]]

_DESCRIPTIONS = {
    401: "The key is missing or wrong.",
    403: "`Host` or `Origin` is not a name of this service; or the text is restricted and the model"
    " runs on another machine.",
    404: "The release does not have the code.",
    406: "The client accepts none of the media types of the response.",
    408: "The body was not complete within the time limit.",
    413: "The body is too long, or it has too many notes.",
    415: "The media type of the body is not supported.",
    422: "The request is not valid.",
    429: "Too many notes are waiting. `Retry-After` is the number of seconds to wait.",
    500: "The service or its coder failed.",
    502: "The model, or the server that runs it, gave no answer.",
    503: "No coder is running.",
    504: "The time limit is over.",
}

_RETRY_AFTER = {
    "Retry-After": {
        "description": "Number of seconds to wait.",
        "schema": {"type": "integer", "minimum": 1},
    }
}

_NOTE = NoteRow.model_json_schema()
# Any value. The reference that pydantic writes instead leads nowhere in the document.
_NOTE.pop("$defs")
_NOTE["properties"]["metadata"]["additionalProperties"] = True

NOTES_BODY = {
    "required": True,
    "description": "One note, an array of notes, or one note on each line. Ids must be unique. If the"
    " body is not a single note, a row that is not a valid note gets an entry with the error in the"
    " response, and the other notes are coded.",
    "content": {
        JSON: {
            "schema": {"anyOf": [_NOTE, {"type": "array", "items": _NOTE}]},
            "example": {"id": "1", "text": "Acute heart failure."},
        },
        LINES: {"schema": {"type": "string", "description": "One note on each line."}},
    },
}
"""The request body of `/code`."""

CODED_NOTES: Responses = {
    200: {
        "model": CodedRow | CodedRowWithoutText | list[CodedRow | CodedRowWithoutText | UncodedRow],
        "description": "One coded note for one note. Otherwise an entry for each row in the order of"
        " the request, as an array or as lines: the coded note, or the `id` and the `error` of a note"
        " that was not coded. With `echo=false`, coded notes have no text.",
        "content": {LINES: {"schema": {"type": "string"}}},
    }
}
"""The successful response of `/code`."""


def problems(*statuses: int) -> Responses:
    """Return the descriptions of error responses.

    Args:
        statuses: The HTTP status codes that a route can answer with.
    """
    responses: Responses = {
        status: {"model": Problem, "description": _DESCRIPTIONS[status]} for status in statuses
    }
    for status in {429, 503}.intersection(statuses):
        responses[status]["headers"] = _RETRY_AFTER
    return responses
