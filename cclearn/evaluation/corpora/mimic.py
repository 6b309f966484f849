"""Discharge summaries of MIMIC-III and MIMIC-IV, from tables for which the user needs a licence.

The folder, or folders below it, contain these tables, compressed or not:

- MIMIC-IV: `discharge.csv` (MIMIC-IV-Note: subject_id, hadm_id, text), `diagnoses_icd.csv` and, for
  procedures, `procedures_icd.csv` (hadm_id, icd_code, icd_version).
- MIMIC-III: `NOTEEVENTS.csv` (SUBJECT_ID, HADM_ID, CATEGORY, DESCRIPTION, TEXT) and `DIAGNOSES_ICD.csv`
  (HADM_ID, ICD9_CODE).

A split is a table with the columns hadm_id (or _id) and split: that of the option `splits`, or
`splits.csv` in the folder. For MIMIC-IV, it may be the published `mimiciv_icd10_split.feather` or
`mimiciv_icd9_split.feather` (Edin et al. 2023).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Generator, Iterator, Mapping, Sequence
from pathlib import Path
from sys import intern

from cclearn.codes import CodeSystem
from cclearn.errors import DataError, foreign_errors, shown_id
from cclearn.evaluation.corpora.base import ALL, Corpus, CorpusOptions, UnusableRow
from cclearn.evaluation.corpora.building import note_rows
from cclearn.evaluation.corpora.tables import Table, column_rows, find_table
from cclearn.evaluation.corpora.user_tables import PATIENT, ids_of_split
from cclearn.notes import CodedNote

Rows = Iterator[CodedNote | UnusableRow]


class MIMIC4Options(CorpusOptions):
    """Options of MIMIC-IV.

    Attributes:
        procedures: Whether procedures (ICD-10-PCS) are read in addition to diagnoses.
        splits: Table with the columns `hadm_id` (or `_id`) and `split`. None for the one in the folder.
    """

    procedures: bool = False
    splits: Path | None = None


class MIMIC4(Corpus):
    """Reads the summaries of a split in the order of the table.

    Stays without codes of the code system's version are left out. If a stay has several summaries, the
    first one is read.
    """

    name = "mimic4"
    summary = "MIMIC-IV discharge summaries with ICD-10 or ICD-9 codes (by your own licence)."
    options_type = MIMIC4Options

    def rows(self, folder: Path, split: str, options: MIMIC4Options, system: CodeSystem) -> Rows:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file is missing or malformed.
        """
        # A table of the user's is one of ICD-10 codes.
        version = system.traits.mimic_version or "10"
        published = sorted(folder.rglob(f"mimiciv_icd{version}_split.feather"))
        wanted = None
        if split != ALL and options.splits is None and published:
            wanted = _published_ids(published[0], split)
        elif split != ALL:
            wanted = _ids(folder, split, options.splits)
        codes: dict[str, list[str]] = defaultdict(list)
        for name in ("diagnoses_icd", "procedures_icd")[: 1 + options.procedures]:
            columns, where = ("hadm_id", "icd_code"), {"icd_version": version}
            yield from _add_codes(find_table(folder, name), columns, where, wanted, codes)
        table = find_table(folder, "discharge")
        yield from _notes(table, ("hadm_id", "subject_id", "text"), {}, codes, wanted, system)


class MIMIC3Options(CorpusOptions):
    """Options of MIMIC-III.

    Attributes:
        category: Category of the notes that are read.
        description: Description of the notes that are read. Discharge summaries are a `Report` or an
            `Addendum`.
        splits: Table with the columns `HADM_ID` (or `_id`) and `split`. None for the one in the folder.
    """

    category: str = "Discharge summary"
    description: str = "Report"
    splits: Path | None = None


