"""What speaks for a code: how sure the coder was, how often and how widely it was found."""

from __future__ import annotations

import math
from dataclasses import dataclass

from cclearn.coding.findings import Reading
from cclearn.notes import CODED, AssignedCode, CodedNote

_CERTAIN = 1e-6
"""Probabilities this close to 0 and 1 count as so far from them, for their log-odds are infinite."""


@dataclass(frozen=True, slots=True)
class Signals:
    """What speaks for one code of a note.

    Attributes:
        probability: The best of its findings', between 0 and 1; None where nothing was scored.
        evidence: How many distinct pieces of evidence it has.
        agreement: Of the parts of the note that hold any of its evidence whole, the share that found it;
            1 where the note was read in one part.
        words: Of its longest piece of evidence.
        characters: Likewise. Long words are rarer and say more.
    """

    probability: float | None
    evidence: int
    agreement: float
    words: int
    characters: int

    def features(self) -> dict[str, float]:
        """Return them as numbers of like size; `log_odds` only where there is a probability."""
        found = {
            "log_evidence": math.log1p(self.evidence),
            "agreement": self.agreement,
            "log_words": math.log1p(self.words),
            "log_characters": math.log1p(self.characters),
        }
        if self.probability is not None:
            found["log_odds"] = log_odds(self.probability)
        return found


def log_odds(probability: float) -> float:
    """Return log(p / (1 − p)), finite at 0 and 1 too; NaN stays NaN."""
    inside = probability
    if not math.isnan(probability):
        inside = min(max(probability, _CERTAIN), 1 - _CERTAIN)
    return math.log(inside / (1 - inside))


def signals_of(coded: CodedNote, reading: Reading) -> list[Signals]:
    """Return the signals of each code of a note, in the note's order.

    They do not depend on the order of what was found, nor on how often it stands there.

    Args:
        coded: What the reading was brought together into.
        reading: What was found.
    """
    return [_signals(assigned, reading) for assigned in coded.codes]


def _signals(assigned: AssignedCode, reading: Reading) -> Signals:
    spans = {(evidence.start, evidence.end) for evidence in assigned.evidence}
    there = [
        finding
        for finding in reading.findings
        if finding.assertion in CODED and (finding.start, finding.end) in spans
    ]
    # Where no finding has the code itself, a rule of the classification has made it of theirs.
    mine = [finding for finding in there if finding.code == assigned.code] or there
    found_in = {finding.part for finding in mine}
    holding = {
        number
        for number, (first, last) in enumerate(reading.parts)
        if any(first <= start and end <= last for start, end in spans)
    }
    return Signals(
        probability=assigned.score,
        evidence=len(spans),
        agreement=len(found_in & holding) / len(holding) if len(holding) > 1 else 1.0,
        words=max((len(evidence.text.split()) for evidence in assigned.evidence), default=0),
        characters=max((end - start for start, end in spans), default=0),
    )
