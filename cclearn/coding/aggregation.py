"""From findings to codes: each code once, with all its evidence."""

from __future__ import annotations

from collections.abc import Iterable

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding, Reading
from cclearn.notes import CODED, AssignedCode, CodedNote, Evidence


def conclude(reading: Reading, system: CodeSystem) -> CodedNote:
    """Bring what was found in a note together into its codes."""
    note = reading.note
    return CodedNote(
        id=note.id,
        text=note.text,
        origin=note.origin,
        codes=aggregate(note.text, reading.findings, system),
        ungrounded=reading.ungrounded,
        invalid=reading.invalid,
        repeated=reading.repeated,
        flags=sorted(reading.flags),
    )


def aggregate(text: str, findings: Iterable[Finding], system: CodeSystem) -> list[AssignedCode]:
    """Gather findings into codes, in order of first mention.

    The result does not depend on the order of the findings, and a finding given twice counts once.
    A code's score is the best of its findings'.

    Args:
        text: The note.
        findings: What was found; those whose assertion gives no code are left out.
        system: The code system, for descriptions and validity.
    """
    by_code: dict[str, set[Finding]] = {}
    for finding in findings:
        if finding.assertion in CODED:
            by_code.setdefault(finding.code, set()).add(finding)
    assigned = [_assign(text, code, group, system) for code, group in by_code.items()]
    return sorted(assigned, key=lambda a: (a.evidence[0].start, a.evidence[0].end, a.code))


def _assign(text: str, code: str, group: set[Finding], system: CodeSystem) -> AssignedCode:
    spans = sorted({(finding.start, finding.end) for finding in group})
    scores = [finding.score for finding in group if finding.score is not None]
    present = any(finding.assertion == "present" for finding in group)
    return AssignedCode(
        code=code,
        system=system.name,
        description=system.description(code) if code in system else "",
        score=max(scores) if scores else None,
        evidence=[Evidence(start=start, end=end, text=text[start:end]) for start, end in spans],
        assertion="present" if present else "historical",
        status=system.status(code),
    )
