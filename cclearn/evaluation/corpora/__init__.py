"""Corpora of coded notes for benchmarks, read from folders of the user."""

from cclearn.evaluation.corpora.base import (
    Corpus,
    CorpusOptions,
    UnusableRow,
    all_corpora,
    corpus_names,
    find_corpus,
    options_of,
)

__all__ = [
    "Corpus",
    "CorpusOptions",
    "UnusableRow",
    "all_corpora",
    "corpus_names",
    "find_corpus",
    "options_of",
]
