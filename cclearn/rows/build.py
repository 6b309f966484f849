"""Training rows: a prompt and the completion that is learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote, SpanPair
from cclearn.notes.contract import Grade, Origin
from cclearn.notes.jsonl import read_coded_notes, read_span_pairs
from cclearn.prompts import (
    Message,
    Template,
    document_answer,
    document_prompt,
    span_answer,
    span_prompt,
)
from cclearn.prompts.templates import RowKind


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One example.

    Attributes:
        id: Of the pair or note it was made from.
        kind: `span` or `document`.
        prompt: The messages before the answer.
        completion: The answer; the loss is on it alone.
        grade: Of a span row's pair.
        code: Of a span row.
        text: A span row's span.
        note: What a document row was made from.
        system: The name of the code system that the prompt says.
        template: The layout of the answer.
        origin: Of the pair or note.
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
    """Make a row of a span pair.

    Args:
        pair: The span and its code.
        describe: Gives a code's description, which then follows the code in the answer.
        template: The layout of the answer.
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
    note: CodedNote, system: str = "icd10cm", template: Template = "paired"
) -> TrainingRow:
    """Make a row of a coded note.

    Args:
        note: The note and its codes.
        system: The name of their code system.
        template: The layout of the answer.

    Raises:
        ConfigurationError: A code has no evidence: the row would teach to leave the code out.
    """
    bare = [assigned.code for assigned in note.codes if not assigned.evidence]
    if bare:
        raise ConfigurationError(
            [
                f"document rows (id = {note.id}): {', '.join(bare)} without evidence. Give each code"
                " its evidence, or leave the note out."
            ]
        )
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


def read_source(
    path: Path,
    kind: RowKind,
    system: CodeSystem | None = None,
    describes: bool = True,
    template: Template = "paired",
) -> Iterator[TrainingRow]:
    """Stream the rows of a file of span pairs or coded notes.

    Args:
        path: JSONL of the contract.
        kind: Which of the two the file holds.
        system: Spells the codes in the official form and gives their descriptions.
        describes: Whether a span's code is followed by its description.
        template: The layout of the answers.

    Raises:
        DataError: The file is not what it should be.
        ConfigurationError: A code has no evidence, or no description where one is wanted.
    """
    if kind == "document":
        name = "icd10cm" if system is None else system.name
        return (document_row(note, name, template) for note in read_coded_notes(path, system))
    describe = system.description if describes and system is not None else None
    return (span_row(pair, describe, template) for pair in read_span_pairs(path, system))
