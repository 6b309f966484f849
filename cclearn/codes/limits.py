"""Codes for one sex, or for some ages: the table `limits.csv`."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from cclearn.codes.references import Reference, references

Sex = Literal["female", "male"]

AGES = {"newborn": (0, 0), "pediatric": (0, 17), "maternity": (9, 64), "adult": (15, 124)}
"""Years, both ends in, of the age categories of the Medicare Code Editor (CMS, Definitions of Medicare
Code Edits, v41.1, edit 4, "Age conflict")."""


@dataclass(frozen=True, slots=True)
class Limit:
    """Whom codes are for.

    Attributes:
        codes: A code and all below it, or a range, as the table writes it.
        sex: The one sex that they are for, None where they are for both.
        ages: The name of the years that they are for, None where they are for all.
        reason: The words of the classification, or of the guidelines, that say so.
    """

    codes: str
    sex: Sex | None
    ages: str | None
    reason: str

    @property
    def years(self) -> tuple[int, int]:
        """The least and the most years of age."""
        return (0, 124) if self.ages is None else AGES[self.ages]


@lru_cache(maxsize=1 << 14)
def limits(code: str) -> tuple[Limit, ...]:
    """Return whom a code of ICD-10-CM is for, in the order of the table; empty where it is for everyone.

    The table is ours: ranges of codes whose titles, or whose blocks' titles, name the sex, an organ of
    one sex, or an age, and what Sections I.C.15 and I.C.16 of the Official Guidelines say of chapters
    15 and 16. The editor's own lists of codes are not copied.
    """
    return tuple(limit for limit, named in _table() if any(each.covers(code) for each in named))


@cache
def _table() -> list[tuple[Limit, tuple[Reference, ...]]]:
    content = (files("cclearn.codes") / "limits.csv").read_text(encoding="utf-8")
    found = []
    for row in csv.DictReader(content.splitlines()):
        sex: Sex | None = None
        if row["sex"]:
            sex = "female" if row["sex"] == "female" else "male"
        limit = Limit(row["codes"], sex, row["ages"] or None, row["reason"])
        found.append((limit, tuple(references(f"({limit.codes})"))))
    return found
