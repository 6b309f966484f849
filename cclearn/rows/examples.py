"""Coded notes as the examples that spaCy trains a recogniser of evidence on.

spaCy finds `cclearn.CodedNotes.v1` by an entry point of the package; the configurations under
`recipes/spacy` name it.
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
from cclearn.rows.segments import note_segments

LABEL = "EVIDENCE"
"""Of every entity and span."""

SPANS_KEY = "sc"
"""Under which a document keeps its spans, by spaCy's default; they may overlap, its entities may not."""

_log = logging.getLogger("spacy")


@dataclass(slots=True)
class Alignment:
    """How the evidence of notes lies on tokens.

    Attributes:
        segments: Documents that were made.
        evidence: Pieces of evidence, each range of a note once.
        expanded: Those that begin or end inside a token, which is then taken whole.
        blank: Those that hold no token but white space; left out.
        merged: Those that others have the tokens of, once expanded; they count once.
        overlapping: Spans that are no entity, for one that ends sooner overlaps them.
        longest: Tokens of the longest span.
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
        """Of the message that says so: a warning where something is not as it was annotated."""
        changed = self.expanded or self.blank or self.merged or self.overlapping
        return logging.WARNING if changed else logging.INFO

    def __str__(self) -> str:
        return (
            f"{self.evidence} pieces of evidence in {self.segments} segments, the longest of"
            f" {self.longest} tokens. {self.expanded} end inside a token and take it whole."
            f" Left out: {self.blank} blank, {self.merged} on the tokens of another;"
            f" {self.overlapping} overlap one that ends sooner and are spans, but no entities"
        )


class CodedNotes:
    """Reads examples from a file of coded notes, split into segments.

    Args:
        path: JSONL or Parquet of the contract.
        unit: What a segment is; None for whole notes.

    Attributes:
        alignment: Of what was read last, whole files only.
    """

    def __init__(self, path: Path, unit: Unit | None) -> None:
        self._path = path
        self._unit = unit
        self.alignment: Alignment | None = None

    def __call__(self, nlp: Any) -> Iterator[Example]:
        """Yield an example for each segment that holds a token.

        Raises:
            DataError: The file is not what it should be.
            ConfigurationError: A code has no evidence.
        """
        alignment = Alignment()
        for note in read_coded_notes(self._path):
            require_evidence(note)
            for part in [note] if self._unit is None else note_segments(note, self._unit):
                if part.text.strip():
                    reference = annotate(nlp.make_doc(part.text), part, alignment)
                    yield Example(nlp.make_doc(part.text), reference)
        if self.alignment is None:
            _log.log(alignment.level, "%s: %s.", self._path, alignment)
        self.alignment = alignment


def annotate(doc: Doc, note: CodedNote, alignment: Alignment) -> Doc:
    """Mark the evidence of a note on its tokens and return them.

    Args:
        doc: The note's tokens.
        note: With its codes.
        alignment: Counts what was done.
    """
    alignment.segments += 1
    found: dict[tuple[int, int], Span] = {}
    for start, end in sorted({(e.start, e.end) for c in note.codes for e in c.evidence}):
        alignment.evidence += 1
        words = note.text[start:end]
        # No entity begins or ends with white space (spaCy, E024).
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
    # Whatever ends first: no other choice keeps more (Kleinberg and Tardos 2005, section 4.1).
    for span in sorted(found.values(), key=lambda span: (span.end, -span.start)):
        if not entities or entities[-1].end <= span.start:
            entities.append(span)
    alignment.overlapping += len(found) - len(entities)
    doc.set_ents(entities)
    return doc


@spacy.registry.readers("cclearn.CodedNotes.v1")  # type: ignore[untyped-decorator]
def coded_notes(path: str | Path | None, segments: Unit | None = "sentence") -> CodedNotes:
    """Return a reader of examples, as a configuration asks for it.

    Args:
        path: JSONL or Parquet of coded notes.
        segments: `sentence`, `section`, or null for whole notes.

    Raises:
        ConfigurationError: There is no path, or no such segment.
    """
    problems = []
    if path is None:
        problems.append("paths: no notes are named. Give --paths.train FILE --paths.dev FILE.")
    if segments not in (None, *get_args(Unit)):
        known = ", ".join(get_args(Unit))
        problems.append(f"segments ({segments}): not known. Say {known}, or null for whole notes.")
    if path is None or problems:
        raise ConfigurationError(problems)
    return CodedNotes(Path(path), segments)
