"""What a source says: a string stands for a code; and which source is believed before which."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

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
"""Where several codes claim one string, the first of these wins: the code system itself in the order of
`cclearn.codes.strings.PRECEDENCE`, then the index, then ontologies and mappings. Names are those behind
a source's slash (`icd10cm_index/table/see`); sources that are not named here come last, claims that are
not gold behind all that are."""

_PLACE = {name: place for place, names in enumerate(PRECEDENCE) for name in names}
_GRADE_STEP = len(PRECEDENCE) + 1

_POINTS_AWAY = re.compile(
    r"\b(?:classifi\w+|conditions?|categor\w+) (?:(?:to|in|under) .*)?\b[A-Z]\d\d", re.IGNORECASE
)


def points_away(text: str) -> bool:
    """Say whether a term says what it means by other codes: `any condition classifiable to I70.218`."""
    return _POINTS_AWAY.search(text) is not None


@dataclass(frozen=True, slots=True)
class Claim:
    """A string, and the code that a source gives it, as printed.

    Attributes:
        text: The string.
        code: The code, in any spelling; it need not be billable.
        source: The builder and the field, e.g. `icd10cm/title`.
        grade: As in a span pair.
        origin: As in a span pair.
        neighbour: As in a span pair.
    """

    text: str
    code: str
    source: str
    grade: Grade = "gold"
    origin: Origin = "public"
    neighbour: str | None = None


def rank(source: str, grade: Grade) -> int:
    """Return how strong a claim is, 0 the strongest."""
    _, _, field = source.removesuffix(VARIANT).partition("/")
    place = _PLACE.get(field.partition("/")[0], len(PRECEDENCE))
    if grade != "gold":
        place += _GRADE_STEP
    return place + (2 * _GRADE_STEP if source.endswith(VARIANT) else 0)


def is_gold(strength: int) -> bool:
    """Say whether a claim of this rank is gold, and no variant's."""
    return strength < _GRADE_STEP


def own_claims(system: CodeSystem) -> Iterator[tuple[str, str, int]]:
    """Yield the strings that a code system itself gives its billable codes, with code and rank."""
    ranks = {name: _PLACE[name] for name in FIELDS}
    for string in code_strings(system):
        if system.is_billable(string.code):
            yield string.text, string.code, ranks[string.field]
