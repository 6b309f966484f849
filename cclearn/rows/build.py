"""Training rows, each with a prompt and the completion to learn."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.errors import ConfigurationError, shown_id
from cclearn.notes import CodedNote, Evidence, SpanPair
from cclearn.notes.contract import Grade, Origin
from cclearn.notes.grounding import as_quote
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.notes.spans import Span
from cclearn.prompts import (
    Message,
    Template,
    answer_lines,
    document_answer,
    document_prompt,
    span_answer,
    span_prompt,
)
from cclearn.prompts.templates import RowKind
from cclearn.rows.checked_codes import CodeCheck


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """A training example.

    Attributes:
        id: Identifier. It is that of the span pair or the note, with a suffix for a part of a note.
        kind: Kind of the row, `span` or `document`.
        prompt: Messages before the answer.
        completion: Text of the answer. The loss is computed only on it and the end-of-turn token.
        grade: Grade of the span pair, None for a row that was made from a note.
        code: Code of a span row, empty for a span without a code and for a document row.
        text: Text of the span, empty for a document row.
        note: Coded note that a document row was made from, None for a span row.
        system: Name of the code system in the prompt.
        template: Layout of the answer.
        origin: Origin of the span pair or the note.
    """

    id: str
    kind: RowKind
    prompt: tuple[Message, ...]
    completion: str
    grade: Grade | None = None
    code: str = ""
    text: str = ""
    note: CodedNote | None = None
    system: str = "icd10cm"
    template: Template = "paired"
    origin: Origin = "public"


def span_row(
    pair: SpanPair,
    describe: Callable[[str], str] | None = None,
    template: Template = "paired",
) -> TrainingRow:
    """Return the training row of a span pair.

    Args:
        pair: Span pair.
        describe: Function that returns the description of a code. If it is given, descriptions follow
            the codes in answers.
        template: Layout of the answer.
    """
    description = describe(pair.code) if describe else ""
    return TrainingRow(
        pair.id,
        "span",
        tuple(span_prompt(pair.text, pair.system, template)),
        span_answer(pair.text, pair.code, description, template),
        grade=pair.grade,
        code=pair.code,
        text=pair.text,
        system=pair.system,
        template=template,
        origin=pair.origin,
    )


def document_row(
    note: CodedNote,
    system: str = "icd10cm",
    template: Template = "paired",
    cited: bool = True,
) -> TrainingRow:
    """Return the training row of a coded note.

    Args:
        note: Coded note.
        system: Name of the code system.
        template: Layout of the answer.
        cited: Whether every code must have evidence, unless the layout has none. False is for rows whose
            answer is not trained on.

    Raises:
        ConfigurationError: A code has no evidence, so that a model would learn to leave it out.
    """
    if cited and template != "codes":
        require_evidence(note)
    return TrainingRow(
        note.id,
        "document",
        tuple(document_prompt(note.text, system, template=template)),
        document_answer(note, template),
        note=note,
        system=system,
        template=template,
        origin=note.origin,
    )


def require_evidence(note: CodedNote) -> None:
    """Refuse a note with a code that has no evidence.

    A model would learn that the words that justify the code justify nothing.

    Raises:
        ConfigurationError: A code has no evidence.
    """
    uncited = [assigned.code for assigned in note.codes if not assigned.evidence]
    if uncited:
        raise ConfigurationError(
            [
                f"document rows (id = {shown_id(note.id)}): {', '.join(uncited)} without evidence. Give"
                " each code its evidence, or leave the note out."
            ]
        )


def note_span_rows(
    row: TrainingRow,
    negatives: Iterable[Span] = (),
    describe: Callable[[str], str] | None = None,
) -> Iterator[TrainingRow]:
    """Yield span rows for the evidence of a document row's note, and for spans that are not evidence.

    Args:
        row: Document row of a whole note.
        negatives: Spans of the note that are not evidence. Their answer is `none`.
        describe: Function that returns the description of a code. If it is given, descriptions follow
            the codes in answers.

    Raises:
        ValueError: The row is a span row.
    """
    note = row.note
    if note is None:
        raise ValueError(f"{row.id}: it was not made from a note")

    def row_of_span(span_text: str, location: str, answer: str, code: str = "") -> TrainingRow:
        text = as_quote(span_text)
        prompt = tuple(span_prompt(text, row.system, row.template))
        return replace(
            row,
            id=f"{note.id}@{location}",
            kind="span",
            prompt=prompt,
            completion=answer,
            code=code,
            text=text,
            note=None,
        )

    cited: dict[tuple[str, str], Evidence] = {}
    for assigned in note.codes:
        for evidence in assigned.evidence:
            cited.setdefault((string_key(evidence.text), assigned.code), evidence)
    for (_, code), evidence in cited.items():
        answer = span_answer(evidence.text, code, describe(code) if describe else "", row.template)
        yield row_of_span(evidence.text, f"{evidence.start}:{evidence.end} {code}", answer, code)
    for start, end in negatives:
        yield row_of_span(note.text[start:end], f"{start}:{end}", answer_lines((), row.template))


def read_source(
    path: Path,
    kind: RowKind,
    system: CodeSystem | None = None,
    describes: bool = True,
    template: Template = "paired",
    check: CodeCheck | None = None,
    cited: bool = True,
) -> Iterator[TrainingRow]:
    """Stream the training rows of a file of span pairs or coded notes.

    Args:
        path: Path of a JSONL or a Parquet file.
        kind: Kind of the rows: `span` for a file of span pairs, `document` for a file of coded notes.
        system: Code system that provides the official spelling and the descriptions of codes.
        describes: Whether descriptions follow the codes in answers to spans.
        template: Layout of the answers.
        check: Check that drops or replaces codes which cannot be trained on. None keeps all codes.
        cited: Whether every code of a note must have evidence, unless the layout has none.

    Raises:
        DataError: A line of the file is not valid.
        ConfigurationError: A code of a note has no evidence.
    """
    if kind == "document":
        name = "icd10cm" if system is None else system.name
        notes = read_coded_notes(path, system)
        kept = notes if check is None else filter(None, map(check.note, notes))
        return (document_row(note, name, template, cited) for note in kept)
    describe = system.description if describes and system is not None else None
    if check is None:
        pairs = read_span_pairs(path, system)
    else:
        pairs = filter(None, map(check.pair, read_span_pairs(path)))
    return (span_row(pair, describe, template) for pair in pairs)
