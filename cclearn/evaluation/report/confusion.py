"""Confusions: missed codes of a note, each paired with a related code that was predicted instead."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.evaluation.scored_notes import AlignedNotes

Kinship = Literal["sibling", "cousin", "category", "chapter"]

_NEAREST: tuple[Kinship, ...] = ("sibling", "cousin", "category", "chapter")


@dataclass(frozen=True, slots=True)
class Confusion:
    """A gold code that was missed while a related code was predicted.

    Attributes:
        missed: The gold code.
        predicted: The predicted code.
        kinship: Relation of the codes: children of the same parent, children of two siblings, codes of
            the same category, or codes of the same chapter.
        notes: Number of notes with this confusion.
        missed_title: Official title of the gold code.
        predicted_title: Official title of the predicted code.
    """

    missed: str
    predicted: str
    kinship: Kinship
    notes: int
    missed_title: str = ""
    predicted_title: str = ""


def find_confusions(aligned: AlignedNotes, system: CodeSystem) -> list[Confusion]:
    """Return the confusions, sorted by kinship, siblings first, and by the number of notes.

    In each note, a missed code is paired with the nearest wrong code. Each code is used once.
    """
    counts: Counter[tuple[str, str, Kinship]] = Counter()
    for gold, answer in zip(aligned.gold, aligned.predicted, strict=True):
        missed = [c for c in gold.codes if c not in answer.codes and c in system]
        wrong = [c for c in answer.codes if c not in gold.codes and c in system]
        pairs = [
            (_NEAREST.index(relation), m, w, relation)
            for m in missed
            for w in wrong
            if (relation := kinship_of(system, m, w)) is not None
        ]
        used: set[str] = set()
        for _, m, w, relation in sorted(pairs):
            if f"missed {m}" not in used and f"wrong {w}" not in used:
                used |= {f"missed {m}", f"wrong {w}"}
                counts[m, w, relation] += 1
    found = [
        Confusion(m, w, relation, notes, system.description(m), system.description(w))
        for (m, w, relation), notes in counts.items()
    ]
    return sorted(found, key=lambda c: (_NEAREST.index(c.kinship), -c.notes, c.missed, c.predicted))


@dataclass(frozen=True, slots=True)
class ConfusionBranch:
    """A part of the code system with its confusions.

    Attributes:
        code: The nearest common ancestor of the confused codes.
        title: Title of the ancestor.
        notes: Number of notes with a confusion in this part, counted for each confusion.
        below: Smaller parts, sorted by the number of notes in descending order.
        confusions: Confusions that do not belong to a smaller part.
    """

    code: str
    title: str
    notes: int
    below: tuple[ConfusionBranch, ...]
    confusions: tuple[Confusion, ...]


def confusion_tree(
    confusions: Iterable[Confusion], system: CodeSystem, limit: int
) -> list[ConfusionBranch]:
    """Return the confusions of siblings and cousins, arranged by the hierarchy of the code system.

    Args:
        confusions: Confusions of a system.
        system: The code system.
        limit: Maximum number of confusions in the tree. Those with the most notes are kept.
    """
    near = [c for c in confusions if c.kinship in ("sibling", "cousin")]
    near.sort(key=lambda c: (-c.notes, c.missed, c.predicted))
    paths = []
    for confusion in near[:limit]:
        ancestors = system.ancestors(confusion.missed)
        others = system.ancestors(confusion.predicted)
        paths.append(([code for code in reversed(ancestors) if code in others], confusion))
    return _branches(paths, 0, system)


def _branches(
    paths: list[tuple[list[str], Confusion]], depth: int, system: CodeSystem
) -> list[ConfusionBranch]:
    """Return the branches at a depth. A branch that contains only one smaller branch is left out."""
    parts: dict[str, list[tuple[list[str], Confusion]]] = {}
    for path, confusion in paths:
        if len(path) > depth:
            parts.setdefault(path[depth], []).append((path, confusion))
    branches = []
    for code, inside in parts.items():
        own = tuple(confusion for path, confusion in inside if len(path) == depth + 1)
        below = _branches(inside, depth + 1, system)
        if not own and len(below) == 1:
            branches += below
            continue
        notes = sum(confusion.notes for _, confusion in inside)
        branches.append(ConfusionBranch(code, system.description(code), notes, tuple(below), own))
    return sorted(branches, key=lambda branch: (-branch.notes, branch.code))


def kinship_of(system: CodeSystem, one: str, two: str) -> Kinship | None:
    """Return the relation of two codes of a release, or None if they are in different chapters."""
    ancestors, others = system.ancestors(one), system.ancestors(two)
    if not ancestors or not others:
        return None
    if ancestors[0] == others[0]:
        return "sibling"
    if len(ancestors) > 1 and len(others) > 1 and ancestors[1] == others[1]:
        return "cousin"
    # Ancestors end with the category, the block and the chapter.
    if len(ancestors) > 2 and len(others) > 2 and (one, *ancestors)[-3] == (two, *others)[-3]:
        return "category"
    return "chapter" if ancestors[-1] == others[-1] else None
