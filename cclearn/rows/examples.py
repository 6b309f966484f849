"""Coded notes as examples for training a spaCy recogniser of evidence.

spaCy finds the reader `cclearn.CodedNotes.v1` by an entry point of the package. The configurations in
`recipes/spacy` use it.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

import spacy
from spacy.tokens import Doc, Span
from spacy.training import Example

from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes
from cclearn.notes.sections import Unit
from cclearn.rows.build import require_evidence
from cclearn.rows.checked_codes import UncitedCodes, without_uncited
from cclearn.rows.segments import note_segments

LABEL = "EVIDENCE"
"""Label of all entities and spans."""

SPANS_KEY = "sc"
"""spaCy's default key for the spans of a document. Spans may overlap, entities may not."""

_UNCITED: tuple[UncitedCodes, ...] = ("raise", "drop_code", "drop_note")
"""What can be done about codes without evidence. A recogniser cannot learn from codes alone."""

_log = logging.getLogger("spacy")


@dataclass(slots=True)
class Alignment:
    """Counts of how evidence is aligned with tokens.

    Attributes:
        segments: Number of documents.
        evidence: Number of distinct pieces of evidence.
        expanded: Number of pieces that begin or end inside a token and were expanded to it.
        blank: Number of pieces that contain only white space and were left out.
        merged: Number of pieces that cover the same tokens as another one and were left out.
        overlapping: Number of spans that are not entities, because they overlap one that ends sooner.
        longest: Length of the longest span in tokens.
    """

    segments: int = 0
    evidence: int = 0
    expanded: int = 0
    blank: int = 0
    merged: int = 0
    overlapping: int = 0
    longest: int = 0

    @property
    def level(self) -> int:
        """Logging level of the message: a warning if any annotation was changed or left out."""
        changed = self.expanded or self.blank or self.merged or self.overlapping
        return logging.WARNING if changed else logging.INFO

    def __str__(self) -> str:
        return (
            f"{self.evidence} pieces of evidence in {self.segments} segments, the longest of"
            f" {self.longest} tokens. {self.expanded} end inside a token and were expanded to it."
            f" Left out: {self.blank} blank, {self.merged} with the same tokens as another;"
            f" {self.overlapping} overlap one that ends sooner and are spans but not entities"
        )


class CodedNotes:
    """Reads examples from a file of coded notes, split into segments.

    Args:
        path: Path of a JSONL or a Parquet file of coded notes.
        unit: Kind of the segments, None for whole notes.
        uncited: What is done about codes without evidence: `raise` refuses them, `drop_code` leaves them
            out, and `drop_note` leaves out the notes with such codes.

    Attributes:
        alignment: Counts of the last complete pass over the file, None before the first.
    """

    def __init__(self, path: Path, unit: Unit | None, uncited: UncitedCodes = "raise") -> None:
        self._path = path
        self._unit = unit
        self._uncited = uncited
        self.alignment: Alignment | None = None

    def __call__(self, nlp: Any) -> Iterator[Example]:
        """Yield an example for each segment that is not blank.

        Args:
            nlp: spaCy pipeline that tokenizes the segments.

        Raises:
            DataError: A line of the file is not a valid coded note.
            ConfigurationError: A code has no evidence, and such codes are refused.
        """
        alignment = Alignment()
        for read in read_coded_notes(self._path):
            note = without_uncited(read, self._uncited)
            if note is None:
                continue
            require_evidence(note)
            for part in [note] if self._unit is None else note_segments(note, self._unit):
                if part.text.strip():
                    reference = annotate(nlp.make_doc(part.text), part, alignment)
                    yield Example(nlp.make_doc(part.text), reference)
        if self.alignment is None:
            _log.log(alignment.level, "%s: %s.", self._path, alignment)
        self.alignment = alignment


def annotate(doc: Doc, note: CodedNote, alignment: Alignment) -> Doc:
    """Set the spans and entities of a spaCy document from the evidence of a coded note.

    Args:
        doc: Document made from the text of the note.
        note: Coded note.
        alignment: Counts to update.

    Returns:
        The same document.
    """
    alignment.segments += 1
    found: dict[tuple[int, int], Span] = {}
    for start, end in sorted({(e.start, e.end) for c in note.codes for e in c.evidence}):
        alignment.evidence += 1
        words = note.text[start:end]
        # An entity must not begin or end with white space (spaCy error E024).
        start, end = (
            start + len(words) - len(words.lstrip()),
            end - len(words) + len(words.rstrip()),
        )
        if start >= end:
            alignment.blank += 1
            continue
        span = doc.char_span(start, end, LABEL, alignment_mode="expand")
        alignment.expanded += (span.start_char, span.end_char) != (start, end)
        alignment.merged += (span.start, span.end) in found
        alignment.longest = max(alignment.longest, len(span))
        found[span.start, span.end] = span
    doc.spans[SPANS_KEY] = list(found.values())
    entities: list[Span] = []
    # Choosing by the earliest end keeps as many entities as possible (Kleinberg and Tardos 2005,
    # section 4.1).
    for span in sorted(found.values(), key=lambda span: (span.end, -span.start)):
        if not entities or entities[-1].end <= span.start:
            entities.append(span)
    alignment.overlapping += len(found) - len(entities)
    doc.set_ents(entities)
    return doc


@spacy.registry.readers("cclearn.CodedNotes.v1")  # type: ignore[untyped-decorator]
def coded_notes(
    path: str | Path | None,
    segments: Unit | None = "sentence",
    uncited: UncitedCodes = "raise",
) -> CodedNotes:
    """Return the reader of examples that a spaCy configuration asks for.

    Args:
        path: Path of a JSONL or a Parquet file of coded notes.
        segments: Kind of the segments: `sentence`, `section`, or null for whole notes.
        uncited: What is done about codes without evidence: `raise`, `drop_code` or `drop_note`.

    Raises:
        ConfigurationError: The path is missing, or the kind of segments or `uncited` is not known.
    """
    problems = []
    if path is None:
        problems.append("paths: no notes are named. Give --paths.train FILE --paths.dev FILE.")
    if segments not in (None, *get_args(Unit)):
        known = ", ".join(get_args(Unit))
        problems.append(f"segments ({segments}): not known. Use {known}, or null for whole notes.")
    if uncited not in _UNCITED:
        known = ", ".join(_UNCITED)
        problems.append(f"uncited ({uncited}): not known for recognisers. Use {known}.")
    if path is None or problems:
        raise ConfigurationError(problems)
    return CodedNotes(Path(path), segments, uncited)
