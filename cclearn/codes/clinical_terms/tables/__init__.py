"""Tables of words and phrases. The header of each table states its source."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from cclearn.runtime.files import sha256_of_text

PHRASES, WORDS = "icd10cm_phrases.tsv", "words.tsv"
ABBREVIATIONS, DRUGS = "abbreviations.tsv", "drugs.tsv"
HISTORY, PROCEDURES = "history.tsv", "procedures.tsv"
ADDITIONAL_CODES = "additional_codes.tsv"
ADVERSE_EFFECTS, PREGNANCY = "adverse_effects.tsv", "pregnancy.tsv"
ALLERGIES, EXPOSURES, INTEGRAL = "allergies.tsv", "exposures.tsv", "integral.tsv"
METASTASES = "metastases.tsv"


@cache
def read_table(name: str) -> tuple[tuple[str, str], ...]:
    """Return the rows of a table with two columns, without comments."""
    return tuple((first, second) for first, second in read_rows(name, 2))


@cache
def read_rows(name: str, columns: int, package: str = __name__) -> tuple[tuple[str, ...], ...]:
    """Return the rows of a table, without comments.

    Args:
        name: File of the table.
        columns: Number of its columns.
        package: Package that contains the file.
    """
    lines = (line for line in _text(name, package).splitlines() if not line.startswith("#"))
    return tuple(tuple(line.split("\t", columns - 1)) for line in lines)


@cache
def tables_sha256() -> str:
    """Return the hash of the content of all tables."""
    tables = (
        *(PHRASES, WORDS, ABBREVIATIONS, DRUGS, HISTORY, PROCEDURES),
        *(ALLERGIES, EXPOSURES, INTEGRAL, ADVERSE_EFFECTS, PREGNANCY, METASTASES),
    )
    return sha256_of_text("".join(map(_text, tables)))


def _text(name: str, package: str = __name__) -> str:
    return (files(package) / name).read_text(encoding="utf-8")
