"""Candidates: the codes that an evidence span may stand for, found in all strings of the code system."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property
from typing import Any, Protocol

from cclearn.codes.search import search
from cclearn.codes.strings import code_strings
from cclearn.coding.lexicon.coder import LexiconCoder

_NGRAM = 3
"""Characters: longer and shorter ones besides make the index larger."""

_STRINGS = 600
"""How many strings the comparison of characters hands on."""

_EARLY = 5
"""Of the fusion of ranks; the smaller, the more the first ranks count."""

_OF_NEAREST = 20
"""The codes whose siblings are candidates too."""


class Ranking(Protocol):
    """A further source of candidates, e.g. `cclearn.coding.span_loop.embeddings`."""

    def rank(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Return codes for each text, headers too, the best first."""


class Candidates:
    """Retrieves billable codes for spans.

    What the lexicon finds in the span comes first. Rankings are fused behind it (reciprocal rank fusion,
    Cormack et al. 2009): characters (trigrams by TF-IDF and cosine, which bear inflections and
    spelling), words (BM25, re-ranked by RapidFuzz) and, if there is one, a further ranking. A header
    stands for its unspecified child. The siblings of the nearest codes follow the first half: who knows
    the condition and not its detail finds it among them.

    Args:
        lexicon: Finds phrases, and has the code system.
        further: A further ranking, which counts as much as the characters.
    """

    def __init__(self, lexicon: LexiconCoder, further: Ranking | None = None) -> None:
        self.system = lexicon.system
        self._lexicon = lexicon
        self._further = further

    def of(self, texts: Iterable[str], most: int) -> Iterator[list[str]]:
        """Return the candidates of each text, the best first, none of them twice.

        Args:
            texts: Evidence spans.
            most: How many for each text, at the most.
        """
        texts = list(texts)
        further: Iterator[list[str]] = iter([])
        if self._further is not None:
            further = self._further.rank(texts)
        for text, characters in zip(texts, self._by_characters(texts), strict=True):
            words = [hit.code.code for hit in search(self.system, text, most)]
            rankings = [(3.0, characters), (1.0, words)]
            if self._further is not None:
                rankings.append((3.0, next(further)))
            first = [*self._lexicon.codes_of(text), *self._fused(rankings)]
            yield self._with_siblings(list(dict.fromkeys(first)), most)

    def _fused(self, rankings: Iterable[tuple[float, list[str]]]) -> list[str]:
        weights: dict[str, float] = {}
        for weight, codes in rankings:
            for rank, code in enumerate(self._billable(codes)):
                weights[code] = weights.get(code, 0.0) + weight / (_EARLY + rank)
        return sorted(weights, key=lambda code: (-weights[code], code))

    def _billable(self, codes: Iterable[str]) -> list[str]:
        found = (self.system.unspecified(code) for code in codes)
        return list(dict.fromkeys(code for code in found if code is not None))

    def _with_siblings(self, codes: list[str], most: int) -> list[str]:
        first = most // 2
        siblings = [
            sibling
            for code in codes[: min(first, _OF_NEAREST)]
            for sibling in self.system.neighbours(code)
        ]
        return list(dict.fromkeys([*codes[:first], *siblings, *codes[first:]]))[:most]

    def _by_characters(self, texts: Sequence[str]) -> Iterator[list[str]]:
        import numpy as np

        vectorizer, strings = self._index
        for text in texts:
            row = (vectorizer.transform([text]) @ strings).toarray()[0]
            best = np.flatnonzero(row > 0)
            if len(best) > _STRINGS:
                # Of strings with equal scores the first ones are taken, whatever numpy's partition does.
                least = np.partition(row[best], -_STRINGS)[-_STRINGS]
                best = best[row[best] >= least]
            best = best[np.argsort(-row[best], kind="stable")][:_STRINGS]
            yield [self._codes[place] for place in best]

    @cached_property
    def _codes(self) -> list[str]:
        return [string.code for string in code_strings(self.system)]

    @cached_property
    def _index(self) -> tuple[Any, Any]:
        """The vectorizer, and the strings as columns: sparse, shape (n-grams, strings)."""
        import numpy as np
        from sklearn.feature_extraction.text import TfidfVectorizer

        vectorizer = TfidfVectorizer(
            analyzer="char_wb", ngram_range=(_NGRAM, _NGRAM), sublinear_tf=True, dtype=np.float32
        )
        texts = [string.text for string in code_strings(self.system)]
        return vectorizer, vectorizer.fit_transform(texts).T.tocsr()
