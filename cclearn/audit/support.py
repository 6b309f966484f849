"""The support of labels: their evidence, codes in the text of notes, and codes that are not labels."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cclearn.audit.checks import Check
from cclearn.audit.inputs import NoteSet, sample_notes
from cclearn.audit.settings import AuditSettings
from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.notes import CodedNote

_TOKEN = re.compile(r"(?<![\w.])[A-Za-z\d]+(?:\.[A-Za-z\d]+)?(?!\w)")
"""Matches what may be a code, with at most one dot."""


@dataclass(frozen=True, slots=True)
class FoundCodes:
    """What the lexicon finds in notes beside their labels.

    Attributes:
        notes: Number of notes that were read.
        codes: Number of pairs of a note and a code that the lexicon finds in it.
        unlabelled: Number of these pairs whose code is not a label of the note.
        notes_with_unlabelled: Number of notes with at least one such code.
        labels: Number of labels of the notes.
        labels_found: Number of labels that the lexicon finds too.
    """

    notes: int
    codes: int
    unlabelled: int
    notes_with_unlabelled: int
    labels: int
    labels_found: int


@dataclass(frozen=True, slots=True)
class Support:
    """The support of the labels of notes.

    Attributes:
        code_texts: Notes whose text contains a code.
        unsupported: Notes with a label without evidence.
        labels: Number of labels.
        unsupported_labels: Number of labels without evidence.
        found: What the lexicon finds beside the labels; None if it was not asked.
    """

    code_texts: Check
    unsupported: Check
    labels: int
    unsupported_labels: int
    found: FoundCodes | None

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of codes in texts and of labels without evidence."""
        return self.code_texts, self.unsupported


def check_support(notes: NoteSet, settings: AuditSettings) -> Support:
    """Check that each label has evidence, and that no text contains a code.

    Args:
        notes: Notes to audit.
        settings: Settings of the audit.
    """
    code_texts: list[str] = []
    unsupported: list[str] = []
    labels = without = 0
    for note in notes.read("labels: notes"):
        if next(find_code_texts(note, notes.system), None) is not None:
            code_texts.append(note.id)
        missing = sum(not assigned.evidence for assigned in note.codes)
        if missing:
            unsupported.append(note.id)
        labels += len(note.codes)
        without += missing
    found = count_found_codes(notes, settings) if settings.lexicon_notes else None
    return Support(
        Check.of_notes(
            "code_texts",
            "notes with a code in their text",
            tuple(code_texts),
            settings.most_code_texts,
        ),
        Check.of_notes(
            "unsupported",
            "notes with a label without evidence",
            tuple(unsupported),
            settings.most_unsupported,
        ),
        labels,
        without,
        found,
    )


def find_code_texts(note: CodedNote, system: CodeSystem) -> Iterator[tuple[int, int]]:
    """Yield the offsets of the codes in the text of a note.

    A code is a label of the note in any spelling, or any code of the system with its dot. Codes of
    digits alone are not searched, because they cannot be told from measurements.

    Args:
        note: Note to search.
        system: Code system of the note.
    """
    labels = {assigned.code.replace(".", "").upper() for assigned in note.codes}
    for found in _TOKEN.finditer(note.text):
        token = found[0].upper()
        if token.isalpha() or not any(map(str.isalpha, token)):
            continue
        is_dotted = "." in token and token in system and system.canonical(token) == token
        if is_dotted or token.replace(".", "") in labels:
            yield found.span()


def count_found_codes(notes: NoteSet, settings: AuditSettings) -> FoundCodes:
    """Count the codes that the lexicon finds in a sample of notes, and those that are not labels.

    Args:
        notes: Notes with their labels.
        settings: Settings of the audit.
    """
    sample = sample_notes(notes.read("lexicon: notes"), settings.lexicon_notes, settings.seed)
    coded: Iterable[CodedNote] = LexiconCoder(notes.system).code_many(n.note for n in sample)
    if notes.progress:
        coded = notes.progress(coded, "lexicon: codes")
    codes = unlabelled = affected = labels = labels_found = 0
    for note, answer in zip(sample, coded, strict=True):
        found = {assigned.code for assigned in answer.ranked}
        own = {assigned.code for assigned in note.codes}
        codes += len(found)
        unlabelled += len(found - own)
        affected += bool(found - own)
        labels += len(own)
        labels_found += len(found & own)
    return FoundCodes(len(sample), codes, unlabelled, affected, labels, labels_found)
