"""Reading the answers of a model: the note, and a grounded mention of each code."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from cclearn.codes import CodeSystem
from cclearn.coding.single_pass.answers import Part, ground_quotes
from cclearn.engines import Answer
from cclearn.notes import CODED_ASSERTIONS
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.spans import Span
from cclearn.prompts.layout import BETWEEN, EVIDENCE_HEAD, LINE_START
from data_builders.rare_codes.style import StyleNote, copies
from data_builders.synthetic.neighbours import contradicts

NO_ANSWER = "the model gave no answer"
EMPTY = "the answer is empty"
REFUSED = "the model refused"
NO_EVIDENCE = "the answer has no note with lines of evidence"
CODE_IN_NOTE = "the note contains a code"
COPIED = "the note copies the note for style"
INVENTED = "a quote is not in the note"
CUT_OFF = "the answer was cut off"
MISSING = "a code has no mention"

_ASKED_AGAIN = {"refusal": REFUSED, "empty": EMPTY}
"""Problems of engines after which a model is asked again. Others, such as a lost connection, would only
occur again."""

_LEAST_LETTERS = 2
"""Minimum number of letters of a mention."""

_LONGEST = 150
"""Maximum number of characters of a mention."""

_FENCE = re.compile(r"\s*```\w*\s*")
_NOTE_HEAD = re.compile(r"[\s*#]*Note:?[\s*]*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class ReadAnswer:
    """A note, or a section of one, in an answer.

    Attributes:
        text: Text of the note.
        spans: Spans of the mentions of each code that was asked for.
        others: Codes of the answer with a mention in the note that were not asked for.
        problem: Reason why the answer cannot be used, empty if it can be.
        detail: Further information about the problem: codes, or the problem of the engine.
        final: Whether the model is not asked again after the problem.
    """

    text: str
    spans: dict[str, list[Span]] = field(default_factory=dict)
    others: frozenset[str] = frozenset()
    problem: str = ""
    detail: str = ""
    final: bool = False


def read_answer(
    answer: Answer, codes: Sequence[str], style: StyleNote | None, system: CodeSystem
) -> ReadAnswer:
    """Return the note in an answer, and whether it can be used.

    A mention is a quote that is verbatim in the note, that the assertion rules do not negate or ascribe
    to another person, and that agrees with the side, the course and the type in the title of its code.

    Args:
        answer: Answer of the model.
        codes: Codes that were asked for.
        style: Note that the model was shown for its style, None if there was none.
        system: Code system of the codes.
    """
    if answer.problem:
        known = _ASKED_AGAIN.get(answer.problem)
        return ReadAnswer(
            "", problem=known or NO_ANSWER, detail=answer.problem, final=known is None
        )
    if not answer.text.strip():
        return ReadAnswer("", problem=EMPTY)
    text, lines = split_answer(answer.text)
    if not text or BETWEEN not in lines:
        problem = NO_EVIDENCE if answer.complete else CUT_OFF
        return ReadAnswer(text, problem=problem)
    rules = AssertionRules(text, "english")
    part = Part(0, len(text), Answer(answer.id, lines, answer.complete))
    parsed, found = ground_quotes(text, part, rules)
    spans: dict[str, list[Span]] = {code: [] for code in codes}
    others: set[str] = set()
    invented: set[str] = set()
    for line, span in zip(parsed.lines, found, strict=True):
        code = system.canonical(line.code)
        if span is None:
            invented.add(code)
        elif not system.is_billable(code) or not _is_mention(text, span, code, rules, system):
            continue
        elif code not in spans:
            others.add(code)
        elif span not in spans[code]:
            spans[code].append(span)
    missing = [code for code in codes if not spans[code]]
    problem, detail = "", ""
    if missing:
        problem = INVENTED if invented.intersection(missing) else MISSING
        problem, detail = (problem if answer.complete else CUT_OFF), ", ".join(missing)
    elif contained := [code for code in codes if _contains_code(text, code)]:
        problem, detail = CODE_IN_NOTE, ", ".join(contained)
    elif style is not None and copies(text, style.text):
        problem = COPIED
    return ReadAnswer(text, spans, frozenset(others), problem, detail)


def split_answer(text: str) -> tuple[str, str]:
    """Return the note in an answer and the lines of evidence below it.

    The lines follow the last heading `Evidence:`. Without one, they are the last lines of the answer
    that have the form of a line of evidence.

    Args:
        text: Text of the answer.
    """
    lines = [line for line in text.strip().split("\n") if not _FENCE.fullmatch(line)]
    heads = [n for n, line in enumerate(lines) if line.strip(" \t*#\r") == EVIDENCE_HEAD]
    if heads:
        note, evidence = lines[: heads[-1]], lines[heads[-1] + 1 :]
    else:
        first = len(lines)
        while first and (not lines[first - 1].strip() or _is_evidence(lines[first - 1])):
            first -= 1
        note, evidence = lines[:first], lines[first:]
    if note and _NOTE_HEAD.fullmatch(note[0]):
        note = note[1:]
    return "\n".join(note).strip(), "\n".join(evidence).strip()


def _is_evidence(line: str) -> bool:
    return line.lstrip().startswith(LINE_START) and BETWEEN in line


def _is_mention(
    text: str, span: Span, code: str, rules: AssertionRules, system: CodeSystem
) -> bool:
    """Return whether a span of a note mentions a code."""
    quote = text[slice(*span)]
    return (
        sum(map(str.isalpha, quote)) >= _LEAST_LETTERS
        and len(quote) <= _LONGEST
        and rules.assertion_of(*span) in CODED_ASSERTIONS
        and not contradicts(quote, system.description(code))
    )


def _contains_code(text: str, code: str) -> bool:
    """Return whether a note contains a code. One without letters may be a number, and does not count."""
    if not any(map(str.isalpha, code)):
        return False
    return re.search(rf"(?<![\w.]){re.escape(code)}(?![\w.]*\w)", text) is not None
