"""From answers to findings: parsed, grounded, checked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding, Reading
from cclearn.engines import Answer
from cclearn.notes import CODED, Invalid, Note, Ungrounded
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.grounding import ground
from cclearn.prompts import parse_answer


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
        reading.parts.append((part.start, part.end))
        reading.repeated += len(found) - len({(f.code, f.start, f.end) for f in found})
        reading.findings += found
        reading.ungrounded += left
        reading.invalid += wrong
        if part.answer.problem:
            reading.flags.add(part.answer.problem)
        elif not part.answer.complete:
            reading.flags.add("truncated")
    return reading


def _read_part(
    text: str, part: Part, number: int, rules: AssertionRules, system: CodeSystem
) -> tuple[list[Finding], list[Ungrounded], list[Invalid]]:
    answer, first = part.answer, part.start
    parsed = parse_answer(answer.text, answer.complete)
    spans = ground(
        text[first : part.end],
        [line.quote for line in parsed.lines],
        # A quote may stand twice, first negated: the model means the other one.
        prefer=lambda start, end: rules.of(first + start, first + end) in CODED,
    )
    findings = []
    ungrounded = []
    invalid = [Invalid(code=None, status="unreadable")] * parsed.unreadable
    for line, span in zip(parsed.lines, spans, strict=True):
        code = system.canonical(line.code)
        status = system.status(code)
        if status != "valid":
            invalid.append(Invalid(code=code, status=status))
        elif span is None:
            ungrounded.append(Ungrounded(code=code, quote=line.quote))
        else:
            spelt = (
                len(answer.text[:offset].encode()) for offset in (line.code_start, line.code_end)
            )
            start, end = first + span[0], first + span[1]
            probability = answer.probability(*spelt)
            findings.append(Finding(code, start, end, probability, rules.of(start, end), number))
    return findings, ungrounded, invalid
