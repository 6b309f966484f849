"""Rendering of rows as chat messages.

A *document row* asks for the codes of a note. Its answer has the evidence and the codes in one of the
layouts of `cclearn.prompts.layout`. A *span row* asks for the code of one evidence span. Its answer has
the same form, so that a model can apply to documents what it learns from spans.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, TypedDict

from cclearn.codes.traits import traits_of
from cclearn.notes import CodedNote
from cclearn.notes.grounding import as_quote
from cclearn.prompts.layout import (
    BETWEEN,
    CODES_HEAD,
    EVIDENCE_HEAD,
    LINE_START,
    NOTHING,
    Template,
)
from cclearn.runtime.files import sha256_of_text

RowKind = Literal["span", "document"]


class Message(TypedDict):
    """One turn of a chat."""

    role: str
    content: str


@cache
def instruction(kind: RowKind, system: str, template: Template = "paired") -> str:
    """Return the instruction at the beginning of a prompt.

    Args:
        kind: Kind of the row.
        system: Name of the code system.
        template: Layout of the answer.
    """
    file = files("cclearn.prompts").joinpath("texts", f"{kind}_{template}.txt")
    return (
        file.read_text(encoding="utf-8").strip().replace("{system}", traits_of(system).display_name)
    )


@cache
def prompt_hash(system: str, template: Template = "paired") -> str:
    """Return the SHA-256 of everything that determines the text of a row."""
    note = CodedNote(id="-", text="-")
    parts = [document_prompt("-", system, template=template)[0]["content"]]
    parts += [span_prompt("-", system, template)[0]["content"]]
    parts += [span_answer("-", "-", "-", template), document_answer(note, template)]
    parts.append(answer_lines([("-", "-")] * 2, template))
    return sha256_of_text("\x1e".join(parts))


def document_prompt(
    text: str,
    system: str = "icd10cm",
    examples: Sequence[CodedNote] = (),
    template: Template = "paired",
) -> list[Message]:
    """Return the prompt that asks for the codes of a note.

    Args:
        text: Text of the note.
        system: Name of the code system.
        examples: Coded notes that are shown before the note, each in its own turns (few-shot).
        template: Layout of the answer.
    """
    task = instruction("document", system, template)

    def question(note: str) -> Message:
        return {"role": "user", "content": f"{task}\n\n{note}"}

    turns: list[Message] = []
    for example in examples:
        answer = document_answer(example, template)
        turns += [question(example.text), {"role": "assistant", "content": answer}]
    return [*turns, question(text)]


def document_answer(note: CodedNote, template: Template = "paired") -> str:
    """Return the answer with the evidence and codes of a note, in order of mention.

    In the layout `codes`, each code occurs once, and those without evidence are the last ones.
    """
    cited = sorted(
        (evidence.start, evidence.end, evidence.text, assigned.code)
        for assigned in note.codes
        for evidence in assigned.evidence
    )
    if template == "codes":
        every = [*(code for *_, code in cited), *(assigned.code for assigned in note.codes)]
        return answer_lines((("", code) for code in dict.fromkeys(every)), template)
    return answer_lines(((text, code) for _, _, text, code in cited), template)


def span_prompt(text: str, system: str = "icd10cm", template: Template = "paired") -> list[Message]:
    """Return the prompt that asks for the code of an evidence span.

    A blank precedes the span, as in most notes and in every answer. Tokenizers encode a word differently
    without a preceding blank, so that the model could not copy the tokens.
    """
    task = instruction("span", system, template)
    return [{"role": "user", "content": f"{task}\n\nEvidence: {text}"}]


def verification_prompt(text: str, descriptions: Iterable[str]) -> list[Message]:
    """Return the prompt that asks which description a span states; the answer may be `none`."""
    task = files("cclearn.prompts").joinpath("texts", "verification.txt")
    lines = "\n".join(f"{LINE_START}{description}" for description in descriptions)
    content = f"{task.read_text(encoding='utf-8').strip()}\n\nEvidence: {text}\n{lines}"
    return [{"role": "user", "content": content}]


def span_answer(text: str, code: str, description: str = "", template: Template = "paired") -> str:
    """Return the answer with the span, its code and, if it is not empty, the code's description."""
    return answer_lines([(text, f"{code} {description}".rstrip())], template)


def answer_lines(cited: Iterable[tuple[str, str]], template: Template = "paired") -> str:
    """Return the answer with pieces of evidence and their codes, or `none` if there are no pairs."""
    pairs = [(as_quote(text), code) for text, code in cited]
    if not pairs:
        return NOTHING
    if template == "paired":
        return "\n".join(f"{LINE_START}{quote}{BETWEEN}{code}" for quote, code in pairs)
    codes = [CODES_HEAD, *(f"{LINE_START}{code}" for _, code in pairs)]
    if template == "codes":
        return "\n".join(codes)
    evidence = [f"{LINE_START}{quote}" for quote, _ in pairs]
    return "\n".join([EVIDENCE_HEAD, *evidence, *codes])
