"""What a note says of a mention: present, uncertain, past, possible, negated or another person's.

Rules in the manner of ConText (Harkema et al. 2009): a cue reaches the mentions behind it, or before
it, up to the end of the sentence or a word that ends its scope.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from functools import cached_property

from cclearn.notes.contract import Assertion
from cclearn.notes.sections import find_sections, find_sentences

_RELATIVE = (
    r"(?:grand)?(?:mother|father|parents?)|mom|dad|sisters?|brothers?|siblings?|sons?|daughters?"
    r"|aunts?|uncles?|cousins?|(?:maternal|paternal)(?: \w+)?|relatives?"
)

# Cues that say nothing about the mention, though they hold the words of one that does.
_PSEUDO = (
    r"no (?:significant )?(?:increase|change|improvement) in|not only|no longer|not necessarily|"
    r"(?:can ?not|not|never) (?:yet )?(?:been |be )?(?:ruled? out|excluded?)|"
    r"to be (?:ruled out|excluded)|without (?:difficulty|incident)"
)

# What Section II.H of the ICD-10-CM Official Guidelines lists, IV.H besides, and similar terms.
_UNCERTAIN_BEFORE = (
    r"(?:probabl[ey]|(?<!as )(?<!if )(?<!when )(?<!not )possible(?! to\b)|possibly|likely(?! to\b)|"
    r"questionable|presumed|presumptive(?:ly)?|presumably|suspect(?:s|ed|ing)?(?: (?:of|to)"
    r" (?:be|have|having))?|working diagnosis|(?:may|might|could) (?:be|have|represent|reflect)|"
    r"suspicion (?:of|for)|suspicious (?:of|for)|suggestive of|concern(?:ing)? for|"
    r"(?:compatible|consistent) with|(?<!to )(?:rule[- ]?out|r/o)|can ?not exclude)"
    r"(?: (?:due|secondary) to| because of| has| have| had)?"
)
_UNCERTAIN = r"(?:probable|possible|likely|suspected|questionable|presumed)"
_UNCERTAIN_AFTER = (
    r"(?:is|are|was|were|been|being|remains?|appears?|seems?) (?:\w+ly |considered )?"
    rf"{_UNCERTAIN}(?! (?:to|due|secondary|because|from)\b)|[,(] ?{_UNCERTAIN}(?=\s*(?:[.;,)]|$))|"
    r"(?:has |have |could )?(?:can ?not|not|never) (?:yet )?(?:been |be )?(?:ruled out|excluded)|"
    r",? ?(?:still |yet )?to be (?:ruled out|excluded)"
)

# Ordered: where cues of two kinds reach a mention, the first kind listed is what holds.
_BEFORE: dict[Assertion, str] = {
    "family": (
        r"family history(?: is)?(?: significant| notable| positive)?(?: of| for)?|fh of|"
        rf"{_RELATIVE}"
    ),
    "ruled_out": r"(?:ruled|rules) out(?: for)?|to (?:rule[- ]?out|r/o)|exclud(?:e|es|ed|ing)",
    "negated": (
        r"no|not|nor|never|neither|none of|without|denie[sd]|deny|denying|negative for|"
        r"free of|absence of|lack of|fails to reveal|unremarkable for|non"
    ),
    "hypothetical": (
        r"if|should|in case of|(?:at )?(?:increased |high )?risk (?:of|for)|to prevent|prevention of|"
        r"prophylaxis (?:for|against)|(?:monitor|watch|screen|screening|return|call|counsel(?:l?ed)?)"
        r"(?: \w+){0,2} (?:for|about)|precautions for|could develop|may develop|signs? of possible"
    ),
    "uncertain": _UNCERTAIN_BEFORE,
    "historical": (
        r"(?:past |prior |previous |remote |personal )?(?:medical )?history of|h/o|hx of|"
        r"status[- ]post|s/p|previous|prior|remote|(?<!year[- ])(?<!years[- ])old|resolved"
    ),
}
_AFTER: dict[Assertion, str] = {
    "family": rf"in (?:\w+ )?(?:{_RELATIVE})|runs in the family",
    "ruled_out": r"(?:was|were|is|has been|have been|being)? ?(?:ruled out|excluded)",
    "negated": (
        r"(?:is|was|are|were|has been) (?:negative|absent|denied|unlikely|not (?:seen|present|"
        r"found|identified|noted|appreciated))|(?:not|never) (?:seen|present|found|identified)|"
        r"negative|denied|unlikely"
    ),
    "hypothetical": r"precautions|prophylaxis|screening",
    "uncertain": _UNCERTAIN_AFTER,
    "historical": r"(?:has|have)? ?(?:since )?resolved|in the past|\d+ years ago|in childhood",
}
_SCOPE_END = (
    r"but|however|although|though|except|yet|nevertheless|apart from|aside from|other than|"
    r"presents?(?: today)? (?:with|for)|presented with|now has|now with|has|have|had|shows?|showed|"
    r"reveal(?:s|ed)|found to have|admitted (?:with|for)|diagnosed with|treated for|secondary to|"
    r"due to|because of|remains?|continues?|patient|he|she|they|which|who|whose"
)
# Without a verb of its own, "had a stroke" after "mother" is still the mother's.
_ENDS_FAMILY = r"but|however|although|though|except|patient|he|she|they|himself|herself"

_NEAR: dict[Assertion, re.Pattern[str]] = {
    "historical": re.compile(r"[\s:]*(?:[\w'-]+\s+){0,3}"),
    "uncertain": re.compile(r"[\s:]*(?:(?!and\b)[\w'/-]+\s+){0,6}"),
}
"""What may stand between a cue that reaches the nearest words alone and the mention."""

_FAMILY_SECTION = re.compile(r"^(?:family(?: medical)? (?:history|hx)|fhx?|family)$")
_STOPS = frozenset(",;")
_WORDS_AFTER = 6
"""How many words behind a mention a cue that looks back may stand."""


def _compile(words: str) -> re.Pattern[str]:
    return re.compile(rf"(?<!\w)(?:{words})(?!\w)", re.IGNORECASE)


_PSEUDO_CUE = _compile(_PSEUDO)
_CUES_BEFORE = {kind: _compile(words) for kind, words in _BEFORE.items()}
_CUES_AFTER = {kind: _compile(words) for kind, words in _AFTER.items()}
_END_OF_SCOPE = _compile(_SCOPE_END)
_END_OF_FAMILY = _compile(_ENDS_FAMILY)


class AssertionRules:
    """Tells the assertion of any span of one note; the note's structure is found once.

    Args:
        text: The note.
    """

    def __init__(self, text: str) -> None:
        self._text = text

    @cached_property
    def _sentences(self) -> list[tuple[int, int]]:
        return find_sentences(self._text)

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _ in self._sentences]

    @cached_property
    def _family_sections(self) -> list[tuple[int, int]]:
        return [
            (section.start, section.end)
            for section in find_sections(self._text)
            if _FAMILY_SECTION.match(section.name)
        ]

    def of(self, start: int, end: int) -> Assertion:
        """Return what the note says of the words at `start:end` (code points, half-open)."""
        if any(first <= start < last for first, last in self._family_sections):
            return "family"
        first, last = self._sentences[bisect_right(self._starts, start) - 1]
        before = self._text[first:start]
        after = self._text[end : max(end, last)]
        for kind in _CUES_BEFORE:
            if _reaches_forward(kind, before) or _reaches_back(kind, after):
                return kind
        return "present"


def _reaches_forward(kind: Assertion, before: str) -> bool:
    ends = _END_OF_FAMILY if kind == "family" else _END_OF_SCOPE
    for cue in _CUES_BEFORE[kind].finditer(before):
        if _is_pseudo(kind, before, cue.start()):
            continue
        between = before[cue.end() :]
        if kind in _NEAR and not _NEAR[kind].fullmatch(between):
            continue
        if not ends.search(between):
            return True
    return False


def _reaches_back(kind: Assertion, after: str) -> bool:
    for cue in _CUES_AFTER[kind].finditer(after):
        if _is_pseudo(kind, after, cue.start()):
            continue
        between = after[: cue.start()]
        near = len(between.split()) <= _WORDS_AFTER and not _STOPS.intersection(between)
        if near and not _END_OF_SCOPE.search(between):
            return True
    return False


def _is_pseudo(kind: Assertion, text: str, place: int) -> bool:
    """Say whether a cue is part of words that mean something else; to uncertain ones it is their own."""
    if kind == "uncertain":
        return False
    return any(match.start() <= place < match.end() for match in _PSEUDO_CUE.finditer(text))
