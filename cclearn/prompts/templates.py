"""Rendering of rows as chat messages.

A *document row* asks for the codes of a note; each line of the answer is one evidence and its code. A
*span row* asks for the code of one evidence span; its answer is a line of the same form, so that what
is learnt from spans is learnt in the form in which documents need it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from importlib.resources import files
from typing import Literal, TypedDict

from cclearn.files import sha256_of_text
from cclearn.notes import CodedNote
from cclearn.notes.grounding import as_quote
from cclearn.prompts.layout import BETWEEN, LINE_START, NOTHING

RowKind = Literal["span", "document"]
_FILES: dict[RowKind, str] = {"span": "span.txt", "document": "paired.txt"}

_WRITTEN = {"icd10cm": "ICD-10-CM", "icd9cm": "ICD-9-CM"}
"""How prompts write the name of a code system; that of a user's own is written as it is."""


class Message(TypedDict):
    """One turn of a chat."""

    role: str
    content: str


@cache
def instruction(kind: RowKind, system: str) -> str:
    """Return the instruction that opens the prompt of this kind of row.

    Args:
        kind: Of the row.
        system: The name of the code system.
    """
    template = files("cclearn.prompts").joinpath("texts", _FILES[kind]).read_text(encoding="utf-8")
    return template.strip().replace("{system}", _WRITTEN.get(system, system))


@cache
def prompt_hash(system: str) -> str:
    """Return the SHA-256 of everything that decides how a row looks as text."""
    note = CodedNote(id="-", text="-")
    parts = [instruction("span", system), instruction("document", system)]
    parts += [document_prompt("-", system)[0]["content"], span_prompt("-", system)[0]["content"]]
    parts += [span_answer("-", "-", "-"), document_answer(note)]
    parts.append(_line("-", "-"))
    return sha256_of_text("\x1e".join(parts))


def document_prompt(
    text: str, system: str = "icd10cm", examples: Sequence[CodedNote] = ()
) -> list[Message]:
    """Ask for the codes of a note.

    Args:
        text: The note.
        system: The name of the code system.
        examples: Coded notes that go before, each asked and answered in a turn of its own.
    """

    def asked(note: str) -> Message:
        return {"role": "user", "content": f"{instruction('document', system)}\n\n{note}"}

    turns: list[Message] = []
    for example in examples:
        turns += [asked(example.text), {"role": "assistant", "content": document_answer(example)}]
    return [*turns, asked(text)]


def document_answer(note: CodedNote) -> str:
    """Answer with the evidence and codes of a note, in order of mention."""
    cited = sorted(
        (evidence.start, evidence.end, evidence.text, assigned.code)
        for assigned in note.codes
        for evidence in assigned.evidence
    )
    return answer_lines((text, code) for _, _, text, code in cited)


def span_prompt(text: str, system: str = "icd10cm") -> list[Message]:
    """Ask for the code of an evidence span.

    A blank stands before the span, as it mostly does in a note and always in the answer: tokenizers
    spell a word differently where there is none, and then it could not simply be copied.
    """
    return [{"role": "user", "content": f"{instruction('span', system)}\n\nEvidence: {text}"}]


def span_answer(text: str, code: str, description: str = "") -> str:
    """Answer with the span, its code and the code's description (none where it is empty)."""
    return f"{_line(text, code)} {description}".rstrip()


def answer_lines(cited: Iterable[tuple[str, str]]) -> str:
    """Join evidence and codes to an answer."""
    return "\n".join(_line(text, code) for text, code in cited) or NOTHING


def _line(text: str, code: str) -> str:
    return f"{LINE_START}{as_quote(text)}{BETWEEN}{code}"
