"""Evidence for the codes of notes that have none, as coded notes and as span pairs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Self

from pydantic import Field, model_validator

from cclearn.codes import CodeSystem
from cclearn.engines.registry import ModelSpec, load_engine
from cclearn.engines.settings import EngineSettings
from cclearn.errors import ConfigurationError
from cclearn.notes import CODED_ASSERTIONS, AssignedCode, CodedNote, Evidence, SpanPair
from cclearn.notes.assertion import AssertionLanguage
from cclearn.notes.grounding import as_quote
from cclearn.notes.jsonl import read_coded_notes
from cclearn.runtime.files import sha256_of_text
from data_builders.builder import NOT_BILLABLE, Builder, BuilderConfig, BuiltRow, RejectedRow
from data_builders.parallel import ParallelMap, in_process, in_processes
from data_builders.silver.model_evidence import INSTRUCTION, EvidenceAsker, Per
from data_builders.silver.nearest import FoundEvidence, NearestEvidence

_NOTES, _PAIRS = "notes.jsonl", "pairs.jsonl"

_TASK = 50
"""Number of notes that a process receives at once."""


class SilverConfig(BuilderConfig):
    """Settings of the builder.

    Attributes:
        notes: Path of coded notes, whose codes without evidence receive some. Other codes stay as they
            are.
        assertion: Language of the rules by which negated mentions are no evidence. `off` is for notes
            that are not English.
        strings: Without a model, paths of coded notes with complete evidence, whose strings are searched
            in the notes.
        billable_pairs: Whether only billable codes have pairs, as `cclearn code --pairs` requires. The
            others are in the rejected rows; their notes keep the evidence.
        least: Without a model, least score of evidence between 0 and 1. A smaller one finds more of it,
            and more that is wrong.
        workers: Without a model, number of processes, if there is no cluster. It does not influence the
            rows.
        model: Name of a model that is asked for the evidence, in any form that `--model` accepts. None
            finds evidence by strings.
        engine: Settings of the model's engine, those of `--engine`.
        per: `note` asks the model for all codes of a note at once, and `code` for each of them alone.
        longest: Maximum number of characters of evidence that a model cites.
        examples: Path of coded notes of which the model is shown the shortest ones.
        shots: Number of notes that the model is shown.
    """

    notes: Path
    assertion: AssertionLanguage = "english"
    billable_pairs: bool = False
    strings: tuple[Path, ...] = ()
    least: float = Field(default=0.5, ge=0, le=1)
    workers: int = Field(default=1, ge=1, exclude=True)
    model: str | None = None
    engine: EngineSettings = EngineSettings()
    per: Per = "note"
    longest: int = Field(default=150, ge=1)
    examples: Path | None = None
    shots: int = Field(default=0, ge=0)

    @model_validator(mode="after")
    def _settings_belong_to_the_method(self) -> Self:
        given = self.model_fields_set
        of_model = given & {"engine", "per", "longest", "examples", "shots"}
        if self.model is None and of_model:
            raise ValueError(f"{', '.join(sorted(of_model))}: only a model uses it. Name a model.")
        unused = given & {"strings", "least"}
        if self.model is not None and unused:
            raise ValueError(f"{', '.join(sorted(unused))}: not used with a model. Leave it out.")
        if (self.shots > 0) != (self.examples is not None):
            raise ValueError("shots: it needs examples, and examples need it. Name both.")
        return self

    def inputs(self) -> list[Path]:
        """Return the paths in the settings, also that of a file of answers."""
        file = ModelSpec.parse(self.model).file if self.model is not None else None
        return [*super().inputs(), *([file] if file is not None else [])]


class SilverBuilder(Builder):
    """Builder of evidence for codes without any, by strings or by a model.

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
        """Return whether the notes are read without a model, each independently."""
        return config.model is None

    def rows(
        self,
        config: SilverConfig,
        system: CodeSystem,
        parallel_map: ParallelMap = in_process,
    ) -> Iterator[BuiltRow]:
        """Yield the notes in their order, each followed by the pairs of the evidence that was found.

        Raises:
            DataError: A file is invalid.
            ConfigurationError: The model cannot be loaded, or there are too few examples.
        """
        notes = read_coded_notes(config.notes, system)
        if config.model is not None:
            rows = self._asked_rows(config, config.model, notes, system)
        else:
            if parallel_map is in_process and config.workers > 1:
                parallel_map = in_processes(config.workers)
            make = partial(_Finder, config, system)
            rows = chain.from_iterable(parallel_map(make, _batches(notes)))
        number = 0
        for row in rows:
            if isinstance(row, SpanPair):
                if config.billable_pairs and not system.is_billable(row.code):
                    yield RejectedRow(text=row.text, code=row.code, reason=NOT_BILLABLE)
                    continue
                number += 1
                row = row.model_copy(update={"id": f"{self.name}-{number}"})
            yield row

    def _asked_rows(
        self, config: SilverConfig, model: str, notes: Iterable[CodedNote], system: CodeSystem
    ) -> Iterator[BuiltRow]:
        """Yield the rows of notes whose evidence a model cites."""
        engine = load_engine(model, config.engine)
        examples = read_examples(config.examples, config.shots, system)
        asker = EvidenceAsker(
            engine, system, config.per, config.assertion, config.longest, examples
        )
        self.provenance = {
            "model": model,
            "model_sha256": engine.model_sha256,
            "prompt_sha256": sha256_of_text(INSTRUCTION),
        }
        wanted = ((note, wanted_codes(note, system)) for note in notes)
        for asked in asker.find(wanted):
            found = {
                code: [FoundEvidence(start, end, None, "model") for start, end in sorted(spans)]
                for code, spans in asked.spans.items()
            }
            yield from finished_rows(asked.note, found, asked.rejected, system)


