"""Answers that a server writes as JSON, which are converted to the lines of other answers."""

from __future__ import annotations

import json
from typing import Any

from cclearn.prompts.templates import answer_lines

ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "codes": {
            "type": "array",
            "items": {
                "type": "object",
                "properties": {"evidence": {"type": "string"}, "code": {"type": "string"}},
                "required": ["evidence", "code"],
                "additionalProperties": False,
            },
        }
    },
    "required": ["codes"],
    "additionalProperties": False,
}
"""JSON schema of an answer: a list of codes, each with its evidence."""


def answer_from_json(text: str, complete: bool) -> str:
    """Convert a structured answer to lines. Raises ValueError if it does not have the requested form."""
    if not complete:
        return ""  # A truncated JSON text cannot be read.
    rows = json.loads(text)["codes"]
    return answer_lines((str(row["evidence"]), str(row["code"])) for row in rows)
