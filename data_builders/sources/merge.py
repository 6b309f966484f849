"""Pairs of several builders as one set, in which each string stands for one code."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from data_builders.builder import RejectedRow, read_pairs
from data_builders.claims import Claim
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig


class MergeConfig(SpanBuilderConfig):
    """Settings of the builder.

    Attributes:
        files: Span pairs, JSONL or Parquet.
    """

    files: tuple[Path, ...] = Field(min_length=1)


class MergeBuilder(SpanBuilder):
    """Walks over files of span pairs, a user's own among them.

    Where their sources disagree on a string, the stronger one wins (`data_builders.claims.PRECEDENCE`);
    a tie is ambiguous. Variants in the files are weaker than every pair; no new ones are made of them.
    """

    name = "merge"
    summary = "Span pairs of several files as one set: one code a string, the stronger source wins."
    config_type = MergeConfig

    def claims(self, config: MergeConfig, system: CodeSystem) -> Iterator[Claim | RejectedRow]:
        """Yield the pairs in the order of the files.

        Raises:
            DataError: A file is not what it should be, or its pairs are of another code system.
        """
        for path in config.files:
            for pair in read_pairs(path, system):
                yield Claim(
                    pair.text, pair.code, pair.source, pair.grade, pair.origin, pair.neighbour
                )
