"""Bounds of a benchmark: scores without reading the notes, and the best scores of a shortlist."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from cclearn.notes import AssignedCode, CodedNote

FLOOR = "most frequent codes"
"""Name of the system that does not read the notes."""

BOUND_SCORES = ("micro_f1", "micro_recall", "macro_f1")
"""Names of the scores that bounds are reported with."""


@dataclass(frozen=True, slots=True)
class MostFrequentCodes:
    """Gives every note the most frequent codes of the training notes, as many as a note has on average.

    The score of a system that is not above it may owe nothing to the notes.

    Attributes:
        codes: Codes, the most frequent one first.
    """

    codes: Sequence[str]

    @classmethod
    def of(cls, counts: Mapping[str, int], notes: int) -> MostFrequentCodes:
        """Return the system of a training split.

        Args:
            counts: Number of training notes that contain each code.
            notes: Number of training notes. It is not 0.
        """
        number = round(sum(counts.values()) / notes)
        ranked = sorted(counts, key=lambda code: (-counts[code], code))
        return cls(ranked[:number])

    def code_many(self, notes: Iterable[CodedNote]) -> Iterator[CodedNote]:
        """Yield notes with the codes in place of their own."""
        assigned = [AssignedCode(code=code) for code in self.codes]
        for note in notes:
            yield CodedNote(id=note.id, text=note.text, origin=note.origin, codes=assigned)


def perfectly_filtered(
    gold: Iterable[CodedNote], predicted: Iterable[CodedNote]
) -> Iterator[CodedNote]:
    """Yield predictions without their wrong codes. Rejected codes count as predicted.

    The scores are the highest that any filter or calibration of the same shortlist can reach.

    Args:
        gold: Notes with the gold codes.
        predicted: Predictions for the same notes, in the same order.
    """
    for right, note in zip(gold, predicted, strict=True):
        codes = {assigned.code for assigned in right.ranked}
        kept = {a.code: a for a in (*note.codes, *note.rejected) if a.code in codes}
        without = [assigned.model_copy(update={"decision": None}) for assigned in kept.values()]
        yield note.model_copy(update={"codes": without, "rejected": []})
