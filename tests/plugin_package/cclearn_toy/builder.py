"""A builder of span pairs: `cclearn build toy_phrases --out pairs/`."""

from __future__ import annotations

from collections.abc import Iterator

from cclearn.codes import CodeSystem
from data_builders.claims import Claim
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig


class ToyConfig(SpanBuilderConfig):
    """Settings of the builder, which commands take as `key=value`.

    Attributes:
        suffix: Words that are appended to every phrase.
    """

    suffix: str = ""


class ToyBuilder(SpanBuilder):
    """Claims two phrases; the base class makes pairs and checks their codes."""

    name = "toy_phrases"
    summary = "Two phrases, as an example of a builder."
    config_type = ToyConfig

    def claims(self, config: ToyConfig, system: CodeSystem) -> Iterator[Claim]:
        """Yield the phrases in a fixed order, so that the same settings give the same rows."""
        for phrase, code in (("wheezy chest", "J45.909"), ("chest infection", "J18.9")):
            yield Claim(f"{phrase} {config.suffix}".strip(), code, self.name)
