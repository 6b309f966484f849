"""Gold pairs from any code system's table: titles and synonyms."""

from __future__ import annotations

from collections.abc import Iterator

from cclearn.codes import CodeSystem
from cclearn.codes.table import Kind
from data_builders.builder import RejectedRow
from data_builders.claims import Claim
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig


class UserTableBuilder(SpanBuilder):
    """Builder of pairs from the titles and synonyms of the code system that `--system` names."""

    name = "user_table"
    summary = "Gold span pairs from the titles and synonyms of any code system (--system FILE.csv)."
    config_type = SpanBuilderConfig

    def claims(
        self, config: SpanBuilderConfig, system: CodeSystem
    ) -> Iterator[Claim | RejectedRow]:
        """Yield every title and synonym in the order of the table."""
        for code in system.rows():
            if code.kind < Kind.CATEGORY:
                continue
            if code.description:  # The headers of ICD-9-CM have no description.
                yield Claim(code.description, code.code, f"{self.name}/title")
            for synonym in code.synonyms:
                yield Claim(synonym, code.code, f"{self.name}/synonym")
