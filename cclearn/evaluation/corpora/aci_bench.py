"""ACI-Bench (Yim et al. 2023): notes of role-played visits. The user provides a file of codes.

The folder contains `train.csv`, `valid.csv` and the test files, with the columns encounter_id and note.
The file of codes is a CSV table with the columns id and code, and one row per code.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError, DataErrors, shown_id
from cclearn.evaluation.corpora.base import BenchmarkCorpus, CorpusOptions
from cclearn.evaluation.corpora.building import Annotation, coded_note
from cclearn.evaluation.corpora.csv_tables import table_rows
from cclearn.notes import CodedNote


class ACIBenchOptions(CorpusOptions):
    """Options of ACI-Bench.

    Attributes:
        split: Name of a file without its suffix, e.g. `clinicalnlp_taskB_test1`.
        codes: File of codes. If it does not exist, the path is relative to the folder.
    """

    split: str = "valid"
    codes: Path


class ACIBench(BenchmarkCorpus):
    """Reads the notes of a file. Notes that are not in the file of codes have no codes."""

    name = "aci-bench"
    summary = "Notes of role-played visits, with a file of codes of your own (codes=FILE.csv)."
    options_type = ACIBenchOptions

    def read(
        self, folder: Path, split: str, options: ACIBenchOptions, system: CodeSystem
    ) -> Iterator[CodedNote]:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file is missing or malformed.
        """
        path = options.codes if options.codes.is_file() else folder / options.codes
        if not path.is_file():
            raise DataError(path, "no such file")
        codes: dict[str, list[Annotation]] = defaultdict(list)
        problems = []
        for number, (identifier, code) in enumerate(table_rows(path, ("id", "code")), 2):
            if not code.strip():
                problems.append(DataError(path, "no code", number, "code"))
            codes[identifier].append((code, None, None))
        if problems:
            raise DataErrors(problems)
        table = folder / f"{split}.csv"
        found = 0
        if not table.is_file():
            raise DataError(table, "no such file")
        for identifier, text in table_rows(table, ("encounter_id", "note")):
            found += identifier in codes
            try:
                yield coded_note(identifier, text, codes.get(identifier, ()), system, "public")
            except ValueError as error:
                raise DataError(table, f"note {shown_id(identifier)}: {error}") from None
        if codes and not found:
            raise DataError(path, f"none of its ids is in {table.name}")
