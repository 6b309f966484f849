"""Coding rules as flags for a reviewer: exclusions, missing codes, limits of sex and age, suggestions.

Sections are those of the ICD-10-CM Official Guidelines for Coding and Reporting, FY 2025. A flag has
the form `rule: text`, with the wording of the rule. No rule adds, removes or changes a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cclearn.codes import CodeSystem, conflicts
from cclearn.codes.instructions import Instruction, instructions
from cclearn.codes.patient_limits import limits
from cclearn.codes.references import CodeIndex
from cclearn.coding.guidelines.additional_codes import Said
from cclearn.coding.guidelines.suggestions.suggest import suggestion_flags
from cclearn.notes import CodedNote
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.patient import read_patient

_MAX_QUOTED = 160
"""Maximum number of characters that a flag quotes from a rule."""


def add_rule_flags(
    coded: CodedNote, system: CodeSystem, assertion: AssertionLanguage = "english"
) -> CodedNote:
    """Return a note with the flags of the rules on its codes and, for suggestions, on the whole note.

    The flags of a code follow those that it already has. Those of the note are sorted.

    Args:
        coded: A coded note.
        system: Code system of the rules.
        assertion: Language of the assertion rules of the note. `off` also leaves out suggestions, which
            read English.
    """
    assigned_codes = [assigned.code for assigned in coded.codes]
    if assertion == "english" and (
        suggested := suggestion_flags(coded.text, assigned_codes, system)
    ):
        coded = coded.model_copy(update={"flags": sorted([*coded.flags, *suggested])})
    flags = code_flags(coded.text, assigned_codes, system, assertion)
    if not any(flags.values()):
        return coded
    codes = [
        assigned.model_copy(update={"flags": [*assigned.flags, *added]})
        if (added := flags[assigned.code])
        else assigned
        for assigned in coded.codes
    ]
    return coded.model_copy(update={"codes": codes})


def code_flags(
    text: str,
    codes: Sequence[str],
    system: CodeSystem,
    assertion: AssertionLanguage = "english",
) -> dict[str, list[str]]:
    """Return the flags of the codes of a note, by code.

    Args:
        text: Text of the note, whose sex and age are compared with the limits of the codes.
        codes: Assigned codes, in the order of the note.
        system: Code system of the rules. Codes that it does not contain have no rules.
        assertion: Language of the assertion rules of the note. `off` counts all mentions.
    """
    known = [code for code in codes if code in system]
    flags: dict[str, list[str]] = {code: [] for code in codes}
    for code, other, note in conflicts(system, known):
        reason = (
            f"(at {note.at}: {_quoted(note.text)}; Section I.A.12.a: not together unless unrelated)"
        )
        flags[code].append(f"excludes1: {other} {reason}")
        flags[other].append(f"excludes1: {code} {reason}")
    index = CodeIndex(known)
    positions = {code: position for position, code in enumerate(known)}
    said = Said(text, assertion)
    for code in known:
        flags[code] += _code_first(code, index, positions, system)
        flags[code] += _use_additional(code, index, said, system)
    if system.traits.has_limits:
        for code, remark in _limits(text, known):
            flags[code].append(remark)
    return flags


def _code_first(
    code: str, index: CodeIndex, positions: Mapping[str, int], system: CodeSystem
) -> Iterator[str]:
    """Section I.A.13: the underlying condition is sequenced first, the manifestation follows."""
    for note in instructions(system, code, "code_first"):
        if not note.references:
            continue
        required = {c for reference in note.references for c in index.covered_by(reference)}
        later = sorted(c for c in required if positions[c] > positions[code])
        if len(later) == len(required - {code}) and (later or note.required):
            yield f"code first: {', '.join(later) or 'missing'} {_quote_rule(note, 'I.A.13')}"


def _use_additional(code: str, index: CodeIndex, said: Said, system: CodeSystem) -> Iterator[str]:
    """Section I.B.7: "a secondary code should be added, if known", so if the note says it."""
    for note in instructions(system, code, "use_additional_code"):
        if not note.required or not note.references:
            continue
        if not any(c != code for ref in note.references for c in index.covered_by(ref)):
            place = said.place(note)
            if place is not None:
                span = f"{place[0]}:{place[1]}"
                yield f"use additional code: missing, {span} says it {_quote_rule(note, 'I.B.7')}"


def _quote_rule(note: Instruction, section: str) -> str:
    return f"(at {note.at}: {_quoted(note.text)}; Section {section})"


def _limits(text: str, codes: list[str]) -> Iterator[tuple[str, str]]:
    """Yield each code that conflicts with the sex or the age of the patient, with its flag.

    The limits are those of the Medicare Code Editor.
    """
    limited = [(code, limit) for code in codes for limit in limits(code)]
    if not limited:
        return
    patient = read_patient(text)
    for code, limit in limited:
        reason = f"({limit.codes}: {limit.reason})"
        if limit.sex and patient.sex and patient.sex.value != limit.sex:
            span = f"{patient.sex.start}:{patient.sex.end}"
            yield (
                code,
                f"sex: for {limit.sex}s {reason}; the note says {patient.sex.value} ({span})",
            )
        youngest, oldest = limit.years
        if limit.ages and patient.age and not youngest <= patient.age.value <= oldest:
            span = f"{patient.age.start}:{patient.age.end}"
            years = f"{limit.ages}, {youngest}-{oldest} years" if oldest else limit.ages
            yield code, f"age: for {years} {reason}; the note says {patient.age.value} ({span})"


def seventh_character_flags(codes: Iterable[str], system: CodeSystem) -> set[str]:
    """Return the flags of codes without their 7th character.

    Section I.A.5: it "is required for all codes within the category".
    """
    flags = set()
    for code in codes:
        found = system.seventh_characters(code) if code in system else {}
        if found:
            flags.add(f"seventh character: {code} needs one of {', '.join(found)} (Section I.A.5)")
    return flags


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= _MAX_QUOTED else f'"{text[: _MAX_QUOTED - 1]}…"'
