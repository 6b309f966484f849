"""Pairs of codes that one patient cannot have at one encounter."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import combinations
from typing import Literal

from cclearn.codes import CodeSystem, Kind, conflicts
from cclearn.codes.patient_limits import Sex, limits

ConflictKind = Literal["excludes1", "sex", "age", "laterality"]

_OLDEST = 124
"""Maximum age of a patient in years, as in `cclearn.codes.patient_limits`."""

_WORD = re.compile(r"[^\W_]+")

_SIDES = {"left": "left", "right": "right", "bilateral": "bilateral", "both": "bilateral"}
"""Words of titles for a side."""

_UNSPECIFIED = "unspecified"

_WITHOUT_MEANING = frozenset(("of", "in", "the", "at", "unilateral", _UNSPECIFIED, *_SIDES))
"""Words in which the titles of one condition of two sides may differ."""


@dataclass(frozen=True, slots=True)
class CodeConflict:
    """Two codes that one patient cannot have at one encounter.

    Attributes:
        code: First code.
        other: Second code.
        kind: Rule that forbids them together.
    """

    code: str
    other: str
    kind: ConflictKind


@dataclass(frozen=True, slots=True)
class _Patients:
    """The patients that a code applies to.

    Attributes:
        sex: Sex of the patients, None for both.
        youngest: Minimum age in years.
        oldest: Maximum age in years.
    """

    sex: Sex | None = None
    youngest: int = 0
    oldest: int = _OLDEST


def code_conflicts(system: CodeSystem, codes: Sequence[str]) -> list[CodeConflict]:
    """Return the pairs of codes that cannot be assigned together.

    Args:
        system: Code system of the codes.
        codes: Codes in the official form, all of which the release contains.

    Returns:
        Pairs that an Excludes1 note separates (Official Guidelines, I.A.12.a), whose codes are of
        different sexes or of ages that exclude each other (`cclearn.codes.patient_limits`), or which
        give one condition two sides (Official Guidelines, I.B.13).
    """
    found = [CodeConflict(one, two, "excludes1") for one, two, _ in conflicts(system, codes)]
    if system.traits.has_limits:
        found += _limit_conflicts(codes)
    return [*found, *_side_conflicts(system, codes)]


def without_conflicts(system: CodeSystem, codes: Sequence[str]) -> list[str]:
    """Return codes without those that conflict with an earlier one.

    Args:
        system: Code system of the codes.
        codes: Codes in the official form, all of which the release contains.
    """
    pairs = {frozenset((found.code, found.other)) for found in code_conflicts(system, codes)}
    kept: list[str] = []
    for code in codes:
        if not any(frozenset((code, earlier)) in pairs for earlier in kept):
            kept.append(code)
    return kept


@lru_cache(maxsize=1 << 14)
def _limited(code: str) -> _Patients:
    found = limits(code)
    sexes = {limit.sex for limit in found if limit.sex}
    years = [limit.years for limit in found]
    return _Patients(
        sexes.pop() if len(sexes) == 1 else None,
        max((youngest for youngest, _ in years), default=0),
        min((oldest for _, oldest in years), default=_OLDEST),
    )


def _limit_conflicts(codes: Sequence[str]) -> Iterator[CodeConflict]:
    limited = [(c, patients) for c in codes if (patients := _limited(c)) != _Patients()]
    for (code, one), (other, two) in combinations(limited, 2):
        if one.sex and two.sex and one.sex != two.sex:
            yield CodeConflict(code, other, "sex")
        if one.youngest > two.oldest or two.youngest > one.oldest:
            yield CodeConflict(code, other, "age")


def _side_conflicts(system: CodeSystem, codes: Sequence[str]) -> Iterator[CodeConflict]:
    by_category: dict[str, list[str]] = defaultdict(list)
    for code in codes:
        by_category[_category(system, code)].append(code)
    for category, members in by_category.items():
        for code, other in combinations(members, 2):
            if _is_side_conflict(system, category, code, other):
                yield CodeConflict(code, other, "laterality")


def _is_side_conflict(system: CodeSystem, category: str, code: str, other: str) -> bool:
    """Return whether two codes of a category give one condition two sides that exclude each other.

    The left and the right side are assigned together only if there is no code for both sides (Official
    Guidelines, I.B.13).
    """
    side, words = _side_and_words(system, code)
    other_side, other_words = _side_and_words(system, other)
    if not side or not other_side or side == other_side:
        return False
    if not _is_same_condition(code, words, other, other_words):
        return False
    if {side, other_side} != {"left", "right"}:
        return True
    return any(
        _is_same_condition(code, words, both, both_words)
        for both, both_words in _bilateral(system, category)
    )


def _is_same_condition(
    code: str, words: frozenset[str], other: str, other_words: frozenset[str]
) -> bool:
    """Return whether two titles, without their sides, describe one condition.

    `Age-related nuclear cataract, right eye` and `…, bilateral` differ by the part of the body. Such
    codes differ in the one character of the side.
    """
    if words == other_words:
        return True
    if len(code) != len(other) or sum(a != b for a, b in zip(code, other, strict=True)) != 1:
        return False
    return len(words ^ other_words) == 1


@lru_cache(maxsize=1 << 14)
def _side_and_words(system: CodeSystem, code: str) -> tuple[str, frozenset[str]]:
    """Return the side in the title of a code, and the words of the title that are not about the side."""
    words = _WORD.findall(system.description(code).lower())
    sides = {_SIDES[word] for word in words if word in _SIDES}
    side = sides.pop() if len(sides) == 1 else ""
    if not side and not sides and _UNSPECIFIED in words:
        side = _UNSPECIFIED
    return side, frozenset(words) - _WITHOUT_MEANING


@lru_cache(maxsize=1 << 12)
def _bilateral(system: CodeSystem, category: str) -> tuple[tuple[str, frozenset[str]], ...]:
    """Return the billable codes of a category for both sides, with the other words of their titles."""
    found = []
    for code in (category, *system.descendants(category)):
        side, words = _side_and_words(system, code)
        if side == "bilateral" and system.is_billable(code):
            found.append((code, words))
    return tuple(found)


@lru_cache(maxsize=1 << 14)
def _category(system: CodeSystem, code: str) -> str:
    """Return the category of a code, or the code itself if no category is above it."""
    for above in (code, *system.ancestors(code)):
        if system[above].kind == Kind.CATEGORY:
            return above
    return code
