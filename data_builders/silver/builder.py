"""Evidence for the codes of notes that have none, as coded notes and as span pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, CodedNote, Evidence, SpanPair
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.grounding import as_quote
from cclearn.notes.jsonl import read_coded_notes
from data_builders.builder import Builder, BuilderConfig, BuiltRow, RejectedRow
from data_builders.parallel import ParallelMap, in_process, in_processes
from data_builders.silver.nearest import FoundEvidence, NearestEvidence

_NOTES, _PAIRS = "notes.jsonl", "pairs.jsonl"

_TASK = 50
"""Number of notes that a process receives at once."""


class SilverConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        notes: Path of coded notes, whose codes without evidence receive some. Other codes stay as they
            are.
        strings: Paths of coded notes with complete evidence, whose strings are searched in the notes.
        least: Least score of evidence between 0 and 1. A smaller one finds more of it, and more that is
            wrong.
        assertion: Language of the rules by which negated mentions are no evidence. `off` is for notes
            that are not English.
        workers: Number of processes, if there is no cluster. It does not influence the rows.
    """

    notes: Path
    strings: tuple[Path, ...] = ()
    least: float = Field(default=0.5, ge=0, le=1)
    assertion: AssertionLanguage = "english"
    workers: int = Field(default=1, ge=1, exclude=True)


class SilverBuilder(Builder):
    """Builder of evidence for codes without any, by the strings of the code system and of other notes.

    A code whose evidence is not found is left without evidence, and is in the rejected rows.
    """

    name = "silver"
    summary = "Evidence for the codes of notes that have none, and its span pairs."
    config_type = SilverConfig
    row_type = CodedNote
    data_file = _NOTES
    keeps_shared_strings = True

    def data_files(self, config: SilverConfig) -> dict[str, type[SpanPair | CodedNote]]:
        """Return the file of the notes and that of the pairs."""
        return {_NOTES: CodedNote, _PAIRS: SpanPair}

    def file_of(self, row: SpanPair | CodedNote, config: SilverConfig) -> str:
        """Return the file of a row."""
        return _PAIRS if isinstance(row, SpanPair) else _NOTES

    def has_parallel_step(self, config: SilverConfig) -> bool:
        """Return True, because each note is read independently."""
        return True

    def rows(
        self,
        config: SilverConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield the notes in their order, each followed by the pairs of the evidence that was found.

        Raises:
            DataError: A file is invalid.
        """
        if parallel_map is in_process and config.workers > 1:
            parallel_map = in_processes(config.workers)
        make = partial(_Finder, config, system)
        number = 0
        for rows in parallel_map(make, _batches(read_coded_notes(config.notes, system))):
            for row in rows:
                if isinstance(row, SpanPair):
                    number += 1
                    row = row.model_copy(update={"id": f"{self.name}-{number}"})
                yield row


def _batches(notes: Iterable[CodedNote]) -> Iterator[list[CodedNote]]:
    iterator = iter(notes)
    while batch := list(islice(iterator, _TASK)):
        yield batch


class _Finder:
    """Function from notes to the notes with evidence, its pairs, and the codes without it."""

    def __init__(self, config: SilverConfig, system: CodeSystem) -> None:
        self._config = config
        self._system = system
        strings = (note for path in config.strings for note in read_coded_notes(path, system))
        self._nearest = NearestEvidence(system, strings, config.assertion)

    def __call__(self, notes: Sequence[CodedNote]) -> list[BuiltRow]:
        """Return the rows of notes."""
        return [row for note in notes for row in self._rows(note)]

    def _rows(self, note: CodedNote) -> Iterator[BuiltRow]:
        wanted = [a.code for a in note.codes if _is_wanted(a, self._system)]
        found = dict(zip(wanted, self._nearest.find(note.text, wanted), strict=True))
        codes: list[AssignedCode] = []
        pairs: list[SpanPair] = []
        rejected: list[RejectedRow] = []
        for assigned in note.codes:
            if assigned.code not in found:
                codes.append(assigned)
                continue
            kept = [e for e in found[assigned.code] if e.score >= self._config.least]
            if kept:
                codes.append(_with_evidence(note.text, assigned, kept))
                pairs += self._pairs(note, assigned.code, kept)
            else:
                codes.append(assigned)
                best = max((e.score for e in found[assigned.code]), default=None)
                reason = "no evidence found" if best is None else "the score is too low"
                detail = "" if best is None else f"{best:.2f}"
                rejected.append(
                    RejectedRow(text=note.id, code=assigned.code, reason=reason, detail=detail)
                )
        yield note.model_copy(update={"codes": codes})
        yield from pairs
        yield from rejected

    def _pairs(
        self, note: CodedNote, code: str, found: Sequence[FoundEvidence]
    ) -> Iterator[SpanPair]:
        for evidence in found:
            yield SpanPair(
                id="-",  # It gets its number in the order of all notes.
                text=as_quote(note.text[evidence.start : evidence.end]),
                code=code,
                system=self._system.name,
                release=self._system.release,
                grade="silver",
                source=f"silver/{evidence.source}",
                origin=note.origin,
            )


def _is_wanted(assigned: AssignedCode, system: CodeSystem) -> bool:
    return (
        not assigned.evidence
        and assigned.system == system.name
        and assigned.assertion in CODED_ASSERTIONS
    )


def _with_evidence(
    text: str, assigned: AssignedCode, found: Sequence[FoundEvidence]
) -> AssignedCode:
    """Return a code with the evidence that was found, and a flag that says so."""
    spans = sorted({(e.start, e.end) for e in found})
    evidence = [Evidence(start=start, end=end, text=text[start:end]) for start, end in spans]
    flag = f"silver: found by {found[0].source} ({max(e.score for e in found):.2f})"
    return assigned.model_copy(update={"evidence": evidence, "flags": [*assigned.flags, flag]})
