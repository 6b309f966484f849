"""Vectors of character trigrams, which tolerate inflections and misspellings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

_NGRAM = 3
"""Number of characters of an n-gram. N-grams of further lengths would only make an index larger."""


class Trigrams:
    """Vectors of the character trigrams of texts, weighted by TF-IDF.

    Case and accents are ignored. No trigram contains parts of two words, so that the trigrams of a text
    are those of its words. The vectors are those of scikit-learn's `TfidfVectorizer` with
    `sublinear_tf`, but the trigrams of each distinct word are counted only once, which is faster.

    Args:
        texts: Texts whose trigrams are counted for the weights. At least one has a word.

    Attributes:
        vectors: Vectors of these texts, a sparse matrix of shape (texts, trigrams).
    """

    def __init__(self, texts: Sequence[str]) -> None:
        import numpy as np
        from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

        self._counter = CountVectorizer(
            analyzer="char_wb",
            ngram_range=(_NGRAM, _NGRAM),
            strip_accents="unicode",
            dtype=np.float32,
        )
        preprocess = self._counter.build_preprocessor()
        words = CountVectorizer(analyzer=lambda text: preprocess(text).split(), dtype=np.float32)
        counts = words.fit_transform(texts)
        counts @= self._counter.fit_transform(words.get_feature_names_out())
        counts.sort_indices()
        self._weights = TfidfTransformer(sublinear_tf=True)
        self.vectors = self._weights.fit_transform(counts)

    def count(self, texts: Sequence[str]) -> Any:
        """Return the numbers of the trigrams of texts, a sparse matrix of shape (texts, trigrams)."""
        return self._counter.transform(texts)

    def weigh(self, counts: Any) -> Any:
        """Return the vectors for numbers of trigrams, a sparse matrix of the same shape."""
        return self._weights.transform(counts)