class MIMIC3(Corpus):
    """Reads the notes of a category in the order of the table, with the diagnoses of their stays.

    If a stay has several notes of the category, the first one is read.
    """

    name = "mimic3"
    summary = "MIMIC-III discharge summaries with ICD-9-CM codes (by your own licence)."
    options_type = MIMIC3Options

    def rows(self, folder: Path, split: str, options: MIMIC3Options, system: CodeSystem) -> Rows:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file is missing or malformed.
        """
        wanted = None if split == ALL else _ids(folder, split, options.splits)
        codes: dict[str, list[str]] = defaultdict(list)
        table = find_table(folder, "DIAGNOSES_ICD")
        yield from _add_codes(table, ("HADM_ID", "ICD9_CODE"), {}, wanted, codes)
        where = {"CATEGORY": options.category, "DESCRIPTION": options.description}
        table = find_table(folder, "NOTEEVENTS")
        yield from _notes(table, ("HADM_ID", "SUBJECT_ID", "TEXT"), where, codes, wanted, system)


def _ids(folder: Path, split: str, splits: Path | None) -> set[str]:
    return ids_of_split(splits or find_table(folder, "splits"), split, ("hadm_id", "_id", "id"))


def _published_ids(path: Path, split: str) -> set[str]:
    """Return the stays of a split in the published table."""
    from pyarrow import feather

    with foreign_errors(lambda location: DataError(path, f"not a table of splits ({location})")):
        table = feather.read_table(path, columns=["_id", "split"]).to_pydict()
        found: dict[str, set[str]] = defaultdict(set)
        for stay, name in zip(table["_id"], table["split"], strict=True):
            found[str(name)].add(str(stay))
    if split not in found:
        names = ", ".join(map(shown_id, sorted(found)[:10]))
        raise DataError(path, f"no split {split!r}; there are: {names}")
    return found[split]


def _add_codes(
    table: Path,
    columns: Sequence[str],
    where: Mapping[str, str],
    wanted: Collection[str] | None,
    codes: dict[str, list[str]],
) -> Generator[UnusableRow, None, None]:
    """Add the codes of a table to those of the stays, and yield the rows that cannot be read.

    Args:
        table: Path of the table.
        columns: Columns of the stay and of the code.
        where: Values of columns in the rows that are read.
        wanted: Stays whose codes are added; None for all.
        codes: Codes of each stay, which are added to.
    """
    for row in column_rows(table, columns, where):
        if isinstance(row, UnusableRow):
            yield row
            continue
        stay, code = map(str.strip, row[1])
        # MIMIC-III has rows without a code.
        if code and (wanted is None or stay in wanted):
            codes[stay].append(intern(code))


def _notes(
    table: Path,
    columns: Sequence[str],
    where: Mapping[str, str],
    codes: Mapping[str, Sequence[str]],
    wanted: Collection[str] | None,
    system: CodeSystem,
) -> Rows:
    """Yield the first note of each stay that has codes.

    Args:
        table: Path of the table.
        columns: Columns of the stay, the patient and the text. That of the patient may be missing.
        where: Values of columns in the rows that are read.
        codes: Codes of each stay.
        wanted: Stays that are read; None for all.
        system: The code system.
    """
    stay_column, patient_column, text_column = columns
    found = {name.strip().lower() for name in Table(table).names()}
    # Tables that others have derived from MIMIC's may have no column of patients.
    patients = [patient_column] if patient_column.lower() in found else []
    seen: set[str] = set()
    for row in column_rows(table, [stay_column, text_column, *patients], where):
        if isinstance(row, UnusableRow):
            yield row
            continue
        number, (stay, text, *patient) = row
        stay = stay.strip()
        if wanted is not None and stay not in wanted:
            continue
        if stay not in codes or stay in seen:
            problem = "another note of the same stay" if stay in seen else "the stay has no codes"
            yield UnusableRow(table, problem, number, stay, expected=True)
            continue
        seen.add(stay)
        annotations = [(code, None, None) for code in codes[stay]]
        metadata = {PATIENT: patient[0].strip()} if patient else {}
        yield from note_rows(table, stay, text, annotations, system, line=number, metadata=metadata)
