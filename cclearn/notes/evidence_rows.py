"""The codes of a note as rows of a table: one for each piece of evidence."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

COLUMNS = (
    "note_id",
    "code",
    "system",
    "description",
    "score",
    "start",
    "end",
    "quote",
    "assertion",
    "status",
    "flags",
    "decision",
    "note_flags",
)


def evidence_rows(note: Any) -> Iterator[dict[str, object]]:
    """Yield a row for each piece of evidence of each code of a coded note, including rejected codes.

    There is one row with otherwise empty cells for a code without evidence, for a quote that is not in
    the note (flag `ungrounded`), for an answer that may not be assigned (flag `invalid`), and for a note
    with none of these. A row lacks the columns that are empty. Flags are joined by ` | `. Metadata of
    the note follows in columns of its own.

    Args:
        note: A `CodedNote`.
    """
    note_fields: dict[str, object] = {
        **{metadata_column(key): _cell(value) for key, value in note.metadata.items()},
        "note_id": note.id,
        "note_flags": " | ".join(note.flags),
    }
    decided = [(assigned, assigned.decision or "") for assigned in note.codes]
    decided += [(assigned, "reject") for assigned in note.rejected]
    for assigned, decision in decided:
        of_code: dict[str, object] = {
            **note_fields,
            "code": assigned.code,
            "system": assigned.system,
            "description": assigned.description,
            "score": "" if assigned.score is None else assigned.score,
            "assertion": assigned.assertion,
            "status": assigned.status,
            "flags": " | ".join(assigned.flags),
            "decision": decision,
        }
        for piece in assigned.evidence:
            yield of_code | {"start": piece.start, "end": piece.end, "quote": piece.text}
        if not assigned.evidence:
            yield of_code
    for quote in note.ungrounded:
        yield {**note_fields, "code": quote.code, "quote": quote.quote, "flags": "ungrounded"}
    for answer in note.invalid:
        code = answer.code or ""
        yield {**note_fields, "code": code, "status": answer.status, "flags": "invalid"}
    if not (decided or note.ungrounded or note.invalid):
        yield note_fields


def metadata_column(key: str) -> str:
    """Return the column of a field of the metadata, which is its name if no other column has it."""
    return f"metadata.{key}" if key in COLUMNS else key


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        return json.dumps(value, ensure_ascii=False)
    return "" if value is None else value
