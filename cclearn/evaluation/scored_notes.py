"""What of a coded note is scored: its codes in order, their scores, the evidence; no text is kept."""

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


@dataclass(frozen=True, slots=True)
class Span:
    """A piece of evidence, and the code that it is for.

    Attributes:
        start: Where it begins in the note, in code points.
        end: Where it ends, half-open.
        text: Its words, in lower case.
        code: The code.
        first_token: The first of the note's tokens (runs of word characters) that it touches.
        end_token: Behind the last one.
    """

    start: int
    end: int
    text: str
    code: str
    first_token: int = 0
    end_token: int = 0


@dataclass(frozen=True, slots=True)
class Facts:
    """A note as evaluation sees it.

    Attributes:
        id: The note's.
        text_hash: Of the note's text, by which two versions of a note are told apart.
        codes: The best scored first; those scored alike, or not at all, in the note's order.
        scores: Of the codes; None where any of them has none.
        spans: The evidence.
        invalid: Answered codes that may not be assigned, by status, and lines that could not be read.
        ungrounded: Answered quotes that the note does not hold.
        repeated: Answered lines that say again what a line before said.
        flags: The kinds of remarks on the prediction, each once.
        decisions: What thresholds say of each code, the rejected ones, which are none of `codes`, too;
            empty where there are no thresholds.
    """

    id: str
    text_hash: bytes
    codes: tuple[str, ...]
    scores: tuple[float, ...] | None
    spans: frozenset[Span]
    invalid: Mapping[str, int]
    ungrounded: int
    repeated: int
    flags: tuple[str, ...]
    decisions: Mapping[str, Literal["accept", "review", "reject"]] = field(default_factory=dict)

    @property
    def supported(self) -> frozenset[str]:
        """The codes that have evidence."""
        return frozenset(span.code for span in self.spans)


def facts_of(note: CodedNote) -> Facts:
    """Return what is scored of a note: codes whose assertion assigns them, and no others."""
    ranked = note.ranked
    scores = [assigned.score for assigned in ranked]
    return Facts(
        id=note.id,
        text_hash=hashlib.blake2b(note.text.encode(), digest_size=16).digest(),
        codes=tuple(sys.intern(assigned.code) for assigned in ranked),
        scores=None if None in scores else tuple(score for score in scores if score is not None),
        spans=_spans(note, ranked),
        invalid=Counter(each.status for each in note.invalid),
        ungrounded=len(note.ungrounded),
        repeated=note.repeated,
        flags=tuple(dict.fromkeys(flag.partition(": ")[0] for flag in note.flags)),
        decisions={
            **{sys.intern(a.code): "reject" for a in note.rejected},
            **{sys.intern(a.code): a.decision for a in ranked if a.decision is not None},
        },
    )


def _spans(note: CodedNote, coded: Sequence[AssignedCode]) -> frozenset[Span]:
    if not any(assigned.evidence for assigned in coded):
        return frozenset()
    tokens = [match.span() for match in _TOKEN.finditer(note.text)]
    starts, ends = [start for start, _ in tokens], [end for _, end in tokens]
    return frozenset(
        Span(
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
class Aligned:
    """Gold and prediction, note by note.

    Attributes:
        gold: The notes that were asked for.
        predicted: The answer to each; an empty one where there is none.
        missing: The notes without an answer.
    """

    gold: list[Facts]
    predicted: list[Facts]
    missing: tuple[str, ...]


def align(gold: list[Facts], answers: Iterable[CodedNote], system: str) -> Aligned:
    """Bring predictions into the order of the gold.

    Args:
        gold: The notes with the codes that are right.
        answers: A system's predictions, in any order.
        system: Its name, for messages.

    Raises:
        CclearnError: Predictions are for notes that the gold does not hold or twice for one note, or
            their text is not the gold's; all of it is told at once.
    """
    wanted = {facts.id: facts for facts in gold}
    found: dict[str, Facts] = {}
    strangers, twice, changed = [], [], []
    for note in answers:
        facts = facts_of(note)
        if facts.id not in wanted:
            strangers.append(facts.id)
        elif facts.id in found:
            twice.append(facts.id)
        elif facts.text_hash != wanted[facts.id].text_hash:
            changed.append(facts.id)
        found[facts.id] = facts
    problems = [
        f"predictions (system = {system}, ids = {_some(identifiers)}): {problem}"
        for identifiers, problem in (
            (strangers, "the gold does not hold these notes. Score them against their own gold."),
            (twice, "there are several for one note. Keep one."),
            (changed, "the text differs from the gold's. Code the gold's own notes."),
        )
        if identifiers
    ]
    if problems:
        raise ConfigurationError(problems)
    missing = tuple(facts.id for facts in gold if facts.id not in found)
    return Aligned(gold, [found.get(facts.id) or _empty(facts) for facts in gold], missing)


def _empty(facts: Facts) -> Facts:
    return Facts(facts.id, facts.text_hash, (), (), frozenset(), {}, 0, 0, ())


def _some(identifiers: list[str]) -> str:
    shown = ", ".join(map(shown_id, identifiers[:5]))
    return f"{shown}, … {len(identifiers)} in all" if len(identifiers) > 5 else shown
