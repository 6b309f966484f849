"""Gold pairs from any code system's table: titles and synonyms."""

from __future__ import annotations

from collections.abc import Iterator

from cclearn.codes import CodeSystem
from cclearn.codes.table import Kind
from data_builders.builder import RejectedRow
from data_builders.claims import Claim
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig


class UserTableBuilder(SpanBuilder):
    """Walks over the code system that `--system` names, a user's table first of all."""

    name = "user_table"
    summary = "Gold span pairs from the titles and synonyms of any code system (--system FILE.csv)."
    config_type = SpanBuilderConfig

    def claims(
        self, config: SpanBuilderConfig, system: CodeSystem
    ) -> Iterator[Claim | RejectedRow]:
        """Yield every title and synonym in the table's order."""
        for code in system.rows():
            if code.kind < Kind.CATEGORY:
                continue
            if code.description:  # The headers of ICD-9-CM have none.
                yield Claim(code.description, code.code, f"{self.name}/title")
            for synonym in code.synonyms:
                yield Claim(synonym, code.code, f"{self.name}/synonym")
