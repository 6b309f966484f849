"""Pairs from mapping files in SSSOM format, which map the concepts of other vocabularies to codes.

SSSOM, the Simple Standard for Sharing Ontological Mappings (https://mapping-commons.github.io/sssom), is
a tab-separated table after metadata, whose lines begin with `#`.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.errors import DataError, DataErrors
from cclearn.notes.contract import Grade
from cclearn.runtime.files import read_lines
from data_builders.builder import RejectedRow
from data_builders.claims import Claim
from data_builders.span_builder import SpanBuilder, SpanBuilderConfig

EXACT = "skos:exactMatch"
_CURATED = "semapv:ManualMappingCuration"
_REQUIRED = ("subject_id", "predicate_id", "object_id")
_LABELS = ("subject_label", "object_label")


class SSSOMConfig(SpanBuilderConfig):
    """Settings of the builder, besides those of `SpanBuilderConfig`.

    Attributes:
        files: Paths of the mapping files.
        predicates: Predicates of the mappings that are used. Only exact matches give gold pairs.
        least_confidence: Smallest confidence of the mappings that are used.
        prefix: Prefix of the identifiers of codes. The default is the name of the code system in upper
            case.
    """

    files: tuple[Path, ...] = Field(min_length=1)
    predicates: tuple[str, ...] = (EXACT,)
    least_confidence: float = Field(default=0.0, ge=0, le=1)
    prefix: str | None = None


@dataclass(frozen=True, slots=True)
class Mapping:
    """A row of a mapping file. Missing values are empty strings.

    Attributes:
        subject: Identifier of the subject, for example `MONDO:0005015`.
        subject_label: Label of the subject.
        predicate: Predicate of the mapping, for example `skos:exactMatch`.
        negated: Whether the mapping is negated.
        object: Identifier of the object.
        object_label: Label of the object.
        justification: Method by which the mapping was found.
        confidence: Confidence from 0 to 1, or None.
    """

    subject: str
    subject_label: str
    predicate: str
    negated: bool
    object: str
    object_label: str
    justification: str
    confidence: float | None


class SSSOMBuilder(SpanBuilder):
    """Builder of pairs from mappings between a code and a concept, whose label is the string.

    An exact match that was curated manually is gold. All others are silver. Rows without a code of the
    code system are skipped.
    """

    name = "sssom"
    summary = "Span pairs from SSSOM mapping files: the labels that are mapped to a code."
    config_type = SSSOMConfig

    def claims(self, config: SSSOMConfig, system: CodeSystem) -> Iterator[Claim | RejectedRow]:
        """Yield the label of every mapping to a code.

        Raises:
            DataErrors: A file is not in this format.
        """
        prefix = (config.prefix or system.name).casefold()
        for path in config.files:
            for mapping in read_sssom(path):
                sides = (
                    (mapping.subject, mapping.object_label, mapping.object),
                    (mapping.object, mapping.subject_label, mapping.subject),
                )
                for identifier, label, other in sides:
                    vocabulary, _, code = identifier.partition(":")
                    if code and vocabulary.casefold() == prefix:
                        yield _claim(mapping, code, label, other, config)


def _claim(
    mapping: Mapping, code: str, label: str, other: str, config: SSSOMConfig
) -> Claim | RejectedRow:
    reason = ""
    if mapping.negated:
        reason = "negated mapping"
    elif mapping.predicate not in config.predicates:
        reason = f"mapped by {mapping.predicate}"
    elif mapping.confidence is not None and mapping.confidence < config.least_confidence:
        reason = "not certain enough"
    elif not label:
        reason = "no label"
    if reason:
        return RejectedRow(text=label, code=code, reason=reason, detail=other)
    curated = mapping.predicate == EXACT and mapping.justification == _CURATED
    grade: Grade = "gold" if curated else "silver"
    return Claim(label, code, "sssom/mapping", grade)


def read_sssom(path: Path) -> Iterator[Mapping]:
    """Read the mappings of a file in its order.

    Raises:
        DataErrors: A required column is missing, a row has too many or too few fields, or an identifier
            or a confidence is invalid. The error lists all problems with their lines.
    """
    lines = read_lines(path)
    head = next(
        (number for number, line in enumerate(lines) if not line.startswith("#")), len(lines)
    )
    reader = csv.reader(lines[head:], delimiter="\t")
    problems: list[DataError] = []
    mappings: list[Mapping] = []
    names = [name.strip() for name in next(reader, [])]
    missing = [name for name in _REQUIRED if name not in names]
    if not set(_LABELS) & set(names):
        missing.append(" or ".join(_LABELS))
    problems += [DataError(path, f"the column {name} is missing", head + 1) for name in missing]
    for values in reader if not problems else ():
        line = head + reader.line_num
        if not any(values):
            continue
        if len(values) != len(names):
            problem = f"{len(values)} fields, the header has {len(names)}"
            problems.append(DataError(path, problem, line))
            continue
        fields = dict(zip(names, (" ".join(value.split()) for value in values), strict=True))
        mappings.append(_mapping(path, line, fields, problems))
    if problems:
        raise DataErrors(problems)
    return iter(mappings)


def _mapping(path: Path, line: int, fields: dict[str, str], problems: list[DataError]) -> Mapping:
    for name in ("subject_id", "object_id"):
        if ":" not in fields[name]:
            problems.append(
                DataError(path, "not an identifier of the form PREFIX:NAME", line, name)
            )
    confidence = None
    if value := fields.get("confidence"):
        try:
            confidence = float(value)
        except ValueError:
            confidence = math.nan
        if not 0 <= confidence <= 1:
            problems.append(DataError(path, "not a number from 0 to 1", line, "confidence"))
    return Mapping(
        fields["subject_id"],
        fields.get("subject_label", ""),
        fields["predicate_id"],
        fields.get("predicate_modifier", "") == "Not",
        fields["object_id"],
        fields.get("object_label", ""),
        fields.get("mapping_justification", ""),
        confidence,
    )
