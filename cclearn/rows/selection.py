"""Which rows of a source are trained on: weights of grades, caps, and what an evaluation holds."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping

from cclearn.codes.strings import string_key
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.contract import Grade
from cclearn.rows.build import TrainingRow
from cclearn.rows.splits import hash_fraction, in_share

_SHINGLE = 8
"""Words of a shingle (Broder 1997); of those that two notes share, a text of its own has few."""

_CONTAINED = 0.8
"""A note is held for another's copy when it holds this share of the other's shingles, or the other of
its own."""


def repeat_by_grade(
    rows: Iterable[TrainingRow], grades: Mapping[Grade, float], seed: int = 0
) -> Iterator[TrainingRow]:
    """Yield each row as often as its grade says: 2 gives it twice, 0.5 half of the rows, 0 none.

    Args:
        rows: Those without a grade, or of one that is not named, are yielded once.
        grades: How often a row of each grade is to stand.
        seed: Of the draw by ids, which decides over the broken part.
    """
    for row in rows:
        weight = 1.0 if row.grade is None else grades.get(row.grade, 1.0)
        whole = int(weight)
        for _ in range(whole + in_share(row.id, weight - whole, seed)):
            yield row


def limit_rows(
    rows: Iterable[TrainingRow], most: int | None, most_per_code: int | None, seed: int = 0
) -> list[TrainingRow]:
    """Return at most so many rows, in their order; which are kept follows from their ids alone.

    Args:
        rows: What to choose from.
        most: Rows in all; None for no limit.
        most_per_code: Span rows of one code; None for no limit.
        seed: Of the draw.
    """
    kept = list(rows)
    if most is None and most_per_code is None:
        return kept
    # Another draw than that of the grades, which kept the rows that are first in it.
    drawn = sorted(range(len(kept)), key=lambda place: hash_fraction(f"cap {kept[place].id}", seed))
    if most_per_code is not None:
        counts: Counter[str] = Counter()
        few = []
        for place in drawn:
            counts[kept[place].code] += 1
            if not kept[place].code or counts[kept[place].code] <= most_per_code:
                few.append(place)
        drawn = few
    return [kept[place] for place in sorted(drawn[:most])]


class Contamination:
    """Knows the texts of an evaluation, so that none of them is trained on.

    A note is one of them where it is their copy, but for small changes: one of the two has four fifths
    of the other's shingles of eight words. A span is one where its string is that of an evaluation's
    span, casing and blanks aside. A span that merely stands in an evaluation's note stays: that a code
    is called so is what the classification says, and what is to be learnt.
    """

    def __init__(self, notes: Iterable[CodedNote] = (), spans: Iterable[SpanPair] = ()) -> None:
        self._sizes: list[int] = []
        self._holders: dict[str, list[int]] = {}
        for note in notes:
            shingles = _shingles(note.text)
            for shingle in shingles:
                self._holders.setdefault(shingle, []).append(len(self._sizes))
            self._sizes.append(len(shingles))
        self._strings = {string_key(pair.text) for pair in spans}

    def contains(self, row: TrainingRow) -> bool:
        """Say whether a row is of the evaluation."""
        if row.note is None:
            return string_key(row.text) in self._strings
        shingles = _shingles(row.note.text)
        shared = Counter(place for s in shingles for place in self._holders.get(s, ()))
        return any(
            count >= _CONTAINED * min(len(shingles), self._sizes[place])
            for place, count in shared.items()
        )


def _shingles(text: str) -> set[str]:
    words = text.casefold().split()
    if len(words) <= _SHINGLE:
        return {" ".join(words)}
    return {" ".join(words[i : i + _SHINGLE]) for i in range(len(words) - _SHINGLE + 1)}
