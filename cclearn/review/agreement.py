"""The agreement of reviewers, and the notes on which they disagree."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import chain, combinations
from typing import Any, NamedTuple

from cclearn.review.events import VERDICTS, Entry, Verdict
from cclearn.review.reviewed import ReviewedNote


class Agreement(NamedTuple):
    """The agreement of two reviewers on the notes that both have finished.

    Attributes:
        reviewers: Names of the reviewers.
        notes: Number of the notes.
        code_f1: Micro F1 of the codes, in which both reviewers have the same part, without codes that
            either has deferred or found insufficiently documented. None without codes.
        span_f1: Micro F1 of codes with the exact offsets of their evidence. None without evidence.
        kappa: Cohen's kappa (Cohen, 1960, doi:10.1177/001316446002000104) of the decisions whether a
            note has a code, over the codes that were proposed to either or assigned by either, without
            those that either has deferred or found insufficiently documented. None
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
        if code not in one.unclear | other.unclear
    ]
    return Agreement(
        names,
        len(notes),
        _f1([_decided(one, other, one.codes, other.codes) for one, other in notes]),
        _f1([_decided(one, other, one.spans, other.spans) for one, other in notes]),
        cohens_kappa(decisions),
        len(decisions),
    )


def _decided(
    one: ReviewedNote, other: ReviewedNote, ones: frozenset[Any], others: frozenset[Any]
) -> tuple[frozenset[Any], frozenset[Any]]:
    """Return codes, or spans with a code, without those on which either reviewer has not decided."""
    unclear = one.unclear | other.unclear

    def kept(items: frozenset[Any]) -> frozenset[Any]:
        return frozenset(i for i in items if (i if isinstance(i, str) else i[0]) not in unclear)

    return kept(ones), kept(others)


def _entry_of(note: ReviewedNote, code: str) -> Entry | None:
    """Return the entry by which a reviewer has decided on a code: first the one that assigns it."""
    entries = note.state.entries.values()
    return next(
        chain(
            (entry for entry in entries if entry.is_assigned and entry.code == code),
            (entry for entry in entries if entry.proposed == code),
            (entry for entry in entries if entry.code == code),
        ),
        None,
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
    """Return the notes that several reviewers have finished without a common decision, by id.

    Their codes are different, or one of them has deferred a code. Notes whose text was different for the
    reviewers are left out.
    """
    return {
        identifier: notes
        for identifier, notes in finished_by_id(reviewed).items()
        if len(notes) > 1
        and len({note.opened.note_sha256 for note in notes}) == 1
        and (len({note.codes for note in notes}) > 1 or any(note.has_deferred for note in notes))
    }


def adjudication_entries(notes: Sequence[ReviewedNote]) -> tuple[Entry, ...]:
    """Return the codes of a note for adjudication.

    What all reviewers have decided alike is decided already: a code that all have assigned is accepted,
    with the evidence of all of them. Other codes are undecided, and their flags name who has decided
    what. A code is the principal diagnosis if no reviewer has marked another one.

    Args:
        notes: The note as each reviewer has finished it.
    """
    entries: list[Entry] = []
    codes = dict.fromkeys(
        entry.code for note in notes for entry in note.state.entries.values() if entry.is_assigned
    )
    codes |= dict.fromkeys(
        entry.proposed or entry.code for note in notes for entry in note.state.entries.values()
    )
    principal = {e.code for note in notes for e in note.state.assigned if e.principal}
    for number, code in enumerate(codes):
        found = {note.reviewer: _entry_of(note, code) for note in notes}
        verdicts: dict[str, Verdict] = {
            name: "accept"
            if entry is not None and entry.is_assigned and entry.code == code
            else "reject"
            if entry is None or entry.is_assigned
            else entry.verdict
            for name, entry in found.items()
        }
        known = [entry for entry in found.values() if entry is not None]
        by_all = set(verdicts.values())
        flags = tuple(
            f"adjudication: {name}: {VERDICTS[verdict]}"
            for name, verdict in sorted(verdicts.items())
        )
        is_decided = len(by_all) == 1 and by_all != {"defer"}
        entries.append(
            Entry(
                key=f"p{number}",
                code=code,
                system=known[0].system,
                release=known[0].release,
                verdict=by_all.pop() if is_decided else "undecided",
                evidence=tuple(sorted({piece for entry in known for piece in entry.evidence})),
                assertion=known[0].assertion,
                flags=() if is_decided else flags,
                proposed=code if any(entry.proposed == code for entry in known) else None,
                principal=principal == {code},
            )
        )
    return tuple(entries)
