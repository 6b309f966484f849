"""Coding whole corpora: shards that any process may code, and a folder that survives every stop."""

from cclearn.bulk.run import BulkOptions, code_corpus
from cclearn.bulk.summary import Summary

__all__ = ["BulkOptions", "Summary", "code_corpus"]
