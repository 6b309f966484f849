"""Answers in the columns of a table with `|`: a mark under "No" negates the finding of the row."""

from __future__ import annotations

from cclearn.notes.contract import Assertion

_ANSWERS: dict[str, Assertion] = {
    **dict.fromkeys(("yes", "y", "present", "pos", "positive", "+"), "present"),
    **dict.fromkeys(("no", "n", "absent", "neg", "negative", "-"), "negated"),
}
_MARKS = frozenset(("x", "✓", "✔", "☒", "☑", "[x]", "(x)", "yes", "1"))

_MAX_ROW = 500
"""Maximum length of the part of a row on either side of a mention, in code points."""

_MAX_TABLE = 2_000
"""Maximum distance of the first row of a table, in code points."""


def column_answer(lowered: str, start: int) -> Assertion | None:
    """Return the answer that is marked in the row of a mention. None without such a table.

    Args:
        lowered: Text of the note in lower case.
        start: Offset of the mention.
    """
    # The time must not grow with the length of a line without an end.
    first, last = max(0, start - _MAX_ROW), min(len(lowered), start + _MAX_ROW)
    row_start = lowered.rfind("\n", first, start) + 1 or first
    row_end = lowered.find("\n", start, last)
    row = lowered[row_start : row_end if row_end >= 0 else last]
    if row.count("|") < 2:
        return None
    marked = {number for number, cell in enumerate(_cells(row)) if cell in _MARKS}
    lines = lowered[max(0, row_start - _MAX_TABLE) : row_start].split("\n")[:-1]
    for line in reversed(lines):
        if "|" not in line:
            return None
        header = _cells(line)
        answers = {
            _ANSWERS[cell] for n, cell in enumerate(header) if n in marked and cell in _ANSWERS
        }
        if len(answers) == 1 and sum(cell in _ANSWERS for cell in header) >= 2:
            return answers.pop()
    return None


def _cells(row: str) -> list[str]:
    return [cell.strip() for cell in row.split("|")]
