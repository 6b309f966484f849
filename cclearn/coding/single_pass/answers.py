"""From answers to findings: parsed, grounded, checked."""

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
    """A part of a note that was coded by itself.

    Attributes:
        start: Where it begins, in code points.
        end: Where it ends, half-open.
        answer: What the model wrote.
    """

    start: int
    end: int
    answer: Answer

    @property
    def flags(self) -> set[str]:
        """Why the answer is missing or not whole."""
        if self.answer.problem:
            return {self.answer.problem}
        return set() if self.answer.complete else {"truncated"}


def read_quotes(
    text: str, part: Part, rules: AssertionRules
) -> tuple[ParsedAnswer, list[Span | None]]:
    """Return the lines of the answer to a part of a note, and where in the note each quote stands, None
    where it does not."""
    first = part.start
    parsed = parse_answer(part.answer.text, part.answer.complete)
    spans = ground(
        text[first : part.end],
        [line.quote for line in parsed.lines],
        # A quote may stand twice, first negated or only suspected: the model means the other one.
        prefer=lambda start, end: _likelihood(rules.assertion_of(first + start, first + end)),
    )
    return parsed, [span and (first + span[0], first + span[1]) for span in spans]


def read_parts(note: Note, parts: Sequence[Part], system: CodeSystem) -> Reading:
    """Turn answers to parts of a note into findings with offsets.

    What cannot be used is counted, never repaired. What two overlapping parts both found counts once;
    assertions are read in the whole note, whose headings may stand in another part.

    Args:
        note: What was coded.
        parts: Of the note, in any order.
        system: Says which codes may be assigned.
    """
    rules = AssertionRules(note.text)
    reading = Reading(note, [])
    for number, part in enumerate(sorted(parts, key=lambda part: (part.start, part.end))):
        found, left, wrong = _read_part(note.text, part, number, rules, system)
        reading.headers += [each for each in found if system.status(each.code) == "header"]
        found = [each for each in found if system.status(each.code) == "valid"]
        reading.parts.append((part.start, part.end))
        reading.repeated += len(found) - len({(f.code, f.start, f.end) for f in found})
        reading.findings += found
        reading.ungrounded += left
        reading.invalid += wrong
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
    """Rank mentions by how likely a code is meant for them."""
    return 0 if assertion not in CODED else 1 if assertion == "uncertain" else 2