def read_examples(path: Path | None, shots: int, system: CodeSystem) -> list[CodedNote]:
    """Return the shortest notes of a file whose codes all have evidence.

    Args:
        path: Path of coded notes. None for no examples.
        shots: Number of notes.
        system: Code system of the notes.

    Raises:
        ConfigurationError: There are too few such notes.
    """
    if path is None:
        return []
    notes = [
        n for n in read_coded_notes(path, system) if n.codes and all(a.evidence for a in n.codes)
    ]
    if len(notes) < shots:
        raise ConfigurationError(
            [
                f"shots (shots = {shots}): {len(notes)} notes of {path} have evidence for every code."
                " Ask for fewer, or name another file."
            ]
        )
    return sorted(notes, key=lambda note: (len(note.text), note.id))[:shots]


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
        wanted = wanted_codes(note, self._system)
        found: dict[str, list[FoundEvidence]] = {}
        rejected = []
        for code, pieces in zip(wanted, self._nearest.find(note.text, wanted), strict=True):
            found[code] = [e for e in pieces if (e.score or 0) >= self._config.least]
            if pieces and not found[code]:
                best = max(e.score or 0 for e in pieces)
                reason, detail = "the score is too low", f"{best:.2f}"
                rejected.append(RejectedRow(text=note.id, code=code, reason=reason, detail=detail))
        yield from finished_rows(note, found, rejected, self._system)


def wanted_codes(note: CodedNote, system: CodeSystem) -> list[str]:
    """Return the codes of a note that need evidence."""
    return [
        assigned.code
        for assigned in note.codes
        if not assigned.evidence
        and assigned.system == system.name
        and assigned.assertion in CODED_ASSERTIONS
    ]


def finished_rows(
    note: CodedNote,
    found: Mapping[str, Sequence[FoundEvidence]],
    rejected: Sequence[RejectedRow],
    system: CodeSystem,
) -> Iterator[BuiltRow]:
    """Yield the note with the evidence that was found, its pairs, and a row for each code without any.

    Args:
        note: The note.
        found: Evidence of each code that was searched for.
        rejected: Rows that were rejected before.
        system: Code system of the codes.
    """
    codes = [
        _with_evidence(note.text, assigned, found[assigned.code])
        if found.get(assigned.code)
        else assigned
        for assigned in note.codes
    ]
    yield note.model_copy(update={"codes": codes})
    for code, pieces in found.items():
        for piece in pieces:
            yield SpanPair(
                id="-",  # It gets its number in the order of all notes.
                text=as_quote(note.text[piece.start : piece.end]),
                code=code,
                system=system.name,
                release=system.release,
                grade="silver",
                source=f"silver/{piece.source}",
                origin=note.origin,
            )
    yield from rejected
    explained = {row.code for row in rejected}
    for code, pieces in found.items():
        if not pieces and code not in explained:
            yield RejectedRow(text=note.id, code=code, reason="no evidence found")


def _with_evidence(
    text: str, assigned: AssignedCode, found: Sequence[FoundEvidence]
) -> AssignedCode:
    """Return a code with the evidence that was found, and a flag that says so."""
    spans = sorted({(e.start, e.end) for e in found})
    evidence = [Evidence(start=start, end=end, text=text[start:end]) for start, end in spans]
    best = max((e.score for e in found if e.score is not None), default=None)
    flag = f"silver: found by {found[0].source}" + ("" if best is None else f" ({best:.2f})")
    return assigned.model_copy(update={"evidence": evidence, "flags": [*assigned.flags, flag]})
