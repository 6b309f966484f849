"""The features of a code that a calibration uses, such as its score and the number of mentions."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from cclearn.coding.findings import NoteFindings, largest_values, log_odds
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, CodedNote

PROBABILITY = "log_odds"
"""Name of the feature that is missing if a code has no score. Other missing features are 0."""


@dataclass(frozen=True, slots=True)
class Signals:
    """The signals of one code of a note.

    Attributes:
        probability: Highest score of the findings, between 0 and 1. None if the coder gives no scores.
        evidence: Number of distinct pieces of evidence.
        agreement: Share of the parts that found the code among all parts that contain a whole piece of
            its evidence. It is 1 if the note was read in one part.
        words: Number of words of the longest piece of evidence.
        characters: Number of code points of the longest piece of evidence. Long words are rarer and
            more specific.
        further: Largest value of each signal of the findings (`Finding.signals`), by its name.
    """

    probability: float | None
    evidence: int
    agreement: float
    words: int
    characters: int
    further: Mapping[str, float] = field(default_factory=dict)

    def features(self) -> dict[str, float]:
        """Return features of similar size by name, without `log_odds` if there is no probability."""
        found = {
            "log_evidence": math.log1p(self.evidence),
            "agreement": self.agreement,
            "log_words": math.log1p(self.words),
            "log_characters": math.log1p(self.characters),
            **self.further,
        }
        if self.probability is not None:
            found[PROBABILITY] = log_odds(self.probability)
        return found


def signals_of(coded: CodedNote, note_findings: NoteFindings) -> list[Signals]:
    """Return the signals of each code of a note, in the order of the codes.

    They depend neither on the order of the findings nor on duplicates.

    Args:
        coded: Coded note that the findings were aggregated into.
        note_findings: Findings in the note.
    """
    return [_signals(assigned, note_findings) for assigned in coded.codes]


def _signals(assigned: AssignedCode, note_findings: NoteFindings) -> Signals:
    spans = {(evidence.start, evidence.end) for evidence in assigned.evidence}
    cited = [
        finding
        for finding in note_findings.findings
        if finding.assertion in CODED_ASSERTIONS and (finding.start, finding.end) in spans
    ]
    # If no finding has this code, a rule of the classification derived it from these findings.
    supporting = [finding for finding in cited if finding.code == assigned.code] or cited
    found_in = {finding.part for finding in supporting}
    holding = {
        number
        for number, (first, last) in enumerate(note_findings.parts)
        if any(first <= start and end <= last for start, end in spans)
    }
    return Signals(
        probability=assigned.score,
        evidence=len(spans),
        agreement=len(found_in & holding) / len(holding) if len(holding) > 1 else 1.0,
        words=max((len(evidence.text.split()) for evidence in assigned.evidence), default=0),
        characters=max((end - start for start, end in spans), default=0),
        further=largest_values(finding.signals for finding in supporting),
    )
