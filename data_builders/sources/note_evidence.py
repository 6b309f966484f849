"""Span pairs from the evidence of coded notes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.notes import CODED_ASSERTIONS, SpanPair
from cclearn.notes.contract import Grade
from cclearn.notes.grounding import as_quote
from cclearn.notes.jsonl import read_coded_notes
from data_builders.builder import Builder, BuilderConfig, BuiltRow, RejectedRow
from data_builders.parallel import ParallelMap, in_process


class NoteEvidenceConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        files: Paths of files of coded notes, in JSONL or Parquet.
        grade: Grade of the pairs. `silver` is for notes whose evidence a model has found.
    """

    files: tuple[Path, ...] = Field(min_length=1)
    grade: Grade = "gold"


class NoteEvidenceBuilder(Builder):
    """Builder of one pair for each piece of evidence in coded notes.

    A string has as many pairs as it has evidence, with all its codes: their numbers tell which code is
    the most frequent one. Pairs have the origin of their note.
    """

    name = "note_evidence"
    summary = "Span pairs from the evidence of coded notes, one for each piece of evidence."
    config_type = NoteEvidenceConfig
    row_type = SpanPair
    data_file = "pairs.jsonl"
    keeps_shared_strings = True

    def has_parallel_step(self, config: NoteEvidenceConfig) -> bool:
        """Return False, because notes are only read."""
        return False

    def rows(
        self,
        config: NoteEvidenceConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield pairs, and rejected rows for codes that make none.

        These are codes without evidence, codes that are not billable in the release, and codes that are
        negated or of another person.

        Raises:
            DataError: A file is invalid.
        """
        number = 0
        for path in config.files:
            for note in read_coded_notes(path):
                for assigned in note.codes:
                    reason = _reason(assigned.code, assigned.system, system)
                    quotes = list(filter(None, (as_quote(e.text) for e in assigned.evidence)))
                    if not reason and assigned.assertion not in CODED_ASSERTIONS:
                        reason = f"{assigned.assertion} mention"
                    if not reason and not quotes:
                        reason = "no evidence"
                    if reason:
                        yield RejectedRow(text=note.id, code=assigned.code, reason=reason)
                        continue
                    for quote in quotes:
                        number += 1
                        yield SpanPair(
                            id=f"{self.name}-{number}",
                            text=quote,
                            code=system.canonical(assigned.code),
                            system=system.name,
                            release=system.release,
                            grade=config.grade,
                            source=f"{self.name}/evidence",
                            origin=note.origin,
                        )


def _reason(code: str, of: str, system: CodeSystem) -> str:
    """Return why a code makes no pair; an empty string if it does."""
    if of != system.name:
        return "another code system"
    return "" if system.is_billable(code) else f"{system.status(code)} code"
