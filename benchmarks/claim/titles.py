"""What the pages call the settings, the arms and the scores of the claim."""

from __future__ import annotations

SETTINGS = {
    "small-50": "random weights, 50 documents",
    "small-150": "random weights, 150 documents",
    "small-500": "random weights, 500 documents",
    "small-50-codes": "random weights, 50 documents, split by code",
    "gemma-50": "Gemma 3 270M, 50 documents",
}
"""Settings of the tables, and what the page calls them."""

ARMS = {
    "documents": "documents only",
    "own-spans 1:4": "documents and own spans 1:4",
    "mixed 1:1": "mixed 1:1",
    "mixed 1:4": "mixed 1:4",
    "mixed 1:16": "mixed 1:16",
    "mixed-plain 1:4": "mixed 1:4, no variants",
    "span-then-document 1:4": "span then document 1:4",
    "spans": "spans only",
}
"""Arms of the tables, and what the page calls them."""

COLUMNS = {
    "micro F1": "micro_f1",
    "macro F1": "macro_f1",
    "evidence F1": "evidence_span_f1",
    "recall, codes of spans only": "span_only/micro_recall",
    "recall, held-out codes": "held_out/micro_recall",
}
"""Scores of the tables, by the title of the column."""

UNTRAINED = "lexicon, all spans"
"""The recogniser of `span_loop` with the strings of all spans, which codes them without a model."""
