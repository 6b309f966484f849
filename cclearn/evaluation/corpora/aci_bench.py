"""ACI-Bench (Yim et al. 2023): notes of role-played visits. The user provides a file of codes.

The folder contains `train.csv`, `valid.csv` and the test files, with the columns encounter_id and note.
The file of codes is a CSV table with the columns id and code, and one row per code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.evaluation.corpora.base import Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.building import Annotation, note_rows
from cclearn.evaluation.corpora.tables import column_rows
from cclearn.notes import CodedNote


class ACIBenchOptions(CorpusOptions):
    """Options of ACI-Bench.

    Attributes:
        split: Name of a file without its suffix, e.g. `clinicalnlp_taskB_test1`.
        codes: File of codes. If it does not exist, the path is relative to the folder.
    """

    split: str = "valid"
    codes: Path


class ACIBench(Corpus):
    """Reads the notes of a file. Notes that are not in the file of codes have no codes."""

    name = "aci-bench"
    summary = "Notes of role-played visits, with a file of codes of your own (codes=FILE.csv)."
    options_type = ACIBenchOptions

    def rows(
        self, folder: Path, split: str, options: ACIBenchOptions, system: CodeSystem
    ) -> Iterator[CodedNote | UnusableRow]:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file is missing or malformed.
        """
        path = options.codes if options.codes.is_file() else folder / options.codes
        if not path.is_file():
            raise DataError(path, "no such file")
        codes: dict[str, list[Annotation]] = defaultdict(list)
        for row in column_rows(path, ("id", "code")):
            if isinstance(row, UnusableRow):
                yield row
                continue
            number, (identifier, code) = row
            if code.strip():
                codes[identifier].append((code, None, None))
            else:
                yield UnusableRow(path, "a code is empty", number, identifier)
        table = folder / f"{split}.csv"
        found = 0
        for row in column_rows(table, ("encounter_id", "note")):
            if isinstance(row, UnusableRow):
                yield row
                continue
            number, (identifier, text) = row
            found += identifier in codes
            of_note = codes.get(identifier, ())
            yield from note_rows(table, identifier, text, of_note, system, "public", number)
        if codes and not found:
            raise DataError(path, f"none of its ids is in {table.name}")
