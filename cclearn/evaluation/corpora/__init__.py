"""Corpora of coded notes for benchmarks, read from folders of the user."""

from cclearn.evaluation.corpora.base import (
    BenchmarkCorpus,
    CorpusOptions,
    all_corpora,
    corpus_names,
    find_corpus,
    options_of,
)

__all__ = [
    "BenchmarkCorpus",
    "CorpusOptions",
    "all_corpora",
    "corpus_names",
    "find_corpus",
    "options_of",
]
