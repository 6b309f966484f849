"""The parts of a coded note that are scored: codes, scores and evidence, without the text."""

from __future__ import annotations

import hashlib
import re
import sys
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from cclearn.errors import ConfigurationError, shown_id
from cclearn.notes import AssignedCode, CodedNote

_TOKEN = re.compile(r"\w+")

_ADVICE = (
    "Score them against their own gold, or code only the notes of this one (cclearn code GOLD)."
)


@dataclass(frozen=True, slots=True)
class LabelledSpan:
    """A piece of evidence and the code that it supports.

    Attributes:
        start: Offset of the first character in the note, in code points.
        end: Offset after the last character.
        text: Text of the evidence in lower case.
        code: The code.
        first_token: Index of the first token of the note (run of word characters) that it overlaps.
        end_token: Index after the last token that it overlaps.
    """

    start: int
    end: int
    text: str
    code: str
    first_token: int = 0
    end_token: int = 0


@dataclass(frozen=True, slots=True)
class ScoredNote:
    """The parts of a gold or predicted note that are scored.

    Attributes:
        id: Id of the note.
        text_hash: Hash of the note's text, which distinguishes two versions of a note.
        codes: Codes in descending order of their scores; codes with equal scores, or without scores,
            keep the order of the note.
        scores: Scores of the codes; None if any code has no score.
        further: Rejected codes that have a score, in descending order of their scores. They are no
            predictions, and only follow `codes` in rankings.
        spans: Evidence of the codes.
        invalid: Number of predicted codes that may not be assigned, by status, and of unreadable lines.
        ungrounded: Number of predicted quotes that do not occur in the note.
        repeated: Number of predicted lines that repeat an earlier line.
        flags: Kinds of flags of the note, without duplicates and without suggestions for the provider.
        decisions: Decision on each code, also on rejected codes, which `codes` does not contain; empty
            without thresholds.
    """

    id: str
    text_hash: bytes
    codes: tuple[str, ...]
    scores: tuple[float, ...] | None
    further: tuple[str, ...]
    spans: frozenset[LabelledSpan]
    invalid: Mapping[str, int]
    ungrounded: int
    repeated: int
    flags: tuple[str, ...]
    decisions: Mapping[str, Literal["accept", "review", "reject"]] = field(default_factory=dict)

    @property
    def supported(self) -> frozenset[str]:
        """The codes that have evidence."""
        return frozenset(span.code for span in self.spans)


def scored_note(note: CodedNote) -> ScoredNote:
    """Return the scored parts of a note. Codes count only if their assertion assigns them."""
    ranked = note.ranked
    scores = [assigned.score for assigned in ranked]
    rejected = sorted(
        (-a.score, rank) for rank, a in enumerate(note.rejected) if a.score is not None
    )
    return ScoredNote(
        id=note.id,
        text_hash=hashlib.blake2b(note.text.encode(), digest_size=16).digest(),
        codes=tuple(sys.intern(assigned.code) for assigned in ranked),
        scores=None if None in scores else tuple(score for score in scores if score is not None),
        further=tuple(sys.intern(note.rejected[rank].code) for _, rank in rejected),
        spans=_spans(note, ranked),
        invalid=Counter(code.status for code in note.invalid),
        ungrounded=len(note.ungrounded),
        repeated=note.repeated,
        flags=tuple(
            dict.fromkeys(
                kind for flag in note.flags if (kind := flag.partition(": ")[0]) != "suggestion"
            )
        ),
        decisions={
            **{sys.intern(a.code): "reject" for a in note.rejected},
            **{sys.intern(a.code): a.decision for a in ranked if a.decision is not None},
        },
    )


def _spans(note: CodedNote, coded: Sequence[AssignedCode]) -> frozenset[LabelledSpan]:
    if not any(assigned.evidence for assigned in coded):
        return frozenset()
    tokens = [match.span() for match in _TOKEN.finditer(note.text)]
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    return frozenset(
        LabelledSpan(
            evidence.start,
            evidence.end,
            evidence.text.lower(),
            sys.intern(assigned.code),
            bisect_right(ends, evidence.start),
            bisect_left(starts, evidence.end),
        )
        for assigned in coded
        for evidence in assigned.evidence
    )


@dataclass(frozen=True, slots=True)
class AlignedNotes:
    """Gold notes and the predictions for them, in the same order.

    Attributes:
        gold: The gold notes.
        predicted: Prediction for each gold note; a note without codes if there is no prediction.
        missing: Ids of the notes without a prediction.
    """

    gold: list[ScoredNote]
    predicted: list[ScoredNote]
    missing: tuple[str, ...]


def align(gold: list[ScoredNote], predictions: Iterable[CodedNote], system: str) -> AlignedNotes:
    """Return gold notes and predictions in the same order.

    Args:
        gold: The gold notes.
        predictions: Predictions of a system, in any order.
        system: Name of the system, for error messages.

    Raises:
        ConfigurationError: A prediction belongs to no gold note, there are several predictions for one
            note, or the text of a prediction differs from the gold text. The error lists all such notes.
    """
    gold_by_id = {note.id: note for note in gold}
    predicted: dict[str, ScoredNote] = {}
    unknown, repeated, changed = [], [], []
    for note in predictions:
        prediction = scored_note(note)
        if prediction.id not in gold_by_id:
            unknown.append(prediction.id)
        elif prediction.id in predicted:
            repeated.append(prediction.id)
        elif prediction.text_hash != gold_by_id[prediction.id].text_hash:
            changed.append(prediction.id)
        predicted[prediction.id] = prediction
    problems = [
        f"predictions (system = {system}, ids = {_shown_ids(identifiers)}): {problem}"
        for identifiers, problem in (
            (unknown, f"the gold does not contain these notes. {_ADVICE}"),
            (repeated, "there are several for one note. Keep one."),
            (changed, "the text differs from the gold's. Code the gold's own notes."),
        )
        if identifiers
    ]
    if problems:
        raise ConfigurationError(problems)
    missing = tuple(note.id for note in gold if note.id not in predicted)
    answers = [predicted.get(note.id) or _without_codes(note) for note in gold]
    return AlignedNotes(gold, answers, missing)


def _without_codes(note: ScoredNote) -> ScoredNote:
    return ScoredNote(note.id, note.text_hash, (), (), (), frozenset(), {}, 0, 0, ())


def _shown_ids(identifiers: list[str]) -> str:
    shown = ", ".join(map(shown_id, identifiers[:5]))
    return f"{shown}, … {len(identifiers)} in all" if len(identifiers) > 5 else shown
