"""Pairs from an ontology in OBO format, such as the Human Disease Ontology: labels and synonyms."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.notes.contract import Grade
from data_builders.builder import RejectedRow
from data_builders.claims import Claim
from data_builders.sources.obo import read_obo
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig

_SYNONYM = re.compile(r'"(?P<text>(?:[^"\\]|\\.)*)"\s+(?P<scope>[A-Z]+)')
_TAG = re.compile(
    r"(?:\s*[(\[](?:disorder|finding|diagnosis|morphologic abnormality|qualifier value|dup|obs)"
    r"[)\]])+\s*$"
)
_REMARK = re.compile(r"\(&|\([ab]\)|\[")
"""Remarks of the editors of SNOMED CT in a synonym: `Volvulus (& [torsion of bowel])`."""

Scope = Literal["EXACT", "NARROW", "BROAD", "RELATED"]


class DiseaseOntologyConfig(SpanBuilderConfig):
    """Settings of the builder, besides those of `SpanBuilderConfig`.

    Attributes:
        file: Path of the ontology, `.obo` or `.obo.gz`.
        scopes: Scopes of the synonyms that are used. Only exact synonyms give gold pairs.
        prefix: Prefix of the cross references. The default is the name of the code system in upper case.
    """

    file: Path
    scopes: tuple[Scope, ...] = ("EXACT",)
    prefix: str | None = None


class DiseaseOntologyBuilder(SpanBuilder):
    """Builder of pairs from the terms of an ontology that have a cross reference to a code.

    The pairs of a term with a single code are gold. Those of a term with several codes are silver, and
    its strings are ambiguous if more than one of the codes is billable. Obsolete terms are rejected.
    """

    name = "disease_ontology"
    summary = "Span pairs from an ontology's labels and synonyms (OBO), by its cross references."
    config_type = DiseaseOntologyConfig

    def claims(
        self, config: DiseaseOntologyConfig, system: CodeSystem
    ) -> Iterator[Claim | RejectedRow]:
        """Yield the label and the synonyms of every term, once for each of its codes.

        Raises:
            DataErrors: The file is not an OBO file, or its terms are not a hierarchy.
        """
        prefix = f"{config.prefix or system.name.upper()}:"
        for term in read_obo(config.file):
            codes = [
                reference.removeprefix(prefix)
                for reference in term.references
                if reference.startswith(prefix)
            ]
            grade: Grade = "gold" if len(codes) == 1 else "silver"
            for code in codes:
                if term.obsolete:
                    yield RejectedRow(
                        text=term.label, code=code, reason="obsolete term", detail=term.id
                    )
                    continue
                yield Claim(_tidy(term.label), code, f"{self.name}/label", grade)
                for synonym in term.synonyms:
                    match = _SYNONYM.match(synonym)
                    if match is None or match["scope"] not in config.scopes:
                        continue
                    scope = match["scope"].lower()
                    text = _tidy(re.sub(r"\\(.)", r"\1", match["text"]))
                    exact = grade if scope == "exact" else "silver"
                    if _REMARK.search(text):
                        yield RejectedRow(text=text, code=code, reason="an editor's remark")
                    elif text:
                        yield Claim(text, code, f"{self.name}/{scope}", exact)


def _tidy(text: str) -> str:
    """Return a name without the tag of SNOMED CT and without superfluous white space."""
    return " ".join(_TAG.sub("", text).split())
