"""The lines of a reviewer's log. They contain offsets and codes, and no text of a note."""

from __future__ import annotations

import operator
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from cclearn.codes import CodeSystem
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, Evidence
from cclearn.notes.contract import Assertion

Verdict = Literal["undecided", "accept", "change", "reject", "defer", "insufficient"]
"""Decision on a code. `accept` also covers codes that the reviewer added. `insufficient` means that the
note does not document enough for the code, `defer` that somebody has to decide later."""

VERDICTS: dict[Verdict, str] = {
    "undecided": "undecided",
    "accept": "accepted",
    "change": "changed",
    "reject": "rejected",
    "defer": "deferred",
    "insufficient": "insufficient evidence",
}
"""The words for decisions on pages."""

ASSIGNED: frozenset[Verdict] = frozenset({"accept", "change"})
"""Decisions by which a note has a code."""

Action = Literal[
    "open",
    "accept",
    "change",
    "reject",
    "defer",
    "insufficient",
    "add",
    "evidence",
    "principal",
    "reason",
    "order",
    "undo",
    "done",
    "reopen",
]
"""What a line of the log records."""

REASON_LENGTH = 500
"""Maximum number of characters of a reason."""

Offsets = tuple[Annotated[int, Field(ge=0)], Annotated[int, Field(gt=0)]]


class _Line(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


class Entry(_Line):
    """A code of a note under review, with the decision on it.

    Attributes:
        key: Name of the entry in its note: `p` and a number if the coder proposed the code, `a` and a
            number if the reviewer added it.
        code: Code in the official dotted form. It differs from `proposed` after a change.
        system: Name of the code system.
        release: Release in which the code was proposed or chosen.
        verdict: Decision on the code.
        evidence: Offsets of the evidence in code points, half-open, in order.
        assertion: Assertion of the mentions.
        score: Score of the proposal, None if there is none.
        flags: Remarks of the coder on the proposal.
        proposed_decision: Decision of a calibrated coder on the proposal. None without thresholds.
        proposed: Code that the coder proposed. None if the reviewer added the entry.
        principal: Whether the code is the principal diagnosis.
        reason: Reason for the decision, as the reviewer typed it.
    """

    key: str
    code: str
    system: str
    release: str
    verdict: Verdict = "undecided"
    evidence: tuple[Offsets, ...] = ()
    assertion: Assertion = "present"
    score: float | None = None
    flags: tuple[str, ...] = ()
    proposed_decision: str | None = None
    proposed: str | None = None
    principal: bool = False
    reason: str = Field(default="", max_length=REASON_LENGTH)

    @property
    def is_assigned(self) -> bool:
        """Whether the note has the code by the decision of the reviewer."""
        return self.verdict in ASSIGNED

    def assigned(self, text: str, description: str) -> AssignedCode:
        """Return the entry as a code of the data contract.

        Args:
            text: Text of the note.
            description: Official title of the code.
        """
        return AssignedCode.model_validate(
            {
                "code": self.code,
                "system": self.system,
                "description": description,
                "evidence": [
                    Evidence(start=start, end=end, text=text[start:end])
                    for start, end in self.evidence
                ],
                "assertion": self.assertion,
                "principal": self.principal,
                "origin": "added" if self.proposed is None else "proposed",
            }
        )


class Event(_Line):
    """One action of a reviewer.

    Attributes:
        schema_version: Version of the line. It changes when a field is removed or gets another meaning.
        time: Time in UTC, ISO 8601.
        reviewer: Name of the reviewer.
        note: Id of the note.
        note_sha256: SHA-256 of the text of the note.
        action: What was done.
        before: The entries that the action changed, as they were before it.
        after: The same entries after it. An entry that is only in `before` was removed, and one that is
            only in `after` was added.
        order: Keys of all entries in their sequence after the action.
        done: Whether the review of the note is finished after the action.
        seconds: Seconds since the note was opened or since the reviewer's last action on it.
        shown: Whether the proposals of the coder were shown.
        model: Name of the coder that made the proposals.
        model_sha256: Hash of its model. Empty if it is not known.
        proposed: Proposals of the coder; only in the first line of a note (`open`).
    """

    schema_version: Literal[1] = 1
    time: str
    reviewer: str
    note: str
    note_sha256: str
    action: Action
    before: tuple[Entry, ...] = ()
    after: tuple[Entry, ...] = ()
    order: tuple[str, ...] = ()
    done: bool = False
    seconds: float = Field(ge=0)
    shown: bool
    model: str
    model_sha256: str = ""
    proposed: tuple[Entry, ...] = Field(default=(), exclude_if=operator.not_)


def proposals(codes: list[AssignedCode], release: str, system: CodeSystem) -> tuple[Entry, ...]:
    """Return the entries of proposed codes, in their order. Mentions that are not coded have none.

    Args:
        codes: Codes of a coded note.
        release: Release of the coder that assigned them.
        system: Code system in whose spelling the entries have their codes. Of two spellings of one code,
            the first counts, with the evidence of both.
    """
    entries: dict[str, Entry] = {}
    for number, assigned in enumerate(codes):
        if assigned.assertion not in CODED_ASSERTIONS:
            continue
        code = system.canonical(assigned.code) if assigned.code in system else assigned.code
        evidence = {(piece.start, piece.end) for piece in assigned.evidence}
        if code in entries:
            both = tuple(sorted(evidence | set(entries[code].evidence)))
            entries[code] = entries[code].model_copy(update={"evidence": both})
            continue
        entries[code] = Entry(
            key=f"p{number}",
            code=code,
            system=assigned.system,
            release=release,
            evidence=tuple(sorted(evidence)),
            assertion=assigned.assertion,
            score=assigned.score,
            flags=tuple(assigned.flags),
            proposed_decision=assigned.decision,
            proposed=code,
        )
    return tuple(entries.values())
