"""Tables of words and phrases. The header of each table states its source."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

from cclearn.runtime.files import sha256_of_text

PHRASES, WORDS = "icd10cm_phrases.tsv", "words.tsv"


@cache
def read_table(name: str) -> tuple[tuple[str, str], ...]:
    """Return the rows of a table with two columns, without comments."""
    rows = (line.partition("\t") for line in _text(name).splitlines() if not line.startswith("#"))
    return tuple((first, second) for first, _, second in rows)


@cache
def tables_sha256() -> str:
    """Return the hash of the content of all tables."""
    return sha256_of_text(_text(PHRASES) + _text(WORDS))


def _text(name: str) -> str:
    return (files(__name__) / name).read_text(encoding="utf-8")
