"""Finding the sections and the sentences of a note."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from cclearn.notes.spans import Span

Unit = Literal["section", "sentence"]
"""Kind of the units that a note is split into."""

_HEADER = re.compile(
    r"(?<![^\r\n])[ \t]*(?P<name>[A-Z][A-Za-z /&-]{1,48}?)[ \t]*(?::|(?=[\r\n]|\Z))"
)
"""A capitalised name before a colon at the start of a line, or alone on a line."""

_LINE_END = r"\r\n\x0b\x0c\x85\u2028\u2029"
_SENTENCE_END = re.compile(
    rf"[.!?;{_LINE_END}]"  # A single character class first makes the search fast.
    r"(?:(?<=[.!?;])\s++"  # Punctuation and white space: never inside "2.5" or "e.g.,".
    r"|(?<![.!?;])(?:\s*+(?=[-*•#|\d]|[A-Z])"  # A new item or a new sentence.
    rf"|(?:(?<=\r)\n)?+[^\S{_LINE_END}]*+[{_LINE_END}]\s*+"  # An empty line.
    r"|\s*+(?P<same_sentence>)))"  # Consumed too, so that white space is scanned only once.
)

_SHORT_FORM = re.compile(
    r"(?<!\w)(?i:incl|poss|prob|prev|approx|vs|dr|mrs?|ms|resp|esp|hosp|pt|(?<!vitamin )d|wt|ht|temp)\Z"
    r"|(?:\A|[\r\n])[ \t]*\d{1,2}\Z"
)
"""Matches the word or the number before a dot that does not end a sentence."""

_LONGEST_SENTENCE = 1_000
"""Maximum length of a sentence in code points. It limits the time that rules take for a sentence."""

_NAMES = (
    r"(?:past |family |fam |social |soc |surgical )*(?:medical |surgical |family )?(?:history|hx)"
    r"|hpi|pmhx?|pshx?|fm?hx?|shx?|ros|a/p|(?:active )?problem list|assessment(?: (?:and|&) plan)?|plan"
    r"|impression"
)
_KNOWN_HEADER = re.compile(
    rf"{_NAMES}|problems|(?:history of )?present(?:ing)? (?:illness|complaints?)|presentation"
    r"|(?:brief|interval|pertinent|relevant|psychosocial)(?: medical)? history|medical background"
    r"|(?:chief|presenting) complaint|reason for \w+|chronic (?:conditions|problems)|comorbidities"
    r"|(?:(?:hospital|clinical|ed) )?course(?: by problem| in hospital)?|review of systems"
    r"|subjective|objective|(?:physical )?exam(?:ination)?(?: on admission)?|allerg(?:y|ies)"
    r"|(?:current |home |discharge |outpatient )?(?:medications?|meds)(?: on discharge)?"
    r"|(?:admission|admitting|discharge|final|primary|principal|secondary|other|active|medical"
    r"|(?:pre|post)-?op(?:erative)?|referral)? ?(?:diagnos[ie]s(?: at discharge)?|dx)"
    r"|findings|(?:pertinent )?results|procedures?|indications?(?: for surgery)?|interval events"
    r"|vital signs|vitals|laboratory(?: \w+)?|labs|disposition|follow[- ]?up|recommendations"
    r"|(?:impression|disposition|assessment)(?: and (?:plan|follow-up))|plan of care"
    r"|(?:functional|social) (?:status|situation)|discharge instructions|chart review|summary"
)
"""Headers that only name a part of the note. Other words before a colon may be a finding."""

_INLINE = re.compile(rf"(?<=[.;] )(?P<name>(?i:{_NAMES})):")
"""A known header within a line, after a sentence."""


@dataclass(frozen=True, slots=True)
class Section:
    """A section of a note.

    Attributes:
        name: Words of the header in lower case, empty before the first header.
        start: Offset of the header.
        body: Offset of the text after the header.
        end: Offset after the section.
    """

    name: str
    start: int
    body: int
    end: int

    @property
    def has_known_header(self) -> bool:
        """Whether the header is the usual name of a section. Any other header may be a finding."""
        return _KNOWN_HEADER.fullmatch(self.name) is not None


def find_sections(text: str) -> list[Section]:
    """Return the sections of a note, which cover it without a gap.

    A header belongs to its section. The text before the first header is a section without a name.
    """
    headers = [match for match in _HEADER.finditer(text) if _is_header(match)]
    headers += _INLINE.finditer(text)
    headers.sort(key=lambda match: match.start())
    starts = [
        (" ".join(match["name"].lower().split()), match.start(), match.end()) for match in headers
    ]
    if not starts or starts[0][1] > 0:
        starts.insert(0, ("", 0, 0))
    ends = [*(start for _, start, _ in starts[1:]), len(text)]
    return [Section(*fields, end) for fields, end in zip(starts, ends, strict=True)]


def _is_header(match: re.Match[str]) -> bool:
    name = match["name"]
    return ":" in match[0] or name.isupper() or _KNOWN_HEADER.fullmatch(name.lower()) is not None


def find_sentences(text: str) -> list[Span]:
    """Return the sentences and list items of a note, which cover it without a gap.

    A sentence that is too long is split.
    """
    ends = (
        match
        for match in _SENTENCE_END.finditer(text)
        if match.lastgroup is None and not _is_short_form(text, match.start())
    )
    starts = [0, *(match.end() for match in ends)]
    spans = zip(starts, [*starts[1:], len(text)], strict=True)
    return [part for start, end in spans for part in _split_long(text, start, end)]


def _is_short_form(text: str, end: int) -> bool:
    """Return whether the mark at `end` is the dot of an abbreviation or of a numbered item."""
    return text[end] == "." and _SHORT_FORM.search(text, max(0, end - 8), end) is not None


def _split_long(text: str, start: int, end: int) -> Iterator[Span]:
    while end - start > _LONGEST_SENTENCE:
        furthest = start + _LONGEST_SENTENCE
        cut = text.rfind(" ", start, furthest) + 1 or furthest
        yield start, cut
        start = cut
    if start < end:
        yield start, end


def find_units(text: str, unit: Unit) -> list[Span]:
    """Return the sections or the sentences of a note that contain more than white space, in order.

    A sentence never extends across the header of a section.
    """
    borders = {section.start for section in find_sections(text)}
    if unit == "sentence":
        borders |= {start for start, _ in find_sentences(text)}
    starts = sorted(borders)
    spans = zip(starts, [*starts[1:], len(text)], strict=True)
    return [(start, end) for start, end in spans if not text[start:end].isspace() and start < end]
