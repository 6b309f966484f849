"""Retrieves candidates, the codes that an evidence span may have, from strings that have a code."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from typing import Any, Protocol

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings, string_key
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.trigrams import Trigrams
from cclearn.notes import SpanPair

_MAX_STRINGS = 600
"""Maximum number of strings in the ranking by characters."""

_MAX_BY_WORDS = 100
"""Maximum number of codes in the ranking by words."""

_RANK_OFFSET = 5
"""Constant of reciprocal rank fusion. The smaller it is, the more the first ranks count."""

_PHRASE_WEIGHT, _CHARACTER_WEIGHT, _WORD_WEIGHT = 3.0, 3.0, 1.0
"""Weights of the rankings in the fusion."""

_MAX_WITH_SIBLINGS = 20
"""Maximum number of codes whose siblings become candidates."""


class Ranking(Protocol):
    """Interface of a further ranking of codes, such as `EmbeddingRanking`.

    Attributes:
        weight: Weight of the ranking in the fusion. That of the ranking by characters is 3.
    """

    weight: float

    def rank(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the codes of each text, best first. Headers are included."""


class Candidates:
    """Retrieves billable codes for spans.

    The codes of pairs with the same string come first, the most frequent one before the others, and then
    that of a phrase of the lexicon with the same words. They are followed by a fusion of rankings
    (reciprocal rank fusion, Cormack et al. 2009): phrases of the lexicon, characters (trigrams without
    accents by TF-IDF and cosine, which tolerate inflections and misspellings), words
    (`CodeSystem.search`) and optionally further rankings. A header is replaced by its unspecified child.
    The siblings of the nearest codes are inserted after the first half, because the correct condition
    may have been found with a wrong detail.

    Args:
        lexicon: Coder that finds phrases, and whose code system is used.
        further: Further rankings.
        pairs: Span pairs whose strings are searched too, such as the evidence of training notes.
    """

    def __init__(
        self,
        lexicon: LexiconCoder,
        further: Sequence[Ranking] = (),
        pairs: Iterable[SpanPair] = (),
    ) -> None:
        self.system = lexicon.system
        self._lexicon = lexicon
        self._further = further
        self._counts: dict[str, Counter[str]] = {}
        self._pair_strings: dict[tuple[str, str], None] = {}
        for pair in pairs:
            code = self.system.unspecified(self.system.canonical(pair.code))
            if code is not None:
                self._counts.setdefault(string_key(pair.text), Counter())[code] += 1
                self._pair_strings[pair.text, code] = None

    def retrieve(self, texts: Iterable[str], max_candidates: int) -> Iterator[list[str]]:
        """Yield the candidates of each text, best first, without duplicates.

        Args:
            texts: Texts of the evidence spans.
            max_candidates: Maximum number of candidates for each text.
        """
        texts = list(texts)
        further = [ranking.rank(texts) for ranking in self._further]
        for text, characters in zip(texts, self._by_characters(texts), strict=True):
            hits = self.system.search(text, min(max_candidates, _MAX_BY_WORDS), billable=True)
            words = [hit.code.code for hit in hits]
            rankings = [
                (_PHRASE_WEIGHT, self._lexicon.phrase_codes(text)),
                (_CHARACTER_WEIGHT, characters),
                (_WORD_WEIGHT, words),
            ]
            for ranking, ranked in zip(self._further, further, strict=True):
                rankings.append((ranking.weight, next(ranked)))
            counted = self._counts.get(string_key(text), Counter())
            known = [code for code, _ in counted.most_common()]
            phrase = self._lexicon.phrase_code(text)
            codes = [*known, *([phrase] if phrase else ()), *self._fuse(rankings)]
            yield self._with_siblings(list(dict.fromkeys(codes)), max_candidates)

    def log_shares(self, text: str, codes: Sequence[str]) -> list[float]:
        """Return the logarithm of the share of each candidate, and last of `none`, among the pairs.

        The shares are those of the pairs with an equal string, smoothed by one pair that is divided
        among all candidates and `none` (the mean of a Dirichlet posterior with a concentration of 1).
        `none` receives an equal part. The rest is divided among the candidates in proportion to
        1 / rank, so that for a string without pairs the nearest candidates are more likely (Zipf's law).

        Args:
            text: Text of the evidence span.
            codes: Candidates of the text, best first.
        """
        counted = self._counts.get(string_key(text), Counter())
        none = 1 / (len(codes) + 1)
        unit = (1 - none) / sum(1 / rank for rank in range(1, len(codes) + 1)) if codes else 0.0
        total = sum(counted[code] for code in codes) + 1
        shares = [(counted[code] + unit / rank) / total for rank, code in enumerate(codes, start=1)]
        return [math.log(share) for share in (*shares, none / total)]

    def signals(self, text: str, codes: Sequence[str], code: str) -> dict[str, float]:
        """Return signals of one candidate of a text, which tell how reliable it is.

        They are `log_pairs`, log(1 + number of pairs with an equal string and the code); `pair_share`,
        the share of the code among the pairs with an equal string, 0 without such pairs; and `log_rank`,
        log(1 + number of candidates before the code).

        Args:
            text: Text of the evidence span.
            codes: Candidates of the text, best first.
            code: One of the candidates.
        """
        counted = self._counts.get(string_key(text), Counter())
        return {
            "log_pairs": math.log1p(counted[code]),
            "pair_share": counted[code] / max(1, counted.total()),
            "log_rank": math.log1p(codes.index(code)),
        }

    def _fuse(self, rankings: Iterable[tuple[float, list[str]]]) -> list[str]:
        """Return the billable codes of weighted rankings, by decreasing score of the fusion."""
        scores: dict[str, float] = {}
        for weight, codes in rankings:
            for rank, code in enumerate(self._to_billable(codes)):
                scores[code] = scores.get(code, 0.0) + weight / (_RANK_OFFSET + rank)
        return sorted(scores, key=lambda code: (-scores[code], code))

    def _to_billable(self, codes: Iterable[str]) -> list[str]:
        """Return codes without duplicates, with each header replaced by its unspecified child."""
        found = (self.system.unspecified(code) for code in codes)
        return list(dict.fromkeys(code for code in found if code is not None))

    def _with_siblings(self, codes: list[str], max_candidates: int) -> list[str]:
        first = max_candidates // 2
        siblings = [
            sibling
            for code in codes[: min(first, _MAX_WITH_SIBLINGS)]
            for sibling in self.system.neighbours(code)
        ]
        return list(dict.fromkeys([*codes[:first], *siblings, *codes[first:]]))[:max_candidates]

    def _by_characters(self, texts: Sequence[str]) -> Iterator[list[str]]:
        """Yield the codes whose strings share trigrams with each text, best first, with headers."""
        import numpy as np

        trigrams, strings = self._index
        for text in texts:
            similarity = (trigrams.weigh(trigrams.count([text])) @ strings).toarray()[0]
            best = np.flatnonzero(similarity > 0)
            if len(best) > _MAX_STRINGS:
                # numpy.partition may return any of several strings with equal scores. All of them are
                # kept here, so that the stable sort selects the first ones.
                smallest = np.partition(similarity[best], -_MAX_STRINGS)[-_MAX_STRINGS]
                best = best[similarity[best] >= smallest]
            best = best[np.argsort(-similarity[best], kind="stable")][:_MAX_STRINGS]
            yield [self._codes[index] for index in best]

    @cached_property
    def _codes(self) -> list[str]:
        codes = [string.code for string in code_strings(self.system)]
        return codes + [code for _, code in self._pair_strings]

    @cached_property
    def _index(self) -> tuple[Trigrams, Any]:
        return _trigram_index(self.system, tuple(text for text, _ in self._pair_strings))


@lru_cache(maxsize=2)
def _trigram_index(system: CodeSystem, further: tuple[str, ...]) -> tuple[Trigrams, Any]:
    """Return the trigrams, and the strings as columns of a sparse matrix, shape (trigrams, strings).

    The strings of the code system are followed by the further ones.
    """
    trigrams = Trigrams([*(string.text for string in code_strings(system)), *further])
    return trigrams, trigrams.vectors.T.tocsr()
