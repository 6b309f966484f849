"""Rendering of rows as text and parsing of answers. No other module knows the format."""

from cclearn.prompts.layout import Template
from cclearn.prompts.parser import ParsedAnswer, ParsedLine, parse_answer
from cclearn.prompts.templates import (
    Message,
    answer_lines,
    document_answer,
    document_prompt,
    prompt_hash,
    span_answer,
    span_prompt,
    verification_prompt,
)

__all__ = [
    "Message",
    "ParsedAnswer",
    "ParsedLine",
    "Template",
    "answer_lines",
    "document_answer",
    "document_prompt",
    "parse_answer",
    "prompt_hash",
    "span_answer",
    "span_prompt",
    "verification_prompt",
]
