"""Parses answers, grounds their quotes, checks their codes, and returns findings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding, NoteFindings, Uncited, log_odds
from cclearn.engines import Answer
from cclearn.notes import CODED_ASSERTIONS, Assertion, Invalid, Note, Ungrounded
from cclearn.notes.assertion import AssertionLanguage, AssertionRules
from cclearn.notes.grounding import as_quote, ground
from cclearn.notes.spans import Span
from cclearn.prompts import ParsedAnswer, Template, parse_answer
from cclearn.prompts.parser import ParsedLine, quote_of

QUOTE_SIGNAL: Final = "quote_log_odds"
"""Name of the log-odds of the tokens of a quote, which tell how sure a model is of the evidence."""


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a note that was coded separately, with its answer.

    Attributes:
        start: Offset of the first code point of the part in the note.
        end: Offset after the last code point of the part in the note.
        answer: Answer of the model to the part.
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


def quote_signals(answer: Answer, line: ParsedLine) -> dict[str, float]:
    """Return the signals of a quote by name; none if the engine gives no probabilities.

    Args:
        answer: Answer that contains the quote.
        line: Line of the quote in the parsed answer.
    """
    probability = answer.probability(line.quote_start, line.quote_end)
    return {} if probability is None else {QUOTE_SIGNAL: log_odds(probability)}


class LineLimit:
    """The number of times that each line may be in an answer: as often as its quote is in the text.

    A line that is repeated more often cites nothing new. Small models repeat one until their answer is
    cut off.

    Args:
        text: Text of the note, or of the window, that is coded.
    """

    def __init__(self, text: str) -> None:
        self._text = as_quote(text)

    def __call__(self, line: str) -> int:
        """Return how often a line may be in the answer, at least once.

        Lines of the layouts `paired` and `codes` are limited. One without a quote may occur once.
        """
        quote = as_quote(quote_of(line))
        return max(1, self._text.count(quote)) if quote else 1


def ground_quotes(
    text: str, part: Part, rules: AssertionRules
) -> tuple[ParsedAnswer, list[Span | None]]:
    """Return the parsed answer to a part of a note, and the span of each quote in the note.

    The span of a quote that does not occur in the part is None.

    Args:
        text: Text of the note.
        part: Part of the note, with its answer.
        rules: Assertion rules of the note, which select among several occurrences of a quote.
    """
    offset = part.start
    parsed = parse_answer(part.answer.text, part.answer.complete)
    spans = ground(
        text[offset : part.end],
        [line.quote for line in parsed.lines],
        # If a quote occurs twice and is once negated or suspected, the model means the other one.
        prefer=lambda start, end: _plausibility(rules.assertion_of(offset + start, offset + end)),
    )
    return parsed, [span and (offset + span[0], offset + span[1]) for span in spans]


def read_parts(
    note: Note,
    parts: Sequence[Part],
    system: CodeSystem,
    assertion: AssertionLanguage = "english",
    template: Template = "paired",
) -> NoteFindings:
    """Turn answers to parts of a note into findings with offsets.

    Unusable answers are counted and never repaired. Parts may overlap, so that two of them may have the
    same finding. Assertions depend on the whole note, whose headings may be in another part.

    Args:
        note: Note that was coded.
        parts: Parts of the note, in any order.
        system: Code system that decides which codes may be assigned.
        assertion: Language of the assertion rules. `off` takes all mentions as present.
        template: Layout of the answers. Only in `codes`, codes need no evidence.
    """
    rules = AssertionRules(note.text, assertion)
    note_findings = NoteFindings(note, [])
    for number, part in enumerate(sorted(parts, key=lambda part: (part.start, part.end))):
        if template == "codes":
            uncited, invalid = _parse_codes(part, system)
            note_findings.uncited += uncited
            note_findings.repeated += len(uncited) - len({found.code for found in uncited})
            note_findings.invalid += invalid
            note_findings.flags |= part.flags
            continue
        found, ungrounded, invalid = _parse_part(note.text, part, number, rules, system)
        note_findings.headers += [f for f in found if system.status(f.code) == "header"]
        found = [f for f in found if system.status(f.code) == "valid"]
        note_findings.parts.append((part.start, part.end))
        note_findings.repeated += len(found) - len({(f.code, f.start, f.end) for f in found})
        note_findings.findings += found
        note_findings.ungrounded += ungrounded
        note_findings.invalid += invalid
        note_findings.flags |= part.flags
    return note_findings


def _parse_part(
    text: str, part: Part, number: int, rules: AssertionRules, system: CodeSystem
) -> tuple[list[Finding], list[Ungrounded], list[Invalid]]:
    """Return the findings of a part, including headers, its ungrounded quotes, and its invalid codes."""
    parsed, spans = ground_quotes(text, part, rules)
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
            signals = quote_signals(part.answer, line)
            findings.append(
                Finding(
                    code, *span, probability, rules.assertion_of(*span), number, signals=signals
                )
            )
    return findings, ungrounded, invalid


def _parse_codes(part: Part, system: CodeSystem) -> tuple[list[Uncited], list[Invalid]]:
    """Return the codes of an answer of the layout `codes`, and its codes that may not be assigned."""
    parsed = parse_answer(part.answer.text, part.answer.complete)
    uncited = []
    invalid = [Invalid(code=None, status="unreadable")] * parsed.unreadable
    for line in parsed.lines:
        code = system.canonical(line.code)
        status = system.status(code)
        if status == "valid":
            uncited.append(Uncited(code, part.answer.probability(line.code_start, line.code_end)))
        else:
            invalid.append(Invalid(code=code, status=status))
    return uncited, invalid


def _plausibility(assertion: Assertion) -> int:
    """Return a rank that is higher if the model more likely cites a mention with this assertion."""
    return 0 if assertion not in CODED_ASSERTIONS else 1 if assertion == "uncertain" else 2
