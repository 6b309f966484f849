"""Which codes are taken for which: wrong codes beside missed ones of the same note, by their kinship."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.evaluation.facts import Aligned

Kinship = Literal["sibling", "cousin", "category", "chapter"]

_NEAREST: tuple[Kinship, ...] = ("sibling", "cousin", "category", "chapter")


@dataclass(frozen=True, slots=True)
class Confusion:
    """A code that was missed where a relative of it was predicted.

    Attributes:
        missed: The gold's.
        predicted: The prediction's.
        kinship: How near they are: children of one parent, of two siblings, of one category or chapter.
        notes: In how many notes.
    """

    missed: str
    predicted: str
    kinship: Kinship
    notes: int


def confusions(aligned: Aligned, system: CodeSystem) -> list[Confusion]:
    """Return the confusions, siblings first, then by how many notes have them.

    In each note a missed code is set beside the nearest wrong one, and each wrong one is used once.
    """
    counts: Counter[tuple[str, str, Kinship]] = Counter()
    for gold, answer in zip(aligned.gold, aligned.predicted, strict=True):
        missed = [c for c in gold.codes if c not in answer.codes and c in system]
        wrong = [c for c in answer.codes if c not in gold.codes and c in system]
        pairs = [
            (_NEAREST.index(kinship), m, w, kinship)
            for m in missed
            for w in wrong
            if (kinship := kinship_of(system, m, w)) is not None
        ]
        used: set[str] = set()
        for _, m, w, kinship in sorted(pairs):
            if f"missed {m}" not in used and f"wrong {w}" not in used:
                used |= {f"missed {m}", f"wrong {w}"}
                counts[m, w, kinship] += 1
    found = [Confusion(m, w, kinship, notes) for (m, w, kinship), notes in counts.items()]
    return sorted(found, key=lambda c: (_NEAREST.index(c.kinship), -c.notes, c.missed, c.predicted))


def kinship_of(system: CodeSystem, one: str, two: str) -> Kinship | None:
    """Return how near two codes of a release are, None where not even in one chapter."""
    ups, others = system.ancestors(one), system.ancestors(two)
    if not ups or not others:
        return None
    if ups[0] == others[0]:
        return "sibling"
    if len(ups) > 1 and len(others) > 1 and ups[1] == others[1]:
        return "cousin"
    # Below chapter and block stands the category.
    if len(ups) > 2 and len(others) > 2 and (one, *ups)[-3] == (two, *others)[-3]:
        return "category"
    return "chapter" if ups[-1] == others[-1] else None
