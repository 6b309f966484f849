"""The grammar of an answer: its evidence is in the note, its code is in the release.

Written for llguidance (https://github.com/guidance-ai/llguidance), whose Lark dialect knows the
substrings of a text as a regular language.
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
"""The first line, by which servers that know other dialects too (vLLM) tell whose this one is."""

_PIECE = re.compile(r"(?P<blank>\s)?(?P<word>\w+|[^\w\s])")
"""A word or a mark of a note, with the blank before it."""


def document_grammar(text: str, codes_pattern: str, template: Template = "paired") -> str:
    """Return the grammar of the answers that this note allows.

    Evidence is a run of the note's words, its white space written as single blanks. Each blank goes
    with the word behind it, as in the tokens of most models, so that no evidence ends with one.

    Args:
        text: The note.
        codes_pattern: A regular expression of the codes that may be assigned, from `codes_regex`.
        template: The layout of the answer; in `listed` there are as many codes as pieces of evidence.
    """
    pieces = [(" " if m["blank"] else "") + m["word"] for m in _PIECE.finditer(text)]
    if not pieces:
        return f"{_DIALECT}\nstart: {json.dumps(NOTHING)}"
    mark = LINE_START.rstrip()
    if template == "paired":
        rules = [
            f'start: {json.dumps(NOTHING)} | LINE ("\\n" LINE)*',
            # One terminal: were the evidence a terminal of its own, the lexer would hold the blank
            # behind it for the beginning of the note's next word, and never let the evidence end.
            f'LINE: {json.dumps(mark)} " "? EVIDENCE {json.dumps(BETWEEN)} CODE',
        ]
    else:
        rules = [
            f"start: {json.dumps(NOTHING)} | {json.dumps(EVIDENCE_HEAD)} pair",
            f"pair: CITED (pair | {json.dumps(chr(10) + CODES_HEAD)}) CODED",
            f'CITED: {json.dumps(chr(10) + mark)} " "? EVIDENCE',
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
    """Return the grammar of the answers to a span row: the span and one code.

    Args:
        text: The evidence span.
        codes_pattern: As for `document_grammar`.
        template: The layout of the answer.
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
    """Return a compact regular expression that matches these codes and no other string.

    Codes that share their ends share their pattern, so that a whole release stays small.
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
        choices = [_one_of(firsts) + rest for rest, firsts in by_rest.items()]
        result = choices[0] if len(choices) == 1 else f"(?:{'|'.join(choices)})" if choices else ""
        if "" in tails and result:
            result = f"(?:{result})?"
        known[tails] = result
        return result

    return pattern(tuple(sorted(set(codes))))


def _one_of(characters: list[str]) -> str:
    escaped = [re.escape(character).replace("/", r"\/") for character in characters]
    return escaped[0] if len(escaped) == 1 else f"[{''.join(escaped)}]"
