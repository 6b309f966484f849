"""Ranked search over the titles, inclusion terms and "Includes" notes of a code system."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Protocol

from cclearn.codes.code_types import Code
from cclearn.codes.table import Kind

if TYPE_CHECKING:
    import bm25s


class Searchable(Protocol):
    """What the search needs of a code system."""

    def __getitem__(self, code: str) -> Code:
        """Return a code."""

    def __hash__(self) -> int:
        """Return the hash by which the index is kept."""

    def rows(self) -> Iterable[Code]:
        """Return all codes."""

    def includes(self, code: str) -> Sequence[str]:
        """Return the "Includes" notes of a code."""


RETRIEVED = 100
"""Number of strings that BM25 retrieves for re-ranking."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A result of a search.

    Attributes:
        code: Code that was found.
        matched: String of the code that matched.
        score: Score from 0 to 100.
    """

    code: Code
    matched: str
    score: float


def search(system: Searchable, text: str, limit: int = 10) -> list[Hit]:
    """Return the codes whose title or other term is most similar to a text, the best first.

    BM25 (Robertson & Zaragoza 2009, through bm25s) retrieves; RapidFuzz's token-sort ratio ranks.

    Args:
        system: Code system.
        text: Text to search for.
        limit: Maximum number of codes. Every code occurs once.
    """
    from rapidfuzz import fuzz, utils

    index, strings = _index(system)
    best: dict[str, Hit] = {}
    for row in _retrieved(index, text):
        code, string = strings[row]
        ratio = fuzz.token_sort_ratio(text, string, processor=utils.default_process)
        if code not in best or ratio > best[code].score:
            best[code] = Hit(system[code], string, round(ratio, 1))
    # A billable code comes before the header above it if both match equally well.
    ranked = sorted(best.values(), key=lambda h: (-h.score, not h.code.billable, h.code.code))
    return ranked[:limit]


def _retrieved(index: bm25s.BM25, text: str) -> list[int]:
    """Return the rows with the highest positive scores. Among equal scores the first rows win.

    `BM25.retrieve` partitions the scores of all rows, most of which are 0, which took four fifths of
    the time of a search.
    """
    import bm25s
    import numpy as np

    words = bm25s.tokenize([text], show_progress=False).vocab
    known = [index.vocab_dict[word] for word in words if word in index.vocab_dict]
    if not known:
        return []
    scores = index.get_scores_from_ids(known)
    rows = np.flatnonzero(scores)
    if len(rows) > RETRIEVED:
        least = np.partition(scores[rows], -RETRIEVED)[-RETRIEVED]
        rows = rows[scores[rows] >= least]
    best: list[int] = rows[np.argsort(-scores[rows], kind="stable")][:RETRIEVED].tolist()
    return best


@lru_cache(maxsize=2)
def _index(system: Searchable) -> tuple[bm25s.BM25, list[tuple[str, str]]]:
    import bm25s

    strings: list[tuple[str, str]] = []
    for code in system.rows():
        if code.kind >= Kind.CATEGORY:
            own = (code.description, *code.synonyms, *system.includes(code.code))
            strings.extend((code.code, string) for string in own)
    index: Any = bm25s.BM25()
    tokens = bm25s.tokenize([string for _, string in strings], show_progress=False)
    index.index(tokens, show_progress=False)
    return index, strings
