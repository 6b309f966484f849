"""How often each code was right, missed and invented."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.evaluation.scored_notes import AlignedNotes


@dataclass(frozen=True, slots=True)
class CodeCount:
    """The notes in which a code was right or wrong.

    Attributes:
        code: The code.
        title: Official title of the code, empty if the release does not contain it.
        right: Number of notes that have the code in the gold and in the prediction.
        missed: Number of notes that have the code in the gold only.
        invented: Number of notes that have the code in the prediction only.
    """

    code: str
    title: str
    right: int
    missed: int
    invented: int


def count_codes(aligned: AlignedNotes, system: CodeSystem) -> tuple[CodeCount, ...]:
    """Return the counts of all codes of the gold and of the predictions, in the order of the codes."""
    right: Counter[str] = Counter()
    missed: Counter[str] = Counter()
    invented: Counter[str] = Counter()
    for gold, answer in zip(aligned.gold, aligned.predicted, strict=True):
        expected, found = set(gold.codes), set(answer.codes)
        right.update(expected & found)
        missed.update(expected - found)
        invented.update(found - expected)
    return tuple(
        CodeCount(
            code,
            system.description(code) if code in system else "",
            right[code],
            missed[code],
            invented[code],
        )
        for code in sorted(right.keys() | missed.keys() | invented.keys())
    )
