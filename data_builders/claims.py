"""Claims of sources that a string has a code, and the precedence of the sources."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from cclearn.codes import CodeSystem
from cclearn.codes.strings import PRECEDENCE as FIELDS
from cclearn.codes.strings import code_strings
from cclearn.notes.contract import Grade, Origin
from data_builders.noise import VARIANT

PRECEDENCE = (
    ("title", "short_title"),
    ("title_form",),
    ("inclusion_term_form",),
    ("inclusion_term", "synonym"),
    ("includes",),
    ("index", "table"),
    ("label",),
    ("exact",),
    ("mapping",),
    ("narrow",),
    ("related",),
    ("broad",),
)
"""Fields of sources from the strongest to the weakest. If several codes claim one string, the strongest
field wins: those of the code system in the order of `cclearn.codes.strings.PRECEDENCE`, then the index,
then ontologies and mappings. A field is the part of a source's name after the first slash
(`icd10cm_index/table/see`). Fields that are not listed are the weakest, and claims that are not gold are
weaker than all gold claims."""

_POSITION = {name: position for position, names in enumerate(PRECEDENCE) for name in names}
"""Index in `PRECEDENCE` by the name of the field."""

_GRADE_STEP = len(PRECEDENCE) + 1
"""Number of ranks of gold claims. The ranks of other claims, and then of variants, follow."""

_REFERENCE = re.compile(
    r"\b(?:classifi\w+|conditions?|categor\w+) (?:(?:to|in|under) .*)?\b[A-Z]\d\d", re.IGNORECASE
)


def refers_to_codes(text: str) -> bool:
    """Return whether a term refers to other codes, as `any condition classifiable to I70.218` does."""
    return _REFERENCE.search(text) is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """A string and the code that a source assigns to it.

    Attributes:
        text: String in the spelling of the source.
        code: Code in any spelling. It need not be billable.
        source: Name of the builder and the field, for example `icd10cm/title`.
        grade: Grade of the span pair.
        origin: Origin of the span pair.
        neighbour: Neighbouring code of the span pair, or None.
    """

    text: str
    code: str
    source: str
    grade: Grade = "gold"
    origin: Origin = "public"
    neighbour: str | None = None


@lru_cache(maxsize=256)
def rank(source: str, grade: Grade) -> int:
    """Return the rank of a claim. The strongest claims have rank 0.

    Args:
        source: Source of the claim.
        grade: Grade of the claim.
    """
    _, _, field = source.removesuffix(VARIANT).partition("/")
    position = _POSITION.get(field.partition("/")[0], len(PRECEDENCE))
    if grade != "gold":
        position += _GRADE_STEP
    return position + (2 * _GRADE_STEP if source.endswith(VARIANT) else 0)


def is_gold(claim_rank: int) -> bool:
    """Return whether a rank is that of a gold claim that is not a variant."""
    return claim_rank < _GRADE_STEP


def code_system_claims(system: CodeSystem) -> Iterator[tuple[str, str, int]]:
    """Yield each string of the billable codes of a code system, with its code and its rank."""
    ranks = {name: _POSITION[name] for name in FIELDS}
    for string in code_strings(system):
        if system.is_billable(string.code):
            yield string.text, string.code, ranks[string.field]
