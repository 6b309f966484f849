"""Training rows: a prompt and the completion that is learnt."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from cclearn.errors import ConfigurationError
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


@dataclass(frozen=True, slots=True)
class TrainingRow:
    """One example.

    Attributes:
        id: Of the pair or note it was made from.
        kind: `span` or `document`.
        prompt: The messages before the answer.
        completion: The answer; the loss is on it alone.
        grade: Of a span row's pair.
        code: Of a span row; empty where the answer is that it has none.
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
    """Raise ConfigurationError where a code of a note has no evidence: words that justify it would be
    taken for words that justify nothing."""
    bare = [assigned.code for assigned in note.codes if not assigned.evidence]
    if bare:
        raise ConfigurationError(
            [
                f"document rows (id = {note.id}): {', '.join(bare)} without evidence. Give each code"
                " its evidence, or leave the note out."
            ]
        )


def span_rows(
    row: TrainingRow,
    negatives: Iterable[Span] = (),
    describe: Callable[[str], str] | None = None,
) -> Iterator[TrainingRow]:
    """Yield span rows of the note that a row was made from: of its evidence, and of other words.

    Args:
        row: Of a whole note.
        negatives: Offsets of words that are no evidence; their answer is that they have no code.
        describe: Gives a code's description, which then follows the code in the answer.
    """
    note = row.note
    if note is None:
        raise ValueError(f"{row.id}: it was not made from a note")

    def made(words: str, place: str, answer: str, code: str = "") -> TrainingRow:
        text = as_quote(words)
        prompt = tuple(span_prompt(text, row.system, row.template))
        return replace(
            row,
            id=f"{note.id}@{place}",
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
        yield made(evidence.text, f"{evidence.start}:{evidence.end} {code}", answer, code)
    for start, end in negatives:
        yield made(note.text[start:end], f"{start}:{end}", answer_lines((), row.template))


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
