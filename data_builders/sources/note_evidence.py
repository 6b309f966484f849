"""Span pairs from the evidence of coded notes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, CodedNote, SpanPair
from cclearn.notes.contract import Grade
from cclearn.notes.grounding import as_quote
from cclearn.notes.jsonl import read_coded_notes
from data_builders.builder import Builder, BuilderConfig, BuiltRow, RejectedRow
from data_builders.parallel import ParallelMap, in_process
from data_builders.strings_in_notes import StringFinder, Words, string_precision, string_words


class NoteEvidenceConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        files: Paths of files of coded notes, in JSONL or Parquet.
        grade: Grade of the pairs. `silver` is for notes whose evidence a model has found.
        longest: Maximum number of characters of a string. None for any number. A mention in several
            fragments may have been read with all of the text between them.
        least_precision: Least share of the occurrences of a string in the notes that must be evidence.
            Strings with a smaller share are rejected: they would find more wrong mentions than right
            ones. The notes must have all of their evidence.
    """

    files: tuple[Path, ...] = Field(min_length=1)
    grade: Grade = "gold"
    longest: int | None = Field(default=None, gt=0)
    least_precision: float = Field(default=0.0, ge=0, le=1)


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

        These are codes without evidence, codes that are not billable in the release, codes that are
        negated or of another person, and the strings that the settings exclude.

        Raises:
            DataError: A file is invalid.
        """
        number = 0
        precision = _precision(config)
        for note in _notes(config):
            for assigned in note.codes:
                reason = _reason(assigned.code, assigned.system, system)
                quotes = _quotes(assigned)
                if not reason and assigned.assertion not in CODED_ASSERTIONS:
                    reason = f"{assigned.assertion} mention"
                if not reason and not quotes:
                    reason = "no evidence"
                if reason:
                    yield RejectedRow(text=note.id, code=assigned.code, reason=reason)
                    continue
                for quote in quotes:
                    number += 1
                    if problem := _string_problem(quote, config, precision):
                        yield RejectedRow(text=note.id, code=assigned.code, reason=problem)
                        continue
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


def _notes(config: NoteEvidenceConfig) -> Iterator[CodedNote]:
    for path in config.files:
        yield from read_coded_notes(path)


def _quotes(assigned: AssignedCode) -> list[str]:
    return list(filter(None, (as_quote(piece.text) for piece in assigned.evidence)))


def _precision(config: NoteEvidenceConfig) -> dict[Words, float]:
    """Return the precision of every string of the notes; nothing if the settings do not need it."""
    if not config.least_precision:
        return {}
    strings = {
        string_words(quote)
        for note in _notes(config)
        for assigned in note.codes
        for quote in _quotes(assigned)
    }
    return string_precision(_notes(config), StringFinder(strings))


def _string_problem(
    string: str, config: NoteEvidenceConfig, precision: Mapping[Words, float]
) -> str:
    """Return why the settings exclude a string; an empty string if they do not."""
    if config.longest is not None and len(string) > config.longest:
        return f"more than {config.longest} characters"
    # Strings that occur only inside longer ones have no precision, and are kept.
    if precision.get(string_words(string), 1.0) < config.least_precision:
        return f"precision below {config.least_precision}"
    return ""


def _reason(code: str, of: str, system: CodeSystem) -> str:
    """Return why a code makes no pair; an empty string if it does."""
    if of != system.name:
        return "another code system"
    return "" if system.is_billable(code) else f"{system.status(code)} code"
