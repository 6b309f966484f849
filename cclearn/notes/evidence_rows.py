"""The codes of a note as rows of a table: one for each piece of evidence."""

from __future__ import annotations

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
    the note (flag `ungrounded`), and for an answer that may not be assigned (flag `invalid`). A row
    lacks the columns that are empty. Flags are joined by ` | `.

    Args:
        note: A `CodedNote`.
    """
    note_fields = {"note_id": note.id, "note_flags": " | ".join(note.flags)}
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
