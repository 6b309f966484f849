"""Coded notes in the format of cclearn: notes of the user, and synthetic notes of the builders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora.base import Corpus, CorpusOptions, UnusableRow
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes


class OwnNotes(Corpus):
    """Reads `SPLIT.jsonl` or `SPLIT.parquet` in a folder, or a file, which is the only split."""

    name = "jsonl"
    summary = "Coded notes of your own: a folder with SPLIT.jsonl or .parquet, or a file."

    def rows(
        self, folder: Path, split: str, options: CorpusOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file is missing or malformed.
        """
        return read_coded_notes(_file(folder, [f"{split}.jsonl", f"{split}.parquet"]), system)


class SyntheticNotes(Corpus):
    """Reads the output of `cclearn build template_notes` and of the quickstart: `SPLIT/notes.jsonl`."""

    name = "synthetic"
    summary = "Notes of the builders: a quickstart's folder (split=held_out), or a builder's."
    options_type = CorpusOptions

    def rows(
        self, folder: Path, split: str, options: CorpusOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file is missing or malformed.
        """
        return read_coded_notes(_file(folder, [f"{split}/notes.jsonl", "notes.jsonl"]), system)


def _file(folder: Path, names: list[str]) -> Path:
    if folder.is_file():
        return folder
    for name in names:
        if (folder / name).is_file():
            return folder / name
    raise DataError(folder, f"contains none of: {', '.join(names)}")
