"""Whether a note says what a "use additional code" note of the classification asks for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache, lru_cache

from cclearn.codes.clinical_terms.tables import ADDITIONAL_CODES, DRUGS, read_rows, read_table
from cclearn.codes.instructions import Instruction
from cclearn.codes.references import Reference, references
from cclearn.notes import CODED_ASSERTIONS
from cclearn.notes.assertion import AssertionLanguage, AssertionRules
from cclearn.runtime.folding import lower_case

_PARENTHESES = re.compile(r"\([^()]*\)")
_WORD = re.compile(r"[a-z][a-z'-]{3,}")
_COMMON = frozenset(
    "code codes identify such with from that this other specific associated condition disease diseases"
    " disorder disorders status type applicable any known acute cause manifestation manifestations"
    " classified elsewhere including history following presence nature underlying body site".split()
)
"""Words of items that do not tell what is asked for."""


class Said:
    """What a note says, searched for the items of instructions.

    Args:
        text: Text of the note.
        assertion: Language of the assertion rules. `off` counts all mentions.
    """

    def __init__(self, text: str, assertion: AssertionLanguage = "english") -> None:
        self._text = text
        self._lowered = lower_case(text)
        self._assertion = assertion
        self._rules: AssertionRules | None = None

    def place(self, note: Instruction) -> tuple[int, int] | None:
        """Return the offsets of the first words that say what an instruction asks for.

        Mentions that the note negates, or that are about another person, do not count.

        Args:
            note: A "use additional code" note of the classification.
        """
        found = [
            span
            for beginnings, pattern in _patterns(note)
            # A search for a string is faster than one for a pattern, and mostly enough.
            if any(beginning in self._lowered for beginning in beginnings)
            for span in self._mention(pattern)
        ]
        return min(found, default=None)

    def _mention(self, pattern: re.Pattern[str]) -> Iterator[tuple[int, int]]:
        for match in pattern.finditer(self._lowered):
            # The rules read the whole note, which most notes of the classification do not need.
            self._rules = self._rules or AssertionRules(self._text, self._assertion)
            if self._rules.assertion_of(*match.span()) in CODED_ASSERTIONS:
                yield match.span()
                return


@lru_cache(maxsize=1 << 12)
def _patterns(note: Instruction) -> tuple[tuple[tuple[str, ...], re.Pattern[str]], ...]:
    """Return the patterns of the items of an instruction, each with strings one of which it needs."""
    found: dict[tuple[str, ...], str] = {}
    for item in re.split(r";|: ", note.text):
        named = list(references(item))
        known = list(_words_of(named))
        if not known and named:
            content = dict.fromkeys(_WORD.findall(_PARENTHESES.sub("", item.lower())))
            words = [word for word in content if word not in _COMMON]
            # All of the words, in their order, with little between them.
            pattern = r"\W+(?:\w+\W+){0,3}?".join(map(re.escape, words))
            known = [((words[0],), pattern)] if words else []
        found.update(known)
    return tuple(
        (beginnings, re.compile(rf"(?<!\w){words}(?!\w)")) for beginnings, words in found.items()
    )


def _words_of(named: Iterable[Reference]) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield the words for the codes that an item names, without their endings, and their pattern."""
    for reference in named:
        for stem, words in _table():
            bare = stem.replace(".", "")
            first, last = reference.first, reference.last
            if first.startswith(bare) or bare.startswith(first) or first <= bare <= last:
                beginnings = tuple(word.rstrip("*") for word in words)
                yield beginnings, f"(?:{'|'.join(map(_as_pattern, words))})"


@cache
def _table() -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return each stem of codes with its words."""
    rows = [
        (stem, words) for stems, words in read_table(ADDITIONAL_CODES) for stem in stems.split(" ")
    ]
    rows += [(code, names) for code, _, names in read_rows(DRUGS, 3)]
    return tuple((stem, tuple(words.split("; "))) for stem, words in rows)


def _as_pattern(words: str) -> str:
    return re.escape(words).replace(r"\*", r"\w*")
