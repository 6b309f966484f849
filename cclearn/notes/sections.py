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
    r"^[ \t]*(?P<name>[A-Z][A-Za-z /&-]{1,48}?)[ \t]*(?::|(?<=[A-Z])[ \t]*$)", re.MULTILINE
)
"""A capitalised name before a colon at the start of a line, or a line in capitals."""

_LINE_END = r"\r\n\x0b\x0c\x85\u2028\u2029"
_SENTENCE_END = re.compile(
    rf"[.!?;{_LINE_END}]"  # A single character class first makes the search fast.
    r"(?:(?<=[.!?;])\s++"  # Punctuation and white space: never inside "2.5" or "e.g.,".
    r"|(?<![.!?;])(?:\s*+(?=[-*•\d]|[A-Z])"  # A new item or a new sentence.
    rf"|(?:(?<=\r)\n)?+[^\S{_LINE_END}]*+[{_LINE_END}]\s*+"  # An empty line.
    r"|\s*+(?P<same_sentence>)))"  # Consumed too, so that white space is scanned only once.
)

_LONGEST_SENTENCE = 1_000
"""Maximum length of a sentence in code points. It limits the time that rules take for a sentence."""

_KNOWN_HEADER = re.compile(
    r"(?:history of )?present(?:ing)? (?:illness|complaints?)|(?:past |family |social |surgical )*"
    r"(?:medical |surgical |family )?history|(?:chief|presenting) complaint|reason for \w+|"
    r"(?:hospital|clinical) course|review of systems|physical exam(?:ination)?|medications?|"
    r"allerg(?:y|ies)|(?:admission|discharge|final|principal|secondary)? ?diagnos[ie]s|"
    r"assessment(?: (?:and|&) plan)?|plan|impression|findings|results|procedures?|vital signs|"
    r"laboratory(?: \w+)?|labs|disposition|follow[- ]?up"
)
"""Headers that only name a part of the note. Other words before a colon may be a finding."""


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
    headers = [
        match for match in _HEADER.finditer(text) if ":" in match[0] or match["name"].isupper()
    ]
    starts = [
        (" ".join(match["name"].lower().split()), match.start(), match.end()) for match in headers
    ]
    if not starts or starts[0][1] > 0:
        starts.insert(0, ("", 0, 0))
    ends = [*(start for _, start, _ in starts[1:]), len(text)]
    return [Section(*fields, end) for fields, end in zip(starts, ends, strict=True)]


def find_sentences(text: str) -> list[Span]:
    """Return the sentences and list items of a note, which cover it without a gap.

    A sentence that is too long is split.
    """
    ends = (match for match in _SENTENCE_END.finditer(text) if match.lastgroup is None)
    starts = [0, *(match.end() for match in ends)]
    spans = zip(starts, [*starts[1:], len(text)], strict=True)
    return [part for start, end in spans for part in _split_long(text, start, end)]


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
