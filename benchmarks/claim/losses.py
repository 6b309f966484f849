"""Where the codes of notes are lost: in finding evidence, in choosing a code, or in deciding on it."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from cclearn.notes import AssignedCode, CodedNote
from cclearn.notes.spans import Span


def losses(
    gold: Iterable[CodedNote], coded: Iterable[CodedNote], known: Collection[str]
) -> dict[str, dict[str, int]]:
    """Return how many gold codes are left after each step, for known codes and for absent ones.

    `gold` counts the (note, code) pairs. In `evidence`, a proposed code of any kind has evidence that
    overlaps that of the gold code. In `proposed`, the code itself is proposed, and in `assigned` it is
    assigned. Proposed codes are those that are assigned or rejected.

    Args:
        gold: Gold notes.
        coded: Coded notes, in the same order.
        known: Codes of the training notes. All others are `absent`.
    """
    steps = ("gold", "evidence", "proposed", "assigned")
    found = {group: dict.fromkeys(steps, 0) for group in ("known", "absent")}
    for right, note in zip(gold, coded, strict=True):
        proposed = [*note.codes, *note.rejected]
        spans = [span for code in proposed for span in _spans(code)]
        codes = {code.code for code in proposed}
        assigned = {code.code for code in note.codes}
        for code in right.codes:
            counts = found["known" if code.code in known else "absent"]
            counts["gold"] += 1
            counts["evidence"] += any(
                start < last and first < end for first, last in _spans(code) for start, end in spans
            )
            counts["proposed"] += code.code in codes
            counts["assigned"] += code.code in assigned
    return found


def _spans(code: AssignedCode) -> list[Span]:
    return [(piece.start, piece.end) for piece in code.evidence]
