"""The similarity of texts to the nearest text of a corpus, by TF-IDF of character 4-grams."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cclearn.audit.inputs import NoteSet, sample_notes
from cclearn.audit.settings import AuditSettings

_FEATURES = 2**18
"""Number of hashed features."""

_BLOCK = 1_000
"""Number of texts of the corpus that are compared together."""

_MOST_QUERIES = 0.2
"""Share of the queries above which a 4-gram is left out: it tells little and costs most of the time."""

_QUANTILES = (0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True, slots=True)
class Nearest:
    """The similarity of notes to the nearest reference note.

    Attributes:
        notes: Number of notes that were compared, a random sample.
        quantiles: Cosine similarity to the nearest reference note, by quantile of the notes.
    """

    notes: int
    quantiles: dict[str, float]


def compare_with_nearest(audited: NoteSet, reference: NoteSet, settings: AuditSettings) -> Nearest:
    """Compare a sample of notes with all reference notes.

    Args:
        audited: Notes to audit.
        reference: Reference notes.
        settings: Settings of the audit.
    """
    sample = sample_notes(audited.read("nearest: notes"), settings.nearest_notes, settings.seed)
    found = nearest_similarity(
        [note.text for note in sample], reference.texts("nearest: reference")
    )
    if not len(found):
        return Nearest(0, {})
    values = np.quantile(found, _QUANTILES)
    return Nearest(
        len(found), {f"{q:g}": float(value) for q, value in zip(_QUANTILES, values, strict=True)}
    )


def nearest_similarity(queries: Sequence[str], corpus: Iterable[str]) -> NDArray[np.float64]:
    """Return the cosine similarity of each query to the nearest text of a corpus.

    The inverse document frequencies are those of the queries, smoothed as in scikit-learn's
    `TfidfTransformer`. The corpus is read once, in blocks.

    Args:
        queries: Texts to compare.
        corpus: Texts to compare with.
    """
    from sklearn.feature_extraction.text import HashingVectorizer
    from sklearn.preprocessing import normalize

    if not queries:
        return np.empty(0)
    vectorizer = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(4, 4),
        n_features=_FEATURES,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    counts: Any = vectorizer.transform(queries)
    frequency = np.bincount(counts.indices, minlength=_FEATURES)
    weights = np.log((1 + len(queries)) / (1 + frequency)) + 1
    weights[frequency > max(1, _MOST_QUERIES * len(queries))] = 0
    weights = weights.astype(np.float32)

    def weighted(matrix: Any) -> Any:
        matrix.data *= weights[matrix.indices]
        matrix.eliminate_zeros()
        return normalize(matrix, copy=False)

    vectors = weighted(counts)
    best = np.zeros(len(queries), np.float64)
    for block in _blocks(corpus):
        similarities = vectors @ weighted(vectorizer.transform(block)).T
        if similarities.nnz:
            best = np.maximum(best, similarities.max(axis=1).toarray().ravel())
    return np.minimum(best, 1.0)


def _blocks(texts: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(texts)
    while block := list(islice(remaining, _BLOCK)):
        yield block
