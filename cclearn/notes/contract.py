"""What a note, its evidence, its codes and a span pair are.

Offsets are Unicode code points, half-open, into the note exactly as it was given. One invariant
holds everywhere: `note.text[e.start:e.end] == e.text`. Notes are never edited.
"""

from __future__ import annotations

from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from cclearn.codes import Status

SCHEMA_VERSION = 1
"""Of every row below; it changes when a field changes its meaning or goes."""

Origin = Literal["public", "synthetic", "restricted"]
Grade = Literal["gold", "silver", "synthetic"]
Decision = Literal["accept", "review"]
Assertion = Literal[
    "present", "negated", "family", "historical", "hypothetical", "ruled_out", "uncertain"
]


CODED: frozenset[Assertion] = frozenset({"present", "historical", "uncertain"})
"""Assertions that give a code; negated, family, ruled-out and hypothetical mentions give none.
An uncertain one gives an inpatient a code, an outpatient none (Official Guidelines, II.H, IV.H)."""


class _Row(BaseModel):
    # The input is hidden: pydantic would else quote a note's text in its messages.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Note(_Row):
    """A clinical note, exactly as it was given.

    Attributes:
        id: Unique in its file.
        text: The note; no character is ever changed.
        origin: `restricted` text never leaves the machine unless the user says so twice.
    """

    id: str = Field(min_length=1)
    text: str
    origin: Origin = "restricted"


class Evidence(_Row):
    """Words of a note that justify a code, as half-open code-point offsets."""

    start: int = Field(ge=0)
    end: int = Field(gt=0)
    text: str = Field(min_length=1)


class AssignedCode(_Row):
    """A code assigned to a note, with all the evidence that is cited for it.

    Attributes:
        code: The official dotted form.
        system: The code system, e.g. `icd10cm`.
        description: The official title.
        score: Between 0 and 1, None where nothing was scored; of a calibrated coder, the probability
            that the code is right.
        evidence: In order of mention, no two alike.
        assertion: What the note says of it.
        status: Validity in the release that coded the note.
        flags: Remarks for a reviewer, `rule: what it says`; none holds text of the note.
        decision: What thresholds on the score say; None where there are none, or the code is rejected.
    """

    code: str = Field(min_length=1)
    system: str = "icd10cm"
    description: str = ""
    score: float | None = Field(default=None, ge=0, le=1)
    evidence: list[Evidence] = []
    assertion: Assertion = "present"
    status: Status = "valid"
    flags: list[str] = []
    decision: Decision | None = None


class Ungrounded(_Row):
    """An answered quote that is not in the note."""

    code: str
    quote: str


class Invalid(_Row):
    """An answered code that may not be assigned, or a line that could not be read (`code` None)."""

    code: str | None
    status: Status | Literal["unreadable"]


class CodedNote(Note):
    """A note with its codes: the gold of a data set, or a prediction.

    Attributes:
        codes: No code stands twice, here and in `rejected` together.
        rejected: Of a prediction, the codes whose score is too low; they are not assigned.
        ungrounded: Of a prediction, the quotes that are not in the note; counted, never repaired.
        invalid: Of a prediction, the codes that may not be assigned; counted, never dropped.
        repeated: Of a prediction, the answered lines that say a code and its evidence again.
        flags: Remarks on the whole note: a word where the answer is not whole, e.g. `truncated`;
            `rule: what it says` where a rule has a remark, `text: what is odd` of the note's own text.
    """

    codes: list[AssignedCode] = []
    rejected: list[AssignedCode] = []
    ungrounded: list[Ungrounded] = []
    invalid: list[Invalid] = []
    repeated: int = Field(default=0, ge=0)
    flags: list[str] = []

    @model_validator(mode="after")
    def _evidence_is_in_the_note(self) -> Self:
        seen: set[tuple[str, str]] = set()
        placed = [(f"codes.{place}", assigned) for place, assigned in enumerate(self.codes)]
        placed += [(f"rejected.{place}", assigned) for place, assigned in enumerate(self.rejected)]
        for place, assigned in placed:
            if (assigned.system, assigned.code) in seen:
                raise ValueError(f"{place}: {assigned.code} stands twice")
            seen.add((assigned.system, assigned.code))
            spans = {(evidence.start, evidence.end) for evidence in assigned.evidence}
            if len(spans) < len(assigned.evidence):
                raise ValueError(f"{place}.evidence: one piece stands twice")
            for number, evidence in enumerate(assigned.evidence):
                inside = evidence.end <= len(self.text)
                if not inside or self.text[evidence.start : evidence.end] != evidence.text:
                    raise ValueError(
                        f"{place}.evidence.{number}: the note does not hold the quote"
                        f" at {evidence.start}:{evidence.end}"
                    )
        return self

    @property
    def ranked(self) -> list[AssignedCode]:
        """The codes that the note assigns, by their assertion: the best scored first, those scored
        alike, or not at all, in the note's order."""
        coded = [assigned for assigned in self.codes if assigned.assertion in CODED]
        return sorted(coded, key=lambda a: -a.score if a.score is not None else 0.0)

    @property
    def failures(self) -> list[str]:
        """The flags that say that the answer is not whole: cut off, refused, not given."""
        return [flag for flag in self.flags if ": " not in flag]

    @property
    def note(self) -> Note:
        """The note alone."""
        return Note(id=self.id, text=self.text, origin=self.origin)


class SpanPair(_Row):
    """A short text and the code it stands for.

    Attributes:
        id: Unique in its file.
        text: The evidence span.
        code: The official dotted form.
        system: The code system.
        release: Release whose table contains the code. A user's pairs may leave it out: it is then empty
            until `read_span_pairs` fills in the release that is loaded.
        grade: `gold` from a knowledge base, `silver` found by a model, `synthetic` inferred by one.
        source: The builder and field it came from, e.g. `icd10cm/title`.
        origin: As for a note.
        neighbour: Of a synthetic pair, the code whose evidence it was inferred from.
    """

    id: str = Field(min_length=1)
    text: str = Field(min_length=1)
    code: str = Field(min_length=1)
    system: str = "icd10cm"
    release: str = ""
    grade: Grade
    source: str
    origin: Origin = "public"
    neighbour: str | None = None
