"""Signs and answers beside a mention: `∅ fever`, `fever (-)`, `Fever: no`, `[ ] fever`, `fever?`."""

from __future__ import annotations

import re
from typing import cast

from cclearn.notes.contract import Assertion

_NEGATIVE = r"(?:\(-\)|\[-\]|-ve\b|neg(?:ative)?\b|non-?reactive\b|x ?0\b|0 ?(?:/|out of) ?10\b)"
_POSITIVE = r"(?:\(\+\)|\[\+\]|\+ve\b|\+|pos(?:itive)?\b)"
_NO = r"(?:no|n|none|nil|never|n/a|absent|den(?:ies|ied))\b"
_YES = r"(?:yes|y|present|endorse[sd])\b"
_END = r"(?=\s*(?:[.,;|)\n]|\Z|do\b|\w+(?: \w+)?\s*[:?|]))"
_LAST = r"(?=[ \t]*(?:[,;|\n]|\Z))"
_TICKED, _EMPTY = r"(?:\[x\]|\(x\)|☒|☑|_+x_+)", r"(?:\[ ?\]|\( ?\)|☐|__+)"

_ANSWERS = re.compile(
    rf"(?:(?: [ab])?/ ?[ab]\b)?[ \t]*(?:(?P<negated>(?:[:=|–-]+[ \t]*)?{_NEGATIVE}(?! for)"
    rf"|[:=?|–-]+[ \t]*(?:{_EMPTY} ?{_YES}\s*{_TICKED} ?{_NO}|{_TICKED} ?{_NO}|{_NO}{_END})"
    rf"|[:=][ \t]*(?:-|0){_END}|[ \t]n{_LAST}"
    rf"|{_EMPTY} ?{_YES}\s*{_TICKED} ?{_NO}|nil\b)"
    rf"|(?P<present>{_POSITIVE}|[:=?|–-]+[ \t]*(?:{_TICKED} ?{_YES}|{_POSITIVE}|{_YES})"
    rf"|{_TICKED} ?{_YES}|[ \t]y{_LAST})"
    r"|(?P<uncertain>\?(?!\w)))"
)
"""Answers after a mention. Only the first one counts: in `chest pain: no, cough: yes` it is the no."""

_SIGNS = re.compile(
    rf"(?:(?P<negated>(?:[∅ø]|\(-\)|\[-\]|{_EMPTY})[ \t]*)"
    rf"|(?P<present>(?:\(\+\)|\[\+\]|(?<![\d+])\+|{_TICKED})[ \t]*)"
    r"|(?P<uncertain>(?<!\w)\?+ ?(?:\w+ )?)"
    r"|(?P<minus>(?<![\w-])-[ \t]?))\Z"
)
"""Signs before a mention. A minus may also be the bullet of a list."""

_BOX_AFTER = re.compile(rf"[ \t]*(?:(?P<present>{_TICKED}|\(\+\))|(?P<negated>{_EMPTY}|\(-\)))")
_BOX_LAST = re.compile(rf"(?:{_TICKED}|{_EMPTY}|\([+-]\))\s*\Z")
"""Matches a box or sign at the end of a line, in which all of them follow their conditions then."""

_SIGN_CHARACTERS = frozenset("∅ø)]☐☒☑_+?-")
"""One of them is in every sign."""

_MAX_SIGN = 24
"""Maximum length of a sign before a mention, in code points."""

_REMARK = re.compile(r" \(hcc\)")
"""Matches what systems of records write after a condition that counts for a category of risk."""

_PLUS = re.compile(r"(?<![\w+])\+ ?\w")

_QUESTION = re.compile(
    r"\b(?:how|what|where|when|which|who|why|do|does|did|have|has|is|are|any)\b[^.?!;\n]*\Z"
)
_MAX_QUESTION = 80
"""Maximum length of a question before a mention, in code points."""

_PAST = re.compile(
    r",? (?:since )?(?:cured|resolved|healed|outgrown|long since cured)\b"
    r"|[^.;\n]{0,40}[, ](?:(?<!not )cured|disease[- ]free|ned|no recurrence|none since|full recovery"
    r"|no sequelae)\b"
    r"|(?:,? ?\((?:in )?|,? (?:was )?in |,? x ?\d+ (?:in )?|,? )(?:'\d\d|(?:19|20)\d\d|age \d+)\b"
    r"(?!\s*(?:-|–|to )\s*(?:present|now|\d))"
)
"""An outcome or a year after a mention. The condition was then, unless the line says it still is."""

_STILL = re.compile(
    r"\b(?:since|still|ongoing|current(?:ly)?|chronic|persist\w+|active|present|dx|diagnosed)\b"
)


_DURATION = re.compile(r" ?(?:x|for) ?\d+\+? ?(?:h|hrs?|hours?|d|days?|wks?|weeks?|mos?|months?)\b")
"""A duration after a mention: `hx of cough x 3 days` is a cough now."""

_EX = re.compile(r"(?<!\w)ex-\Z")


def adjacent_assertions(lowered: str, start: int, end: int, line: str) -> set[Assertion]:
    """Return the assertions of the signs and answers beside a mention.

    `present` overrules what the words of the sentence say of negation and history.

    Args:
        lowered: Text of the note in lower case.
        start: Offset of the mention.
        end: Offset after the mention.
        line: Line of the mention, in lower case.
    """
    found: set[Assertion] = set()
    remark = _REMARK.match(lowered, end)
    end = end if remark is None else remark.end()
    before = max(0, start - _MAX_SIGN)
    may_be_sign = not _SIGN_CHARACTERS.isdisjoint(lowered[before:start])
    sign = _SIGNS.search(lowered, before, start) if may_be_sign else None
    box = _BOX_AFTER.match(lowered, end)
    if box is not None and _BOX_LAST.search(line) is not None:
        found.add(_assertion(box))
    elif sign is not None and (sign["minus"] is None or _PLUS.search(line) is not None):
        found.add("negated" if sign["minus"] else _assertion(sign))
    else:
        answer = _ANSWERS.match(lowered, end)
        if answer is not None and not _is_question(answer, lowered, start):
            found.add(_assertion(answer))
            # "Heart attack: yes (2012)" was then.
            if answer["present"] is not None and _PAST.match(lowered, answer.end()) is not None:
                return {"historical"}
    was = _EX.search(lowered, max(0, start - 4), start) or _PAST.match(lowered, end)
    if was is not None and _STILL.search(line) is None:
        found.add("historical")
    if _DURATION.match(lowered, end) is not None:
        found.add("present")
    return found


def _assertion(match: re.Match[str]) -> Assertion:
    """Return the assertion that the group of a match is named after."""
    return cast("Assertion", match.lastgroup)


def _is_question(answer: re.Match[str], lowered: str, start: int) -> bool:
    """Return whether the question mark after a mention ends a question to the patient."""
    return answer["uncertain"] is not None and (
        _QUESTION.search(lowered, max(0, start - _MAX_QUESTION), start) is not None
    )
