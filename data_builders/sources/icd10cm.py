"""Gold pairs from ICD-10-CM itself: titles, their forms, inclusion terms and "Includes" notes."""

from __future__ import annotations

from collections.abc import Iterator

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings, string_key
from data_builders.builder import RejectedRow, require_system
from data_builders.claims import Claim, refers_to_codes
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig


class ICD10CMBuilder(SpanBuilder):
    """Builder of gold pairs from the strings of ICD-10-CM, in tabular order.

    Short titles are included if the release was read from an order file. A term of a code that needs a
    7th character is combined with the meaning of each character.
    """

    name = "icd10cm"
    summary = (
        "Gold span pairs from ICD-10-CM: titles, short forms, inclusion terms, Includes notes."
    )
    config_type = SpanBuilderConfig

    def claims(
        self, config: SpanBuilderConfig, system: CodeSystem
    ) -> Iterator[Claim | RejectedRow]:
        """Yield every string of the tabular list.

        Raises:
            ConfigurationError: The code system is not ICD-10-CM.
        """
        require_system(self, "icd10cm", system)
        for string in code_strings(system):
            if string.field != "title" and refers_to_codes(string.text):
                yield RejectedRow(
                    text=string.text, code=string.code, reason="refers to other codes"
                )
                continue
            yield Claim(string.text, string.code, f"{self.name}/{string.field}")
            if string.field == "title":
                short = system.short_title(string.code)
                if short and string_key(short) != string_key(string.text):
                    yield Claim(short, string.code, f"{self.name}/short_title")
