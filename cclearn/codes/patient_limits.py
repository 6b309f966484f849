"""Codes that apply to one sex or to certain ages only, from the table `limits.csv`."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib.resources import files
from typing import Literal

from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.references import Reference, references

Sex = Literal["female", "male"]

ADULT_AGE = 18
"""Least age in years of an adult."""

_OLDEST = 99
"""Largest age in years of the patients of synthetic notes."""

AGES = {"newborn": (0, 0), "pediatric": (0, 17), "maternity": (9, 64), "adult": (15, 124)}
"""Age categories of the Medicare Code Editor in years, both ends included (CMS, Definitions of Medicare
Code Edits, v41.1, edit 4, "Age conflict")."""


@dataclass(frozen=True, slots=True)
class Limit:
    """The patients that codes apply to.

    Attributes:
        codes: Code, with all codes below it, or range of codes, as written in the table.
        sex: Sex of the patients, None for both.
        ages: Name of the age category, None for all ages.
        reason: Words of the classification or the guidelines that the limit is based on.
    """

    codes: str
    sex: Sex | None
    ages: str | None
    reason: str

    @property
    def years(self) -> tuple[int, int]:
        """Minimum and maximum age in years."""
        return (0, 124) if self.ages is None else AGES[self.ages]


@lru_cache(maxsize=1 << 14)
def limits(code: str) -> tuple[Limit, ...]:
    """Return the limits of a code of ICD-10-CM in the order of the table.

    The table was written for cclearn. It contains ranges of codes whose titles, or whose blocks' titles,
    name a sex, an organ of one sex or an age, and the rules for chapters 15 and 16 in Sections I.C.15
    and I.C.16 of the Official Guidelines. The code lists of the Medicare Code Editor are not copied.
    """
    return tuple(
        limit
        for limit, named in _limits_in(code[:3])
        if any(reference.covers(code) for reference in named)
    )


@cache
def _limits_in(category: str) -> list[tuple[Limit, tuple[Reference, ...]]]:
    """Return the limits that may apply to codes of a category, the first three characters of a code."""
    return [
        (limit, named)
        for limit, named in _table()
        if any(reference.first[:3] <= category <= reference.last[:3] for reference in named)
    ]


def patient_of(codes: Iterable[str], system: CodeHierarchy) -> tuple[Sex | None, tuple[int, int]]:
    """Return the sex and the ages of the patients that all codes apply to.

    Args:
        codes: Codes that do not contradict each other.
        system: Code system of the codes. Only ICD-10-CM has limits.

    Returns:
        The sex, None for both, and the smallest and the largest age in years. Without a limit of age,
        the patient is an adult.
    """
    sex: Sex | None = None
    found = [limit for code in codes for limit in limits(code)] if system.traits.has_limits else []
    for limit in found:
        sex = sex or limit.sex
    years = [limit.years for limit in found if limit.ages is not None]
    if not years:
        return sex, (ADULT_AGE, _OLDEST)
    low, high = max(low for low, _ in years), min(high for _, high in years)
    return sex, (low, min(high, _OLDEST))


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
