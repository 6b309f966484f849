"""The rules of coding, as flags for a reviewer: what excludes what, what is missing, whom it is for.

Sections are those of the ICD-10-CM Official Guidelines for Coding and Reporting, FY 2025. A flag is
`rule: what it says`, with the rule's own words; no rule adds, drops or changes a code.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from cclearn.codes import CodeSystem, conflicts
from cclearn.codes.instructions import Instruction, instructions
from cclearn.codes.patient_limits import limits
from cclearn.codes.references import CodeIndex
from cclearn.notes import CodedNote
from cclearn.notes.patient import read_patient

_LONGEST = 160
"""Characters of a rule's text that a flag quotes."""


def add_rule_flags(coded: CodedNote, system: CodeSystem) -> CodedNote:
    """Return a note whose codes carry what the rules say of them, behind the flags that they have."""
    flags = code_flags(coded.text, [assigned.code for assigned in coded.codes], system)
    if not any(flags.values()):
        return coded
    codes = [
        assigned.model_copy(update={"flags": [*assigned.flags, *said]})
        if (said := flags[assigned.code])
        else assigned
        for assigned in coded.codes
    ]
    return coded.model_copy(update={"codes": codes})


def code_flags(text: str, codes: Sequence[str], system: CodeSystem) -> dict[str, list[str]]:
    """Return what the rules say of a note's codes, by code, rule by rule.

    Args:
        text: The note; a code's sex and age are compared with those that it states.
        codes: Those assigned, in the order of the note.
        system: The code system; codes that it does not hold have no rules.
    """
    known = [code for code in codes if code in system]
    flags: dict[str, list[str]] = {code: [] for code in codes}
    for one, two, note in conflicts(system, known):
        said = (
            f"(at {note.at}: {_quoted(note.text)}; Section I.A.12.a: not together unless unrelated)"
        )
        flags[one].append(f"excludes1: {two} {said}")
        flags[two].append(f"excludes1: {one} {said}")
    index = CodeIndex(known)
    places = {code: place for place, code in enumerate(known)}
    for code in known:
        flags[code] += _code_first(code, index, places, system)
        flags[code] += _use_additional(code, index, system)
    if system.traits.has_limits:
        for code, remark in _limits(text, known):
            flags[code].append(remark)
    return flags


def _code_first(
    code: str, index: CodeIndex, places: Mapping[str, int], system: CodeSystem
) -> Iterator[str]:
    """Section I.A.13: the underlying condition is sequenced first, the manifestation follows."""
    for note in instructions(system, code, "code_first"):
        if not note.references:
            continue
        named = {each for reference in note.references for each in index.covered_by(reference)}
        behind = sorted(each for each in named if places[each] > places[code])
        if len(behind) == len(named - {code}) and (behind or note.required):
            yield f"code first: {', '.join(behind) or 'missing'} {_said(note, 'I.A.13')}"


def _use_additional(code: str, index: CodeIndex, system: CodeSystem) -> Iterator[str]:
    """Section I.B.7: "a secondary code should be added, if known"."""
    for note in instructions(system, code, "use_additional_code"):
        if not note.required or not note.references:
            continue
        if not any(each != code for ref in note.references for each in index.covered_by(ref)):
            yield f"use additional code: missing {_said(note, 'I.B.7')}"


def _said(note: Instruction, section: str) -> str:
    return f"(at {note.at}: {_quoted(note.text)}; Section {section})"


def _limits(text: str, codes: list[str]) -> Iterator[tuple[str, str]]:
    """Sex and age conflicts, in the manner of the Medicare Code Editor."""
    limited = [(code, limit) for code in codes for limit in limits(code)]
    if not limited:
        return
    patient = read_patient(text)
    for code, limit in limited:
        said = f"({limit.codes}: {limit.reason})"
        if limit.sex and patient.sex and patient.sex.value != limit.sex:
            place = f"{patient.sex.start}:{patient.sex.end}"
            yield code, f"sex: for {limit.sex}s {said}; the note says {patient.sex.value} ({place})"
        least, most = limit.years
        if limit.ages and patient.age and not least <= patient.age.value <= most:
            place = f"{patient.age.start}:{patient.age.end}"
            years = f"{limit.ages}, {least}-{most} years" if most else limit.ages
            yield code, f"age: for {years} {said}; the note says {patient.age.value} ({place})"


def seventh_character_flags(codes: Iterable[str], system: CodeSystem) -> set[str]:
    """Return what is said of answered codes that lack their 7th character.

    Section I.A.5: it "is required for all codes within the category".
    """
    flags = set()
    for code in codes:
        found = system.seventh_characters(code) if code in system else {}
        if found:
            flags.add(f"seventh character: {code} needs one of {', '.join(found)} (Section I.A.5)")
    return flags


def _quoted(text: str) -> str:
    return f'"{text}"' if len(text) <= _LONGEST else f'"{text[: _LONGEST - 1]}…"'
