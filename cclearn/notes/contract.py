"""The data contract: notes, evidence, assigned codes, coded notes and span pairs.

Offsets are half-open and count Unicode code points of the unedited note. For every piece of evidence,
`note.text[e.start:e.end] == e.text`.
"""

from __future__ import annotations

import operator
from numbers import Integral
from typing import Annotated, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

from cclearn.codes import Status
from cclearn.notes.presented import Presented

SCHEMA_VERSION = 1
"""Version of the rows below. It changes when a field is removed or changes its meaning."""

Origin = Literal["public", "synthetic", "restricted"]
"""Origin of a text. `restricted` text is sent to another machine only if both `send_restricted` and
`may_send_restricted` are set."""

Grade = Literal["gold", "silver", "synthetic"]
"""Reliability of the code of a span pair (`SpanPair`)."""

Decision = Literal["accept", "review"]
"""Decision of a calibrated coder on a code that it assigns."""

Assertion = Literal[
    "present", "negated", "family", "historical", "hypothetical", "ruled_out", "uncertain"
]
"""What a note states about a mention (`cclearn.notes.assertion`)."""

CODED_ASSERTIONS: frozenset[Assertion] = frozenset({"present", "historical", "uncertain"})
"""Assertions of mentions that are coded. Negated, family, ruled-out and hypothetical mentions are not
coded. Uncertain mentions are coded for inpatients but not for outpatients (Official Guidelines, II.H,
IV.H)."""


INSUFFICIENT = "review: insufficient evidence"
"""Flag of a rejected code of a reviewed note that may apply, although the note does not document it. Its
evidence is no negative example."""


class _Row(BaseModel):
    # The input is hidden, because pydantic would quote the text of a note in its messages.
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def _as_flag(value: object) -> object:
    """Return a flag, which Parquet has as null where JSON leaves it out."""
    return False if value is None else value


def _is_none(value: object) -> bool:
    return value is None


def _as_id(value: object) -> object:
    """Return an id, which is a string also if it was given as an integer."""
    return str(value) if isinstance(value, Integral) and not isinstance(value, bool) else value


class Note(_Row):
    """A clinical note.

    Attributes:
        id: Identifier, unique within a file. An integer becomes a string.
        text: Text of the note, which is never changed.
        origin: Origin of the text.
        metadata: Other fields of the row that the note was read from, if they were to be kept. It is
            written only if there are any.
    """

    id: Annotated[str, BeforeValidator(_as_id)] = Field(min_length=1)
    text: str
    origin: Origin = "restricted"
    metadata: dict[str, JsonValue] = Field(default={}, exclude_if=operator.not_)


class Evidence(_Row):
    """A span of a note that justifies a code.

    Attributes:
        start: Offset of the first code point.
        end: Offset after the last code point.
        text: Text of the span.
    """

    start: int = Field(ge=0)
    end: int = Field(gt=0)
    text: str = Field(min_length=1)


class AssignedCode(_Row):
    """A code assigned to a note, with the evidence that is cited for it.

    Attributes:
        code: Code in the official dotted form.
        system: Name of the code system, e.g. `icd10cm`.
        description: Official title of the code.
        score: Score between 0 and 1, None if the coder computes no scores. The score of a calibrated
            coder is the probability that the code is correct.
        evidence: Distinct pieces of evidence in order of mention.
        assertion: Assertion of the code's mentions.
        status: Validity in the release that coded the note.
        flags: Remarks for a reviewer in the form `rule: remark`. They never contain text of the note.
        decision: Decision by thresholds on the score. None without thresholds, and for rejected codes.
        principal: Whether a reviewer has marked the code as the principal diagnosis. It is written only
            if it is true.
        origin: Who asserted the code: `proposed` by a coder and confirmed by a reviewer, or `added` by a
            reviewer. None and not written if nobody has reviewed the code.
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
    principal: Annotated[bool, BeforeValidator(_as_flag)] = Field(
        default=False, exclude_if=operator.not_
    )
    origin: Literal["proposed", "added"] | None = Field(default=None, exclude_if=_is_none)


class Ungrounded(_Row):
    """A quote in a model's answer that is not in the note."""

    code: str
    quote: str


