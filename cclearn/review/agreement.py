"""The agreement of reviewers, and the notes on which they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from cclearn.review.events import Entry
from cclearn.review.reviewed import ReviewedNote


class Agreement(NamedTuple):
    """The agreement of two reviewers on the notes that both have finished.

    Attributes:
        reviewers: Names of the reviewers.
        notes: Number of the notes.
        code_f1: Micro F1 of the codes, in which both reviewers have the same part. None without codes.
        span_f1: Micro F1 of codes with the exact offsets of their evidence. None without evidence.
        kappa: Cohen's kappa (Cohen, 1960, doi:10.1177/001316446002000104) of the decisions whether a
            note has a code, over the codes that were proposed to either or assigned by either. None
            where it is not defined, because all decisions are the same.
        decisions: Number of those decisions.
    """

    reviewers: tuple[str, str]
    notes: int
    code_f1: float | None
    span_f1: float | None
    kappa: float | None
    decisions: int


def finished_by_id(reviewed: Iterable[ReviewedNote]) -> dict[str, list[ReviewedNote]]:
    """Return the finished notes by id, without adjudications."""
    found: dict[str, list[ReviewedNote]] = {}
    for note in reviewed:
        if note.state.done and not note.is_adjudicated:
            found.setdefault(note.id, []).append(note)
    return found


def agreements(reviewed: Iterable[ReviewedNote]) -> list[Agreement]:
    """Return the agreement of each pair of reviewers that have finished the same notes.

    Notes whose text was different for the two reviewers are left out.
    """
    pairs: dict[tuple[str, str], list[tuple[ReviewedNote, ReviewedNote]]] = {}
    for notes in finished_by_id(reviewed).values():
        for one, other in combinations(sorted(notes, key=lambda note: note.reviewer), 2):
            if one.opened.note_sha256 == other.opened.note_sha256:
                pairs.setdefault((one.reviewer, other.reviewer), []).append((one, other))
    return [_agreement(names, notes) for names, notes in sorted(pairs.items())]


def _agreement(
    names: tuple[str, str], notes: Sequence[tuple[ReviewedNote, ReviewedNote]]
) -> Agreement:
    decisions = [
        (code in one.codes, code in other.codes)
        for one, other in notes
        for code in sorted(one.codes | other.codes | _proposed(one) | _proposed(other))
    ]
    return Agreement(
        names,
        len(notes),
        _f1([(one.codes, other.codes) for one, other in notes]),
        _f1([(one.spans, other.spans) for one, other in notes]),
        cohens_kappa(decisions),
        len(decisions),
    )


def _proposed(note: ReviewedNote) -> frozenset[str]:
    return frozenset(entry.code for entry in note.opened.proposed)


def _f1(sets: Sequence[tuple[frozenset[object], frozenset[object]]]) -> float | None:
    total = sum(len(one) + len(other) for one, other in sets)
    return 2 * sum(len(one & other) for one, other in sets) / total if total else None


def cohens_kappa(decisions: Sequence[tuple[bool, bool]]) -> float | None:
    """Return Cohen's kappa of pairs of decisions, or None where it is not defined."""
    from sklearn.metrics import cohen_kappa_score

    one, other = ([pair[reviewer] for pair in decisions] for reviewer in (0, 1))
    if not decisions or len({*one, *other}) < 2:
        return None
    return float(cohen_kappa_score(one, other))


def disagreements(reviewed: Iterable[ReviewedNote]) -> dict[str, list[ReviewedNote]]:
    """Return the notes that several reviewers have finished with different codes, by id."""
    return {
        identifier: notes
        for identifier, notes in finished_by_id(reviewed).items()
        if len({note.codes for note in notes}) > 1
    }


def adjudication_entries(notes: Sequence[ReviewedNote]) -> tuple[Entry, ...]:
    """Return the codes of a note for adjudication.

    Codes that all reviewers have assigned are accepted already, with the evidence of all of them. The
    others are undecided, and their flags name who has assigned them.

    Args:
        notes: The note as each reviewer has finished it.
    """
    names: dict[str, list[str]] = {}
    first: dict[str, Entry] = {}
    evidence: dict[str, set[tuple[int, int]]] = {}
    for note in notes:
        for entry in note.state.assigned:
            first.setdefault(entry.code, entry)
            names.setdefault(entry.code, []).append(note.reviewer)
            evidence.setdefault(entry.code, set()).update(entry.evidence)
    everyone = {note.reviewer for note in notes}
    entries = []
    for number, (code, entry) in enumerate(first.items()):
        others = sorted(everyone - set(names[code]))
        flags = (
            ()
            if not others
            else (
                f"adjudication: assigned by {', '.join(names[code])}, not by {', '.join(others)}",
            )
        )
        entries.append(
            Entry(
                key=f"p{number}",
                code=code,
                system=entry.system,
                release=entry.release,
                verdict="undecided" if others else "accept",
                evidence=tuple(sorted(evidence[code])),
                assertion=entry.assertion,
                flags=flags,
                proposed=code,
                principal=all(
                    any(e.code == code and e.principal for e in note.state.assigned)
                    for note in notes
                ),
            )
        )
    return tuple(entries)
