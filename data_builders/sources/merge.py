"""Pairs of several builders as one set, in which each string has one code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from data_builders.builder import RejectedRow, read_pairs
from data_builders.claims import Claim
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig


class MergeConfig(SpanBuilderConfig):
    """Settings of the builder, besides those of `SpanBuilderConfig`.

    Attributes:
        files: Paths of files of span pairs, in JSONL or Parquet.
    """

    files: tuple[Path, ...] = Field(min_length=1)


class MergeBuilder(SpanBuilder):
    """Builder of pairs from files of span pairs.

    If sources disagree on a string, the stronger one wins (`data_builders.claims.PRECEDENCE`). A tie is
    ambiguous. Variants in the files are weaker than all other pairs, and get no further variants.
    """

    name = "merge"
    summary = "Span pairs of several files as one set: one code a string, the stronger source wins."
    config_type = MergeConfig

    def claims(self, config: MergeConfig, system: CodeSystem) -> Iterator[Claim | RejectedRow]:
        """Yield the pairs in the order of the files.

        Raises:
            DataError: A file is invalid, or contains pairs of another code system.
        """
        for path in config.files:
            for pair in read_pairs(path, system):
                yield Claim(
                    pair.text, pair.code, pair.source, pair.grade, pair.origin, pair.neighbour
                )
