"""MIMIC-IV discharge summaries with ICD-10 codes, from tables for which the user needs a licence.

The folder, or folders below it, contain `discharge.csv[.gz]` (MIMIC-IV-Note: hadm_id, text),
`diagnoses_icd.csv[.gz]` and, for procedures, `procedures_icd.csv[.gz]` (MIMIC-IV: hadm_id, icd_code,
icd_version), and a split: `splits.csv` (hadm_id or _id, split), or the published
`mimiciv_icd10_split.feather` (Edin et al. 2023).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError, foreign_errors, shown_id
from cclearn.evaluation.corpora.base import BenchmarkCorpus, CorpusOptions
from cclearn.evaluation.corpora.building import Annotation, coded_note
from cclearn.evaluation.corpora.csv_tables import find_table, table_rows
from cclearn.notes import CodedNote

_SPLIT = "mimiciv_icd10_split.feather"


class MIMIC4Options(CorpusOptions):
    """Options of MIMIC-IV.

    Attributes:
        procedures: Whether procedures (ICD-10-PCS) are scored in addition to diagnoses.
    """

    procedures: bool = False


class MIMIC4(BenchmarkCorpus):
    """Reads the summaries of a split in the order of the table. Stays without ICD-10 codes are left
    out."""

    name = "mimic4-icd10"
    summary = "MIMIC-IV discharge summaries with ICD-10 codes (by your own licence)."
    options_type = MIMIC4Options

    def read(
        self, folder: Path, split: str, options: MIMIC4Options, system: CodeSystem
    ) -> Iterator[CodedNote]:
        """Stream the coded notes of a split.

        Raises:
            DataError: A file is missing or malformed.
        """
        wanted = _stays(folder, split)
        codes: dict[str, list[Annotation]] = defaultdict(list)
        for name in ("diagnoses_icd", "procedures_icd")[: 1 + options.procedures]:
            rows = table_rows(find_table(folder, name), ("hadm_id", "icd_code", "icd_version"))
            for stay, code, version in rows:
                if stay in wanted and version.strip() == "10":
                    codes[stay].append((code, None, None))
        seen: set[str] = set()
        for stay, text in table_rows(find_table(folder, "discharge"), ("hadm_id", "text")):
            if stay in codes and stay not in seen:
                seen.add(stay)
                try:
                    yield coded_note(stay, text, codes[stay], system)
                except ValueError as error:
                    raise DataError(folder, f"note {shown_id(stay)}: {error}") from None


def _stays(folder: Path, split: str) -> set[str]:
    """Return the ids of the stays in a split."""
    if published := sorted(folder.rglob(_SPLIT)):
        return _stays_of_split(_published(published[0]), split, published[0])
    path = find_table(folder, "splits")
    try:
        return _stays_of_split(table_rows(path, ("hadm_id", "split")), split, path)
    except DataError:
        return _stays_of_split(table_rows(path, ("_id", "split")), split, path)


def _published(path: Path) -> Iterator[tuple[str, str]]:
    """Return the stays in the published table, each with its split."""
    from pyarrow import feather

    with foreign_errors(lambda location: DataError(path, f"not a table of splits ({location})")):
        table = feather.read_table(path, columns=["_id", "split"]).to_pydict()
        return zip(map(str, table["_id"]), map(str, table["split"]), strict=True)


def _stays_of_split(
    rows: Iterator[tuple[str, ...]] | Iterator[tuple[str, str]], split: str, path: Path
) -> set[str]:
    found: dict[str, set[str]] = defaultdict(set)
    for stay, name in rows:
        found[name].add(stay)
    if split not in found:
        names = ", ".join(map(shown_id, sorted(found)[:10]))
        raise DataError(path, f"no split {split!r}; there are: {names}")
    return found[split]
