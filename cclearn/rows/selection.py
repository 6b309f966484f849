"""Selection of training rows: weights of grades, limits, and decontamination."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cclearn.codes.strings import string_key
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.contract import Grade
from cclearn.rows.build import TrainingRow
from cclearn.rows.splits import hash_fraction, in_share

_SHINGLE = 8
"""Words per shingle (Broder 1997). Independent texts share few shingles of this length."""

_COPIED_SHARE = 0.8
"""Two notes count as copies if one of them contains this share of the other's shingles."""


def repeat_by_grade(
    rows: Iterable[TrainingRow], grades: Mapping[Grade, float], seed: int = 0
) -> Iterator[TrainingRow]:
    """Yield each row as often as the weight of its grade: 2 repeats it, 0.5 keeps half of the rows.

    Args:
        rows: Training rows. A row without a grade, or whose grade has no weight, is yielded once.
        grades: Weight of each grade.
        seed: Seed of the choice for the fractional part of a weight, which follows from the ids.
    """
    for row in rows:
        weight = 1.0 if row.grade is None else grades.get(row.grade, 1.0)
        repeats = int(weight)
        for _ in range(repeats + in_share(row.id, weight - repeats, seed)):
            yield row


def limit_rows(
    rows: Iterable[TrainingRow], most: int | None, most_per_code: int | None, seed: int = 0
) -> list[TrainingRow]:
    """Return a limited number of rows, in order. The choice depends only on the ids and the seed.

    Args:
        rows: Training rows.
        most: Maximum number of rows, None for no limit.
        most_per_code: Maximum number of span rows of one code, None for no limit.
        seed: Seed of the choice.
    """
    kept = list(rows)
    if most is None and most_per_code is None:
        return kept
    # The prefix makes the choice independent of that of `repeat_by_grade`.
    drawn = sorted(range(len(kept)), key=lambda index: hash_fraction(f"cap {kept[index].id}", seed))
    if most_per_code is not None:
        counts: Counter[str] = Counter()
        within_limit = []
        for index in drawn:
            code = kept[index].code
            counts[code] += 1
            if not code or counts[code] <= most_per_code:
                within_limit.append(index)
        drawn = within_limit
    return [kept[index] for index in sorted(drawn[:most])]


def without_long_evidence(note: CodedNote, longest: int) -> CodedNote:
    """Return a note without long evidence, and without the codes that have no other.

    A mention in several fragments may have been read with all of the text between them.

    Args:
        note: Coded note of a training set.
        longest: Maximum number of characters of a piece of evidence.
    """
    codes = []
    for assigned in note.codes:
        evidence = [piece for piece in assigned.evidence if len(piece.text) <= longest]
        if evidence:
            codes.append(assigned.model_copy(update={"evidence": evidence}))
    return note.model_copy(update={"codes": codes})


class Contamination:
    """The texts of evaluation data, which must not be trained on.

    A note is contaminated if it is a near copy of an evaluation note: one of the two contains four
    fifths of the other's shingles of eight words. A span is contaminated if its string, apart from
    case and white space, is that of an evaluation span. A span that merely occurs in an evaluation
    note is not: the names of codes are public knowledge of the classification.

    Args:
        notes: Coded notes of the evaluation data.
        spans: Span pairs of the evaluation data.
    """

    def __init__(self, notes: Iterable[CodedNote] = (), spans: Iterable[SpanPair] = ()) -> None:
        self._sizes: list[int] = []
        self._notes_with: dict[str, list[int]] = {}
        for note in notes:
            shingles = _shingles(note.text)
            for shingle in shingles:
                self._notes_with.setdefault(shingle, []).append(len(self._sizes))
            self._sizes.append(len(shingles))
        self._strings = {string_key(pair.text) for pair in spans}

    def contains(self, row: TrainingRow) -> bool:
        """Return whether the text of a row is in the evaluation data."""
        if row.note is None:
            return string_key(row.text) in self._strings
        shingles = _shingles(row.note.text)
        shared = Counter(index for s in shingles for index in self._notes_with.get(s, ()))
        return any(
            count >= _COPIED_SHARE * min(len(shingles), self._sizes[index])
            for index, count in shared.items()
        )


def _shingles(text: str) -> set[str]:
    words = text.casefold().split()
    if len(words) <= _SHINGLE:
        return {" ".join(words)}
    return {" ".join(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}
