"""Aggregates findings into codes. Each code appears once, with all of its evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from operator import attrgetter

from cclearn.codes import CodeSystem, Kind
from cclearn.coding.findings import Finding, NoteFindings, Uncited
from cclearn.coding.guidelines.flags import seventh_character_flags
from cclearn.coding.guidelines.history import history_flag, is_history
from cclearn.coding.guidelines.uncertain import FLAGS, Encounter, gives_code, withheld_flag
from cclearn.notes import Assertion, AssignedCode, CodedNote, Evidence
from cclearn.notes.spans import Span
from cclearn.notes.text_flags import text_flags

_PRECEDENCE: tuple[Assertion, ...] = ("present", "historical", "uncertain")
"""Order of precedence. A code has the first of these assertions that one of its findings has."""


def aggregate(
    note_findings: NoteFindings, system: CodeSystem, encounter: Encounter | None = None
) -> CodedNote:
    """Aggregate the findings of a note into a coded note.

    Args:
        note_findings: Findings in one note, in any order. Duplicates count once.
        system: Code system that decides on validity and rules.
        encounter: Setting of the note, which decides whether uncertain diagnoses are coded. None if it
            is not known.
    """
    note = note_findings.note
    codes = aggregate_findings(note.text, note_findings.findings, system, encounter)
    codes = _with_headers(note.text, codes, note_findings.headers, system, encounter)
    codes += _uncited({assigned.code for assigned in codes}, note_findings.uncited, system)
    return CodedNote(
        id=note.id,
        text=note.text,
        origin=note.origin,
        metadata=note.metadata,
        codes=codes,
        ungrounded=note_findings.ungrounded,
        invalid=note_findings.invalid,
        repeated=note_findings.repeated,
        flags=sorted(note_findings.flags | _note_flags(note_findings, codes, system, encounter)),
    )


def aggregate_findings(
    text: str,
    findings: Iterable[Finding],
    system: CodeSystem,
    encounter: Encounter | None = None,
) -> list[AssignedCode]:
    """Return the codes of findings, in order of first mention.

    The result does not depend on the order of the findings, and duplicates count once. The score of a
    code is the highest score of its findings.

    Args:
        text: Text of the note.
        findings: Findings in the note. Those whose assertion gives no code are ignored.
        system: Code system that provides descriptions and decides on validity.
        encounter: Setting of the note, which decides whether uncertain diagnoses are coded. None if it
            is not known.
    """
    by_code: dict[str, set[Finding]] = {}
    for finding in findings:
        if gives_code(finding, system, encounter):
            by_code.setdefault(finding.code, set()).add(finding)
    assigned = [_assign(text, code, group, system, encounter) for code, group in by_code.items()]
    return sorted(assigned, key=_first_mention)


def _first_mention(assigned: AssignedCode) -> tuple[int, int, str]:
    return assigned.evidence[0].start, assigned.evidence[0].end, assigned.code


def _assign(
    text: str, code: str, group: set[Finding], system: CodeSystem, encounter: Encounter | None
) -> AssignedCode:
    scores = [finding.score for finding in group if finding.score is not None]
    assertions = {finding.assertion for finding in group}
    assertion = next(assertion for assertion in _PRECEDENCE if assertion in assertions)
    if assertion == "present" and is_history(code, system):
        assertion = "historical"
    past = history_flag(code, system) if assertion == "historical" else None
    return AssignedCode(
        code=code,
        system=system.name,
        description=system.description(code) if code in system else "",
        score=max(scores) if scores else None,
        evidence=_evidence(text, {(finding.start, finding.end) for finding in group}),
        assertion=assertion,
        status=system.status(code),
        flags=[
            *([FLAGS[encounter]] if assertion == "uncertain" else []),
            *([past] if past else []),
            *sorted({finding.rule for finding in group if finding.rule}),
        ],
    )


def _uncited(
    cited: Collection[str], uncited: Iterable[Uncited], system: CodeSystem
) -> list[AssignedCode]:
    """Return the codes without evidence that are not cited, in the order of the answers.

    Args:
        cited: Codes with evidence.
        uncited: Codes without evidence. Each has the highest of its scores.
        system: Code system that provides descriptions and validity.
    """
    scores: dict[str, list[float]] = {}
    for found in uncited:
        scores.setdefault(found.code, []).extend([] if found.score is None else [found.score])
    return [
        AssignedCode(
            code=code,
            system=system.name,
            description=system.description(code),
            score=max(of_code, default=None),
            status=system.status(code),
        )
        for code, of_code in scores.items()
        if code not in cited
    ]


def _evidence(text: str, spans: Iterable[Span]) -> list[Evidence]:
    return [Evidence(start=start, end=end, text=text[start:end]) for start, end in sorted(spans)]


def _with_headers(
    text: str,
    codes: list[AssignedCode],
    headers: Iterable[Finding],
    system: CodeSystem,
    encounter: Encounter | None,
) -> list[AssignedCode]:
    """Replace each header by the billable code below it, if the note has exactly one.

    The evidence of the header is added to that code, which receives a flag. Nothing else of the code
    changes, and no other code is guessed. The header stays in `invalid` in any case (Official
    Guidelines, I.A.3).
    """
    by_code = {assigned.code: assigned for assigned in codes}
    for header in sorted(set(headers), key=attrgetter("start", "end", "code")):
        if not gives_code(header, system, encounter) or system[header.code].kind < Kind.CATEGORY:
            continue
        below = [c for c in by_code if c in system and header.code in system.ancestors(c)]
        if len(below) != 1:
            continue
        assigned = by_code[below[0]]
        spans = {(evidence.start, evidence.end) for evidence in assigned.evidence}
        flag = (
            f"header: {header.code} ({header.start}:{header.end}) gives way to this code"
            ' (Section I.A.3: "only codes are permissible, not categories or subcategories")'
        )
        by_code[below[0]] = assigned.model_copy(
            update={
                "evidence": _evidence(text, spans | {(header.start, header.end)}),
                "flags": list(dict.fromkeys([*assigned.flags, flag])),
            }
        )
    return sorted(by_code.values(), key=_first_mention)


def _note_flags(
    note_findings: NoteFindings,
    codes: list[AssignedCode],
    system: CodeSystem,
    encounter: Encounter | None,
) -> set[str]:
    """Return the flags of findings and answers without a code, and of unusual text."""
    assigned = {code.code for code in codes}
    withheld = (
        withheld_flag(finding, system, encounter)
        for finding in note_findings.findings
        if finding.code not in assigned
    )
    headers = {code.code for code in note_findings.invalid if code.code and code.status == "header"}
    rules = {flag for flag in withheld if flag} | seventh_character_flags(headers, system)
    return rules | text_flags(note_findings.note.text)
