"""Which codes are taken for which: wrong codes beside missed ones of the same note, by their kinship."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.evaluation.scored_notes import Aligned

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


@dataclass(frozen=True, slots=True)
class Branch:
    """A part of the code system, with what was confused in it.

    Attributes:
        code: The nearest code, block or chapter above all of it.
        title: Its title.
        notes: In how many notes a code of it was taken for another, each pair counted.
        below: Smaller parts of it, those with the most first.
        confusions: Those between codes that no smaller part holds both of.
    """

    code: str
    title: str
    notes: int
    below: tuple[Branch, ...]
    confusions: tuple[Confusion, ...]


def confusion_tree(found: Iterable[Confusion], system: CodeSystem, most: int) -> list[Branch]:
    """Return where in the hierarchy siblings and cousins are confused.

    Args:
        found: Confusions.
        system: The code system.
        most: How many of them the tree may hold; those in most notes are taken.
    """
    near = [each for each in found if each.kinship in ("sibling", "cousin")]
    near.sort(key=lambda each: (-each.notes, each.missed, each.predicted))
    paths = []
    for each in near[:most]:
        above, others = system.ancestors(each.missed), system.ancestors(each.predicted)
        paths.append(([code for code in reversed(above) if code in others], each))
    return _branches(paths, 0, system)


def _branches(
    paths: list[tuple[list[str], Confusion]], depth: int, system: CodeSystem
) -> list[Branch]:
    """Return the branches at a depth; one that has a single branch and nothing else is left out."""
    parts: dict[str, list[tuple[list[str], Confusion]]] = {}
    for path, each in paths:
        if len(path) > depth:
            parts.setdefault(path[depth], []).append((path, each))
    branches = []
    for code, inside in parts.items():
        here = tuple(each for path, each in inside if len(path) == depth + 1)
        below = _branches(inside, depth + 1, system)
        if not here and len(below) == 1:
            branches += below
            continue
        notes = sum(each.notes for _, each in inside)
        branches.append(Branch(code, system.description(code), notes, tuple(below), here))
    return sorted(branches, key=lambda branch: (-branch.notes, branch.code))


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
