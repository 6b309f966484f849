"""The notes and spans of an arm, from CodiEsp in Spanish."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.evaluation.corpora.codiesp import CodiEsp, CodiEspOptions
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.jsonl import read_span_pairs, write_rows
from cclearn.rows.selection import without_long_evidence
from cclearn.runtime.files import atomic_folder, sha256_of_text
from data_builders.builder import configure, find_builder
from data_builders.noise import VARIANT
from data_builders.output import build

BUDGETS = (50, 150, 500)
"""Numbers of training documents. Smaller sets are parts of larger ones."""

TUNING = 100
"""Number of training notes that the tuning split evaluates on. They are the last ones by hash."""

HELD_OUT = 10
"""One in this number of codes occurs in spans only, in the split by code."""

VARIANTS = 2
"""Number of spelling variants of each string."""

LONGEST = 100
"""Largest number of characters of evidence that is trained on. A mention in several fragments is read
with the text between them: 5 % of the mentions in the training notes have 56 % of their characters."""

NOISE = {"near_key": 1, "swap": 1, "drop": 1, "casing": 1}
"""Transforms that do not depend on the language."""


@dataclass(frozen=True, slots=True)
class Split:
    """The notes of an arm. All codes have evidence; that of training notes is not longer than `LONGEST`.

    Attributes:
        documents: Notes that are used as documents.
        others: Notes of which only the evidence is used, as spans. If all notes are documents, they are
            the documents.
        evaluation: Notes that are coded.
        held_out: Codes that no document contains by construction; empty without a split by code.
    """

    documents: tuple[CodedNote, ...]
    others: tuple[CodedNote, ...]
    evaluation: tuple[CodedNote, ...]
    held_out: frozenset[str] = frozenset()

    @property
    def document_codes(self) -> set[str]:
        """Codes of the documents."""
        return _codes(self.documents)

    @property
    def span_only_codes(self) -> set[str]:
        """Codes that occur in spans of other notes but in no document."""
        return _codes(self.others) - self.document_codes

    @property
    def training(self) -> tuple[CodedNote, ...]:
        """All notes of which something is used for training, each once, in the order of their ids."""
        notes = {note.id: note for note in (*self.documents, *self.others)}
        return tuple(notes[identifier] for identifier in sorted(notes))


@dataclass(frozen=True, slots=True)
class ArmFiles:
    """Files of the data of an arm.

    Attributes:
        documents: Coded notes.
        spans: Span pairs, one for each piece of evidence.
        variants: Spelling variants of the strings of the span pairs.
        document_pairs: Span pairs of the evidence of the documents.
        all_pairs: Span pairs of the evidence of all training notes.
        notes: Notes to code, without their codes.
    """

    documents: Path
    spans: Path
    variants: Path
    document_pairs: Path
    all_pairs: Path
    notes: Path


def read_split(
    data: Path, evaluation: str, budget: int, held_out: bool, system: CodeSystem
) -> Split:
    """Return the notes of an arm. They depend only on the arguments.

    Args:
        data: Folder that contains `codiesp`.
        evaluation: `dev` evaluates on the development split. `tuning` evaluates on notes of the training
            split, which are not used for training.
        budget: Number of documents.
        held_out: Whether one in `HELD_OUT` codes occurs in no document. The documents are then drawn
            from the notes without these codes.
        system: Code system.

    Raises:
        DataError: The corpus cannot be read.
        ConfigurationError: There are fewer notes than the budget.
    """
    training = read_notes(data, "train", system)
    if evaluation == "tuning":
        training, scored = training[:-TUNING], training[-TUNING:]
    else:
        scored = read_notes(data, "dev", system)
    codes = frozenset(c for c in _codes(training) if _is_held_out(c)) if held_out else frozenset()
    eligible = [note for note in training if not _codes([note]) & codes]
    if len(eligible) < budget:
        raise ConfigurationError(
            [f"budget (budget = {budget}): {len(eligible)} notes can be documents. Name fewer."]
        )
    chosen = {note.id for note in eligible[:budget]}
    # The notes are chosen by all of their codes, also those whose evidence is too long.
    shortened = [without_long_evidence(note, LONGEST) for note in training]
    documents = [note for note in shortened if note.id in chosen]
    others = [note for note in shortened if note.id not in chosen] or documents
    return Split(tuple(documents), tuple(others), tuple(scored), codes)


def read_notes(data: Path, split: str, system: CodeSystem) -> list[CodedNote]:
    """Return the Spanish notes of a split in the order of the hashes of their ids, without codes that
    have no evidence."""
    options = CodiEspOptions(split=split, language="es")
    notes = [
        note.model_copy(update={"codes": [code for code in note.codes if code.evidence]})
        for note in CodiEsp().read(data / "codiesp", split, options, system)
    ]
    return sorted(notes, key=lambda note: sha256_of_text(note.id))


def long_evidence_shares(notes: Iterable[CodedNote]) -> dict[str, float]:
    """Return the shares of the mentions and characters of evidence, and of the codes of notes, that are
    not trained on because the evidence is longer than `LONGEST`."""
    notes = list(notes)
    lengths = [len(e.text) for note in notes for code in note.codes for e in code.evidence]
    long = [length for length in lengths if length > LONGEST]
    codes = sum(len(note.codes) for note in notes)
    kept = sum(len(without_long_evidence(note, LONGEST).codes) for note in notes)
    return {
        "mentions": len(long) / len(lengths),
        "characters": sum(long) / sum(lengths),
        "codes": 1 - kept / codes,
    }


def write_split(split: Split, folder: Path, system: CodeSystem) -> ArmFiles:
    """Write the data of an arm, unless an earlier call has written it.

    Args:
        split: Notes of the arm.
        folder: Folder for the files.
        system: Code system.
    """
    if not folder.exists():
        with atomic_folder(folder, False, "data") as partial:
            _write_split(split, partial, system)
    return ArmFiles(
        documents=folder / "documents.jsonl",
        spans=folder / "spans" / "pairs.jsonl",
        variants=folder / "variants.jsonl",
        document_pairs=folder / "document_pairs" / "pairs.jsonl",
        all_pairs=folder / "all_pairs" / "pairs.jsonl",
        notes=folder / "notes.jsonl",
    )


def _write_split(split: Split, folder: Path, system: CodeSystem) -> None:
    documents, others = folder / "documents.jsonl", folder / "others.jsonl"
    write_rows(documents, split.documents)
    write_rows(others, split.others)
    write_rows(folder / "notes.jsonl", (note.note for note in split.evaluation))
    evidence, merge = find_builder("note_evidence"), find_builder("merge")
    notes = {
        "spans": [others],
        "document_pairs": [documents],
        "all_pairs": [documents] if split.documents == split.others else [documents, others],
    }
    for name, files in notes.items():
        settings = {"files": [str(file) for file in files]}
        build(evidence, configure(evidence, settings), folder / name, system)
    pairs = folder / "spans" / "pairs.jsonl"
    merging: dict[str, Any] = {"files": [str(pairs)], "variants": VARIANTS, "noise": NOISE}
    merged = build(merge, configure(merge, merging), folder / "merged", system)
    write_rows(folder / "variants.jsonl", _variants(merged.data, system))


def _variants(path: Path, system: CodeSystem) -> Iterator[SpanPair]:
    return (pair for pair in read_span_pairs(path, system) if pair.source.endswith(VARIANT))


def _codes(notes: Iterable[CodedNote]) -> set[str]:
    return {assigned.code for note in notes for assigned in note.codes}


def _is_held_out(code: str) -> bool:
    return int(sha256_of_text(code), 16) % HELD_OUT == 0
