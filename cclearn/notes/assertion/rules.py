"""Rules for the assertion of mentions: present, uncertain, historical, hypothetical, negated or family.

The rules follow ConText (Harkema et al. 2009): a cue applies to the mentions after it, or before it,
up to the end of the sentence or a word that ends its scope.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from functools import cached_property
from typing import Literal, NamedTuple

from cclearn.notes.contract import Assertion
from cclearn.notes.folding import lower_case
from cclearn.notes.sections import Section, find_sections, find_sentences
from cclearn.notes.spans import Span

_RELATIVE = (
    r"mother|father|parents?|grandmother|grandfather|grandparents?|mom|dad|sisters?|brothers?|siblings?"
    r"|sons?|daughters?|aunts?|uncles?|cousins?|nephews?|nieces?|(?:maternal|paternal)(?: \w+)?"
    r"|relatives?|husband|wife|spouse"
)
_BE = r"(?:is|was|are|were|be|being|has been|have been|had been)"
_NOT = r"(?:not|never|(?:did|does|do|has|have|had|was|were|is|are|could|can)n['’]t)"
_SEEN = (
    r"(?:seen|present|found|identified|noted|appreciated|observed|detected|reported|evident|palpable"
    r"|palpated|visualized|demonstrated)"
)
_HISTORY = r"(?:history|background|antecedents?)"

# Phrases that contain the words of a cue but do not assert anything about the mention.
_PSEUDO = "|".join(
    (
        # "No change in the nodule": the nodule itself is present.
        r"no (?:\w+ )?(?:increase|decrease|change|improvement|response|relief|progression|resolution"
        r"|benefit|recovery)(?: in| to| of| from)?",
        r"no (?:longer|doubt|further)|not (?:only|necessarily|just)",
        r"without (?:difficulty|incident|improvement|response|relief|success|treatment|contrast|delay"
        r"|medication|therapy|telling|change|further|prior notice)",
        rf"{_NOT} (?:been |be |being |yet |fully |well |completely |adequately |sufficiently )*"
        r"(?:improv\w*|respond\w*|toler\w*|reliev\w*|resolv\w*|control\w*|tak(?:en?|ing)|perform\w*"
        r"|treat\w*|intubated|operated|achiev\w*|allow\w*|want\w*|able|affiliated|complian\w*|deny)",
        r"excluded from",
        # "No relevant history" does not negate the reason for the visit.
        rf"(?:no|without)(?: \w+){{0,3}} {_HISTORY}(?: of (?:interest|note|relevance)|(?= (?:who|that"
        r"|was|is)\b)|(?=,))",
        rf"{_HISTORY} of (?:interest|note|relevance)",
        # A relative who reports, accompanies or lives with the patient does not have the disease.
        rf"(?:{_RELATIVE}) (?:who )?(?:reports?|reported|states?|stated|says|said|brings|brought"
        r"|refer(?:s|red)|notic(?:es|ed)|tells|told|describes?|explains?|confirms?)",
        r"(?:according to|accompanied by|lives with|living with|brought (?:in )?by|came with|comes with)"
        rf" (?:\w+ )?(?:{_RELATIVE})",
        r"(?:mother|father) of (?:a|an|one|two|three|four|five|six|\d+)",
        # The duration of a condition that is still present.
        r"(?:hour|day|week|month|year|time)s?[- ]old",
        r"(?:hour|day|week|month|year)s?(?:[- ]long)?[- ]history of|long-?standing history of",
        r"history of (?:the )?present(?:ing)?",
        r"diagnosed (?:\w+ ){1,3}(?:ago|earlier)",
    )
)

# The terms that Sections II.H and IV.H of the ICD-10-CM Official Guidelines list, and similar ones.
_UNCERTAIN_BEFORE = (
    r"(?:probabl[ey]|(?<!as )(?<!if )(?<!when )(?<!not )possible(?! to\b)|possibly|likely(?! to\b)|"
    r"questionable|presumed|presumptive(?:ly)?|presumably|suspect(?:s|ed|ing)?(?: (?:of|to)"
    r" (?:be|have|having))?|working diagnosis|"
    r"(?:may|might|could) (?:be(?! (?:ruled out|excluded|discarded))|have|represent|reflect)|"
    r"suspicion (?:of|for)|suspicious (?:of|for)|suggestive of|concern(?:ing)? for|"
    r"(?:compatible|consistent) with|(?<!to )(?:rule[- ]?out|r/o)|can ?not (?:exclude|rule out))"
    r"(?: (?:due|secondary) to| because of| has| have| had)?"
)
_UNCERTAIN = r"(?:probable|possible|likely|suspected|questionable|presumed)"
_UNCERTAIN_AFTER = (
    r"(?:is|are|was|were|been|being|remains?|appears?|seems?) (?:\w+ly |considered )?"
    rf"{_UNCERTAIN}(?! (?:to|of|due|secondary|because|from)\b)|"
    r"(?:has |have |could )?(?:can ?not|not|never) (?:yet )?(?:been |be )?(?:ruled out|excluded)|"
    r"(?:still |yet )?to be (?:ruled out|excluded)"
)
_UNCERTAIN_MARKED = (
    rf"[,(] ?{_UNCERTAIN}(?=\s*(?:[.;,)]|$))|, ?(?:still |yet )?to be (?:ruled out|excluded)"
)

# If cues of several kinds apply to a mention, the kind that is listed first wins.
_BEFORE: dict[Assertion, str] = {
    "ruled_out": (
        r"(?:ruled|rules|ruling) out(?: for)?|to (?:rule[- ]?out|r/o)|exclud(?:e|es|ed|ing)"
        r"|discard(?:s|ed|ing)?"
    ),
    "negated": (
        r"(?:no|without|denie[sd]|deny)(?: \w+){0,2} family history(?: of)?|negative for|none of|nor"
        r"|neither|nil"
        rf"|{_NOT}(?: (?:have|had|has|been|any|shown?|reveal(?:ed)?|present(?:ed)?|report(?:ed)?|seen"
        r"|found|find|identified|noted|observed|detect(?:ed)?|evident|palpable|develop(?:ed)?"
        r"|demonstrated?|suffer(?:ed)?|experienced?|complain(?:ed)? of))*"
        r"|no|without|denie[sd]|deny|denying|free of|absence of|lack of|fails to reveal|unremarkable for"
    ),
    "family": (
        r"family history(?: (?:is )?(?:significant|notable|positive))?(?: of| for)?|fh of"
        rf"|{_RELATIVE}"
    ),
    "hypothetical": (
        r"if|unless|should(?= [\w ]{1,60}(?:occur|develop|recur|appear|happen|arise|worsen))|in case of"
        r"|in the event of|(?:at )?(?:increased |high )?risk (?:of|for)"
        r"|risks(?: of \w+)? (?:of|include)|to prevent|prevention of|as needed for"
        r"|prophylaxis (?:for|against)|(?:vaccinated|immunized|vaccine|vaccination) (?:for|against)"
        r"|(?:monitor|watch|screen|screening|return|call|counsel(?:l?ed)?)(?: \w+){0,5}? (?:for|about)"
        r"|precautions for|(?:could|may|can|might) (?:develop|lead to|cause|result in)"
        r"|signs? of possible|(?:worried|concerned) about|fear of"
    ),
    "uncertain": _UNCERTAIN_BEFORE,
    "historical": (
        r"(?:past |prior |previous |remote |personal )?(?:medical )?history of|h/o|hx of"
        r"|status[- ]post|s/p|previous|prior|remote|old|resolved"
    ),
}
_AFTER: dict[Assertion, str] = {
    "ruled_out": rf"(?:{_BE}|could be|can be) (?:ruled out|excluded|discarded)",
    "negated": (
        rf"{_BE} (?:negative(?! for)|absent|denied|unlikely|not {_SEEN})"
        r"|(?:could|can) ?not be \w+(?:ed|en)"
        r"|(?<!-)negative(?! for)|unlikely|none(?! of)|no(?=\W*$)"
    ),
    "family": rf"in (?:\w+ )?(?:{_RELATIVE})(?! of)|runs? in the family",
    "hypothetical": (
        r"precautions(?! for)|prophylaxis(?! for| against)|screening(?! (?:\w+ ){0,2}for)"
        r"|(?:vaccine|vaccination|immunization)(?! for| against)"
    ),
    "uncertain": _UNCERTAIN_AFTER,
    "historical": (
        r"(?:has |have |had )(?:since )?resolved|in the past|years (?:ago|earlier)"
        r"|in (?:childhood|infancy|adolescence)|as an? (?:infant|child|teenager|baby)"
    ),
}
_BIDIRECTIONAL = re.compile(rf"ruled out|excluded|denied|resolved|{_NOT} {_SEEN}")
"""Cues of `_BEFORE` that also apply to the mention before them: `Sepsis ruled out`."""

_ENDS = (
    r"yet|nevertheless|apart from|aside from|other than|now has|now with|has|have|had|shows?|showed"
    r"|reveal(?:s|ed)|found to have|diagnos(?:is|ed|es)|treated for|secondary to|due to|because of"
    r"|remains?|continues?|which|who|whose|complain(?:s|ed|ing)?|report(?:s|ed|ing)|develop(?:s|ed|ing)"
    r"|start(?:s|ed|ing)|began|begins|beginning|appear(?:s|ed)|suffer(?:s|ed|ing)|requir(?:es|ed|ing)"
    r"|(?<=, )with|(?<=, )and (?:the|an?|with)"
)
_ENDS_ALL = (
    r"but|however|although|though|except|patient|he|she|they|himself|herself|(?:his|her) past"
    r"|(?<!no )(?<!or )personal"
    r"|past medical|presents?(?: today)? (?:with|for|to)|presented(?: \w+)? (?:with|to|at|for)"
    r"|admitted|consulted"
)
"""Words that end the scope of all cues. After the words of `_ENDS` alone, a mention may still be a
relative's: in "mother ... had a stroke" the stroke is the mother's."""

_FAMILY_SECTION = re.compile(r"^(?:family(?: medical)? (?:history|hx)|fhx?|family)$")
_NEAR: dict[Assertion, re.Pattern[str]] = {
    "historical": re.compile(r"[\s:]*(?:[\w'-]+\s+){0,3}"),
    "uncertain": re.compile(r"[\s:]*(?:(?!and\b)[\w'/-]+\s+){0,6}"),
}
"""The words allowed between the mention and a cue that applies only to the nearest words."""

_STOPS = frozenset(",;")
_WORDS_AFTER = 6
"""Maximum number of words between a mention and a cue after it."""

_MAX_DISTANCE = 2_000
"""Maximum distance of a cue in code points. It limits the time for text without sentences."""

_NON = re.compile(r"(?<!\w)non[- ]?$")
_VERB = re.compile(r"\s+(?:was|were|is|are|has|had|began|appeared|developed|persisted|ensued)\b")
_OR = re.compile(r"\b(?:or|nor)\b")
_CUES = re.compile(
    r"(?:(?<!\w)(?:"
    + "|".join(
        (
            # These come first: "not ruled out" is not an exclusion, "likely due to" does not end a
            # scope.
            f"(?P<after_uncertain>{_AFTER['uncertain']})",
            f"(?P<before_uncertain>{_BEFORE['uncertain']})",
            f"(?P<pseudo>{_PSEUDO})",
            *(f"(?P<after_{k}>{words})" for k, words in _AFTER.items() if k != "uncertain"),
            f"(?P<ends_all>{_ENDS_ALL})",
            *(f"(?P<before_{k}>{words})" for k, words in _BEFORE.items() if k != "uncertain"),
            f"(?P<ends>{_ENDS})",
        )
    )
    + rf")|(?P<marked>{_UNCERTAIN_MARKED}))(?!\w)"
)
_GROUPS: dict[str, tuple[str, Assertion]] = {
    f"{role}_{kind}": (role, kind)
    for role, cues in (("before", _BEFORE), ("after", _AFTER))
    for kind in cues
} | {"marked": ("after", "uncertain")}
"""Role and assertion of the named groups of `_CUES`, except `pseudo`, `ends` and `ends_all`."""


class _Cue(NamedTuple):
    """A cue in a note.

    Attributes:
        start: Offset of the first code point.
        end: Offset after the last code point.
        role: `before` or `after` for a cue that precedes or follows the mention, otherwise `ends`,
            `ends_all` or `pseudo`.
        kind: Assertion of the cue, None if the cue only ends a scope or asserts nothing.
        is_bidirectional: Whether the cue applies to mentions before and after it.
    """

    start: int
    end: int
    role: str
    kind: Assertion | None
    is_bidirectional: bool


AssertionLanguage = Literal["english", "off"]
"""Language of the rules. In notes of another language, words such as "no" would be misread."""


class AssertionRules:
    """Finds the assertions of spans of one note. The sections and sentences are found only once.

    Args:
        text: Text of the note.
        language: Language of the rules. `off` applies none, so that all mentions are present.
    """

    def __init__(self, text: str, language: AssertionLanguage = "english") -> None:
        self._text = text
        self._language = language
        self._cues_of: dict[int, list[_Cue]] = {}

    @cached_property
    def _lower(self) -> str:
        return lower_case(self._text)

    @cached_property
    def _sentences(self) -> list[Span]:
        return find_sentences(self._text)

    @cached_property
    def _starts(self) -> list[int]:
        return [start for start, _ in self._sentences]

    @cached_property
    def sections(self) -> list[Section]:
        """Sections of the note."""
        return find_sections(self._text)

    @cached_property
    def _section_starts(self) -> list[int]:
        return [section.start for section in self.sections]

    def section_at(self, offset: int) -> Section:
        """Return the section that contains an offset."""
        return self.sections[bisect_right(self._section_starts, offset) - 1]

    def assertion_of(self, start: int, end: int) -> Assertion:
        """Return the assertion of the span from `start` to `end`."""
        if self._language == "off":
            return "present"
        number = bisect_right(self._starts, start) - 1
        cues = self._cues_of.get(number)
        if cues is None:
            cues = self._cues_of[number] = _find_cues(self._lower, *self._sentences[number])
        reaching = self._cues_before(cues, start, end) | self._cues_after(cues, end)
        if _FAMILY_SECTION.match(self.section_at(start).name):
            reaching.add("family")
        return next((kind for kind in _BEFORE if kind in reaching), "present")

    def _cues_before(self, cues: list[_Cue], start: int, end: int) -> set[Assertion]:
        """Return the assertions of the cues before a mention whose scope contains the mention."""
        reaching: set[Assertion] = set()
        if _NON.search(self._lower, max(0, start - 5), start):
            reaching.add("negated")
        ended = False
        for number in range(bisect_left(cues, start, key=_start_of) - 1, -1, -1):
            cue = cues[number]
            if cue.role == "ends_all" or cue.end < start - _MAX_DISTANCE:
                break
            ended = ended or cue.role == "ends"
            if cue.role != "before" or cue.kind is None or cue.kind in reaching:
                continue
            if ended and cue.kind != "family":
                continue
            near = _NEAR.get(cue.kind)
            if near is not None and not near.fullmatch(self._lower, cue.end, start):
                continue
            if cue.kind == "negated" and self._begins_clause(cue.end, start, end):
                continue
            reaching.add(cue.kind)
        return reaching

    def _begins_clause(self, cue_end: int, start: int, end: int) -> bool:
        """Return whether a mention after a comma begins a clause of its own.

        It does in `Without any other illness, hypertension was found`, but not in the list
        `no fever or cough was seen`.
        """
        return (
            self._lower.find(",", cue_end, start) >= 0
            and _VERB.match(self._lower, end) is not None
            and _OR.search(self._lower, cue_end, start) is None
        )

    def _cues_after(self, cues: list[_Cue], end: int) -> set[Assertion]:
        """Return the assertions of the cues after a mention whose scope contains the mention."""
        reaching: set[Assertion] = set()
        for number in range(bisect_left(cues, end, key=_start_of), len(cues)):
            cue = cues[number]
            if cue.start > end + _MAX_DISTANCE:
                break
            between = self._lower[end : cue.start]
            if cue.role.startswith("ends") or not _STOPS.isdisjoint(between):
                break
            if len(between.split()) > _WORDS_AFTER:
                break
            if cue.kind is not None and (cue.role == "after" or cue.is_bidirectional):
                reaching.add(cue.kind)
        return reaching


def _start_of(cue: _Cue) -> int:
    return cue.start


def _find_cues(lowered: str, start: int, end: int) -> list[_Cue]:
    cues = []
    for match in _CUES.finditer(lowered, start, end):
        name = match.lastgroup or ""
        role, kind = _GROUPS.get(name, (name, None))
        is_bidirectional = role == "before" and _BIDIRECTIONAL.fullmatch(match[0]) is not None
        cues.append(_Cue(*match.span(), role, kind, is_bidirectional))
    return cues
