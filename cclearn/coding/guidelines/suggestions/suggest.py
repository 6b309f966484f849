"""Suggestions as flags of a note: a code that the provider's documentation of a condition would support.

A value or a drug gives no code by itself (`suggestions.tsv` names the sections of the ICD-10-CM Official
Guidelines for Coding and Reporting, FY 2025). A flag refers to the note by offsets, not by text.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache

from cclearn.codes import CodeSystem
from cclearn.codes.patient_limits import limits
from cclearn.coding.guidelines.suggestions.current import is_considered
from cclearn.coding.guidelines.suggestions.names import NoteText
from cclearn.coding.guidelines.suggestions.table import Suggestion, suggestions
from cclearn.notes.patient import read_patient
from cclearn.notes.spans import Span

_BEGINNING = 2_000
"""Number of code points at the beginning of a note in which the sex and the age are searched."""

_ADULT = 18
"""Age from which the limits of adults apply, in years."""


def suggestion_flags(text: str, codes: Iterable[str], system: CodeSystem) -> list[str]:
    """Return the flags of codes that a note's values and drugs may support, in order of their codes.

    Args:
        text: Text of the note, in English.
        codes: Assigned codes. One of the condition, or of another one that explains a value or a drug,
            answers the suggestion.
        system: Code system of the codes. Other systems than ICD-10-CM have no suggestions.
    """
    if not system.traits.has_phrase_table:
        return []
    note = NoteText(text, _vocabulary())
    known = set(codes)
    reasons: dict[str, dict[Span, str]] = {}
    for number in _lines_in(note):
        line = suggestions()[number]
        found = line.evidence.find(note)
        others = known.union(reasons) - {line.code} if found else known
        if not found or not system.is_billable(line.code) or line.code in known:
            continue
        if any(code.startswith(line.stems) for code in others) or is_considered(note, line.words):
            continue
        span = next((span for span in found if line.evidence.is_current(note, span)), None)
        if span is None or not _may_have(note, line):
            continue
        says, section = line.evidence.says, line.evidence.section
        reason = f"{says} ({span[0]}:{span[1]}; Section {section})"
        reasons.setdefault(line.code, {}).setdefault(span, reason)
    return [
        f"suggestion: {code} {system.description(code)} needs the provider's documentation: "
        + ", ".join(reason for _, reason in sorted(reasons[code].items()))
        for code in sorted(reasons)
    ]


def _may_have(note: NoteText, line: Suggestion) -> bool:
    """Return whether a line is for the patient, of whom a note may state the sex and the age."""
    sexes = {limit.sex for limit in limits(line.code) if limit.sex}
    if not (line.is_for_adults or line.is_for_males or sexes):
        return True
    patient = note.once(read_patient, lambda: read_patient(note.text[:_BEGINNING]))
    sex, age = patient.sex, patient.age
    return not (
        (line.is_for_males and (sex is None or sex.value != "male"))
        or (line.is_for_adults and age is not None and age.value < _ADULT)
        or (sexes and sex is not None and sex.value not in sexes)
    )


def _lines_in(note: NoteText) -> list[int]:
    """Return the numbers of the lines with a name whose words are all in a note."""
    index = _lines()
    return sorted(
        {
            number
            for word in note.words
            for words, numbers in index.get(word, ())
            if words <= note.words
            for number in numbers
        }
    )


@cache
def _lines() -> dict[bytes, list[tuple[frozenset[bytes], list[int]]]]:
    """Return the words of each name and the numbers of its lines, by one of the words."""
    numbers: dict[frozenset[bytes], list[int]] = {}
    for number, line in enumerate(suggestions()):
        for names in line.evidence.names:
            for words in names.words_of_each:
                numbers.setdefault(words, []).append(number)
    found: dict[bytes, list[tuple[frozenset[bytes], list[int]]]] = {}
    for words, lines in numbers.items():
        found.setdefault(min(words), []).append((words, lines))
    return found


@cache
def _vocabulary() -> frozenset[bytes]:
    return frozenset(
        word
        for line in suggestions()
        for names in (*line.evidence.names, line.words)
        for words in names.words_of_each
        for word in words
    )