class Invalid(_Row):
    """A code in a model's answer that may not be assigned, or an unreadable line (`code` is None)."""

    code: str | None
    status: Status | Literal["unreadable"]


class Review(_Row):
    """How professional coders have reviewed a note (`cclearn review`).

    Attributes:
        reviewers: Names of the reviewers whose decisions the codes are.
        time: When the last of them finished the note, ISO 8601.
        model: Name of the coder whose proposals they reviewed.
        shown: Whether they saw the proposals.
    """

    reviewers: list[str] = Field(min_length=1)
    time: str
    model: str
    shown: bool


class CodedNote(Presented, Note):
    """A note with its codes, either the gold labels of a data set or a prediction.

    Attributes:
        codes: Assigned codes. No code occurs twice in `codes` and `rejected` together.
        rejected: Predicted codes whose score is too low. They are not assigned.
        ungrounded: Predicted quotes that are not in the note. They are counted, never repaired.
        invalid: Predicted codes that may not be assigned. They are counted, never dropped.
        repeated: Number of predicted lines that repeat a code with the same evidence.
        flags: Remarks on the whole note: a single word, e.g. `truncated`, if the answer is incomplete;
            `rule: remark` for a remark of a rule; `text: remark` for an anomaly of the note's text.
        review: How the note was reviewed. None and not written if nobody has reviewed it.
    """

    codes: list[AssignedCode] = []
    rejected: list[AssignedCode] = []
    ungrounded: list[Ungrounded] = []
    invalid: list[Invalid] = []
    repeated: int = Field(default=0, ge=0)
    flags: list[str] = []
    review: Review | None = Field(default=None, exclude_if=_is_none)

    @model_validator(mode="after")
    def _evidence_is_in_the_note(self) -> Self:
        seen: set[tuple[str, str]] = set()
        fields = [(f"codes.{index}", assigned) for index, assigned in enumerate(self.codes)]
        fields += [(f"rejected.{index}", assigned) for index, assigned in enumerate(self.rejected)]
        for field, assigned in fields:
            if (assigned.system, assigned.code) in seen:
                raise ValueError(f"{field}: {assigned.code} occurs twice")
            seen.add((assigned.system, assigned.code))
            spans = {(evidence.start, evidence.end) for evidence in assigned.evidence}
            if len(spans) < len(assigned.evidence):
                raise ValueError(f"{field}.evidence: one piece of evidence occurs twice")
            for number, evidence in enumerate(assigned.evidence):
                inside = evidence.end <= len(self.text)
                if not inside or self.text[evidence.start : evidence.end] != evidence.text:
                    raise ValueError(
                        f"{field}.evidence.{number}: the quote is not in the note"
                        f" at {evidence.start}:{evidence.end}"
                    )
        return self

    @property
    def ranked(self) -> list[AssignedCode]:
        """Codes whose assertion is coded, by decreasing score.

        Codes with equal scores, or without scores, keep their order.
        """
        coded = [assigned for assigned in self.codes if assigned.assertion in CODED_ASSERTIONS]
        return sorted(coded, key=lambda a: -a.score if a.score is not None else 0.0)

    @property
    def failures(self) -> list[str]:
        """Flags of an incomplete answer, which was cut off, refused or not given."""
        return [flag for flag in self.flags if ": " not in flag]

    @property
    def note(self) -> Note:
        """The note without its codes."""
        return Note(id=self.id, text=self.text, origin=self.origin)


class SpanPair(_Row):
    """A short text and its code.

    Attributes:
        id: Identifier, unique within a file.
        text: Text of the span.
        code: Code in the official dotted form.
        system: Name of the code system.
        release: Release whose table contains the code. A user's pairs may leave it out: it is then empty
            until `read_span_pairs` fills in the release that is loaded.
        grade: Grade of the label: `gold` from a knowledge base or a coder's annotation, `silver` found
            by a model, `synthetic` inferred by a model.
        source: Builder and field that the pair comes from, e.g. `icd10cm/title`.
        origin: Origin of the text.
        neighbour: Code whose evidence a synthetic pair was inferred from.
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
