"""Grammars of answers, which allow only evidence from the note and codes of the release.

The grammars are in the Lark dialect of llguidance (https://github.com/guidance-ai/llguidance), which
supports the substrings of a text as a regular language.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from cclearn.prompts.layout import (
    BETWEEN,
    CODES_HEAD,
    EVIDENCE_HEAD,
    LINE_START,
    NOTHING,
    Template,
)
from cclearn.prompts.templates import span_answer

_DIALECT = "%llguidance {}"
"""First line of a grammar, by which servers with several dialects (vLLM) recognise this one."""

_PIECE = re.compile(r"(?P<blank>\s)?(?P<word>\w+|[^\w\s])")
"""A word or a punctuation mark of a note, with the blank before it."""


def document_grammar(text: str, codes_pattern: str, template: Template = "paired") -> str:
    """Return the grammar of the possible answers to a document row.

    Evidence is a sequence of consecutive words of the note, with white space written as single blanks.
    Each blank belongs to the word after it, as in the tokens of most models, so that no evidence ends
    with a blank.

    Args:
        text: Text of the note.
        codes_pattern: Regular expression of the codes that may be assigned, from `codes_regex`.
        template: Layout of the answer. In `listed`, the numbers of codes and pieces of evidence agree.
    """
    pieces = [(" " if m["blank"] else "") + m["word"] for m in _PIECE.finditer(text)]
    if not pieces:
        return f"{_DIALECT}\nstart: {json.dumps(NOTHING)}"
    if template == "codes":
        return "\n".join(
            [
                _DIALECT,
                f"start: {json.dumps(NOTHING)} | {json.dumps(CODES_HEAD)} CODED+",
                f"CODED: {json.dumps(chr(10) + LINE_START)} CODE",
                f"CODE: /{codes_pattern}/",
            ]
        )
    bullet = LINE_START.rstrip()
    if template == "paired":
        rules = [
            f'start: {json.dumps(NOTHING)} | LINE ("\\n" LINE)*',
            # The line is one terminal. With a separate terminal for evidence, the lexer would read the
            # blank after it as the beginning of the note's next word, and the evidence would never end.
            f'LINE: {json.dumps(bullet)} " "? EVIDENCE {json.dumps(BETWEEN)} CODE',
        ]
    else:
        rules = [
            f"start: {json.dumps(NOTHING)} | {json.dumps(EVIDENCE_HEAD)} pair",
            f"pair: CITED (pair | {json.dumps(chr(10) + CODES_HEAD)}) CODED",
            f'CITED: {json.dumps(chr(10) + bullet)} " "? EVIDENCE',
            f"CODED: {json.dumps(chr(10) + LINE_START)} CODE",
        ]
    return "\n".join(
        [
            _DIALECT,
            *rules,
            "EVIDENCE: PIECES & /.+/",
            f"PIECES: %regex {json.dumps({'substring_chunks': pieces}, ensure_ascii=False)}",
            f"CODE: /{codes_pattern}/",
        ]
    )


def span_grammar(text: str, codes_pattern: str, template: Template = "paired") -> str:
    """Return the grammar of the possible answers to a span row: the span and one code.

    Args:
        text: Text of the evidence span.
        codes_pattern: Regular expression of the codes that may be assigned, from `codes_regex`.
        template: Layout of the answer.
    """
    head = span_answer(text, "", template=template)
    return "\n".join(
        [
            _DIALECT,
            "start: LINE",
            f"LINE: {json.dumps(head, ensure_ascii=False)} CODE",
            f"CODE: /{codes_pattern}/",
        ]
    )


def codes_regex(codes: Iterable[str]) -> str:
    """Return a compact regular expression that matches exactly the given codes.

    Codes with equal endings share a pattern, so that the expression of a whole release is small.
    """
    known: dict[tuple[str, ...], str] = {}

    def pattern(tails: tuple[str, ...]) -> str:
        if tails in known:
            return known[tails]
        by_first: dict[str, list[str]] = {}
        for tail in tails:
            if tail:
                by_first.setdefault(tail[0], []).append(tail[1:])
        by_rest: dict[str, list[str]] = {}
        for first, rests in by_first.items():
            by_rest.setdefault(pattern(tuple(rests)), []).append(first)
        alternatives = [_one_of(firsts) + rest for rest, firsts in by_rest.items()]
        result = "|".join(alternatives)
        if len(alternatives) > 1:
            result = f"(?:{result})"
        if "" in tails and result:
            result = f"(?:{result})?"
        known[tails] = result
        return result

    return pattern(tuple(sorted(set(codes))))


def _one_of(characters: list[str]) -> str:
    """Return a regular expression that matches one of the characters."""
    escaped = [re.escape(character).replace("/", r"\/") for character in characters]
    return escaped[0] if len(escaped) == 1 else f"[{''.join(escaped)}]"
