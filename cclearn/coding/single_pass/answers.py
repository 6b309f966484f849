"""Parses answers, grounds their quotes, checks their codes, and returns findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding, Reading
from cclearn.engines import Answer
from cclearn.notes import CODED, Assertion, Invalid, Note, Ungrounded
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.grounding import ground
from cclearn.notes.spans import Span
from cclearn.prompts import ParsedAnswer, parse_answer


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a note that was coded separately.

    Attributes:
        start: Offset of the first code point.
        end: Offset after the last code point.
        answer: Answer of the model.
    """

    start: int
    end: int
    answer: Answer

    @property
    def flags(self) -> set[str]:
        """Reasons why the answer is missing or incomplete."""
        if self.answer.problem:
            return {self.answer.problem}
        return set() if self.answer.complete else {"truncated"}


def read_quotes(
    text: str, part: Part, rules: AssertionRules
) -> tuple[ParsedAnswer, list[Span | None]]:
    """Return the parsed answer to a part of a note, and the span of each quote in the note.

    The span of a quote that does not occur in the part is None.

    Args:
        text: Text of the note.
        part: Part of the note, with its answer.
        rules: Assertion rules of the note, which select among several occurrences of a quote.
    """
    first = part.start
    parsed = parse_answer(part.answer.text, part.answer.complete)
    spans = ground(
        text[first : part.end],
        [line.quote for line in parsed.lines],
        # If a quote occurs twice and is once negated or suspected, the model means the other one.
        prefer=lambda start, end: _likelihood(rules.assertion_of(first + start, first + end)),
    )
    return parsed, [span and (first + span[0], first + span[1]) for span in spans]


def read_parts(note: Note, parts: Sequence[Part], system: CodeSystem) -> Reading:
    """Turn answers to parts of a note into findings with offsets.

    Unusable answers are counted and never repaired. A finding of two overlapping parts counts once.
    Assertions depend on the whole note, whose headings may be in another part.

    Args:
        note: Note that was coded.
        parts: Parts of the note, in any order.
        system: Code system that decides which codes may be assigned.
    """
    rules = AssertionRules(note.text)
    reading = Reading(note, [])
    for number, part in enumerate(sorted(parts, key=lambda part: (part.start, part.end))):
        found, ungrounded, invalid = _read_part(note.text, part, number, rules, system)
        reading.headers += [f for f in found if system.status(f.code) == "header"]
        found = [f for f in found if system.status(f.code) == "valid"]
        reading.parts.append((part.start, part.end))
        reading.repeated += len(found) - len({(f.code, f.start, f.end) for f in found})
        reading.findings += found
        reading.ungrounded += ungrounded
        reading.invalid += invalid
        reading.flags |= part.flags
    return reading


def _read_part(
    text: str, part: Part, number: int, rules: AssertionRules, system: CodeSystem
) -> tuple[list[Finding], list[Ungrounded], list[Invalid]]:
    parsed, spans = read_quotes(text, part, rules)
    findings = []
    ungrounded = []
    invalid = [Invalid(code=None, status="unreadable")] * parsed.unreadable
    for line, span in zip(parsed.lines, spans, strict=True):
        code = system.canonical(line.code)
        status = system.status(code)
        if status != "valid":
            invalid.append(Invalid(code=code, status=status))
        if span is None and status == "valid":
            ungrounded.append(Ungrounded(code=code, quote=line.quote))
        elif span is not None and status in ("valid", "header"):
            probability = part.answer.probability(line.code_start, line.code_end)
            findings.append(Finding(code, *span, probability, rules.assertion_of(*span), number))
    return findings, ungrounded, invalid


def _likelihood(assertion: Assertion) -> int:
    """Return a rank that is higher if a code is more likely meant for a mention."""
    return 0 if assertion not in CODED else 1 if assertion == "uncertain" else 2
