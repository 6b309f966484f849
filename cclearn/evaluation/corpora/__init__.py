"""Published corpora of coded notes, read from folders that the user has."""

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
