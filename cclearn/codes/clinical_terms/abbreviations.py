"""Abbreviations of clinical notes: finds them in a text, and decides what each one means there."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache
from typing import NamedTuple

from cclearn.codes.clinical_terms.tables import ABBREVIATIONS, read_rows

_DEFAULT = "*"
"""Context of the meaning that an abbreviation has if no context of another meaning is near."""

_CONTEXT_TOKENS = 15
"""Number of tokens on either side of an abbreviation in which its context is searched."""

_CASE_COUNTS = 3
"""Maximum length of abbreviations whose capitals count. `AS` is one, and `as` is a word."""

NO_CODE = "-"
"""Entry in the code column of a table for words that do not name a condition."""


class Meaning(NamedTuple):
    """A meaning of an abbreviation.

    Attributes:
        written: The abbreviation as it is written.
        words: What it means.
        code: Code of the meaning if nothing more is said, or `NO_CODE`.
        context: Words one of which must be near. Empty if there is no other meaning.
        is_default: Whether the abbreviation has this meaning if no context of any meaning is near.
    """

    written: str
    words: str
    code: str
    context: frozenset[str]
    is_default: bool


Tokeniser = Callable[[str], Iterable[str]]
"""Function that returns the tokens of a text in lower case."""


class Expansion(NamedTuple):
    """An abbreviation in a text.

    Attributes:
        first: Index of its first token.
        last: Index of its last token.
        words: What it means. Empty if that cannot be told.
    """

    first: int
    last: int
    words: str


@cache
def meanings() -> tuple[Meaning, ...]:
    """Return all meanings of the table, in order."""
    found = []
    for written, words, code, context in read_rows(ABBREVIATIONS, 4):
        near = frozenset(filter(None, context.split(";")))
        found.append(Meaning(written, words, code, near - {_DEFAULT}, _DEFAULT in near))
    return tuple(found)


@cache
def _by_letters() -> dict[str, list[Meaning]]:
    found: dict[str, list[Meaning]] = {}
    for meaning in meanings():
        found.setdefault(meaning.written.lower(), []).append(meaning)
    return found


def is_abbreviation(written: str) -> bool:
    """Return whether a text is an abbreviation of the table, in the case of its letters."""
    return any(sense.written == written for sense in _by_letters().get(written.lower(), ()))


def meanings_of(written: str) -> list[Meaning]:
    """Return the meanings of an abbreviation in any case of its letters, the most usual one first.

    Those of the spelling in capitals come before those of other spellings, such as `CaP`.
    """
    written = " ".join(written.split())
    spellings: dict[str, list[Meaning]] = {}
    for sense in _by_letters().get(written.lower(), ()):
        spellings.setdefault(sense.written, []).append(sense)
    ordered = sorted(spellings, key=lambda s: (s != written, not s.isupper(), s))
    return [sense for spelling in ordered for sense in by_use(spellings[spelling])]


def by_use(senses: Iterable[Meaning]) -> list[Meaning]:
    """Return meanings of an abbreviation, the most usual one first.

    It is the default or the only meaning. Without one, it is the meaning with the most words of context
    that has a code: the table lists more context for what is written more often.
    """
    return sorted(
        senses,
        key=lambda sense: (
            bool(sense.context) and not sense.is_default,
            sense.code == NO_CODE,
            -len(sense.context),
        ),
    )


class Abbreviations:
    """Finds abbreviations in tokens.

    Args:
        tokenise: Function that returns the tokens of a text in lower case.
    """

    def __init__(self, tokenise: Tokeniser) -> None:
        # The tokens of each abbreviation, by its first token, the longest first.
        self._by_first: dict[str, list[tuple[tuple[str, ...], list[Meaning]]]] = {}
        for meaning in meanings():
            tokens = tuple(tokenise(meaning.written.lower()))
            entries = self._by_first.setdefault(tokens[0], [])
            for known, senses in entries:
                if known == tokens:
                    senses.append(meaning)
                    break
            else:
                entries.append((tokens, [meaning]))
        # Second tokens of each first token that is no abbreviation alone: "a" of "A fib" is frequent.
        self._second: dict[str, frozenset[str]] = {}
        for first, entries in self._by_first.items():
            entries.sort(key=lambda entry: -len(entry[0]))
            if len(entries[-1][0]) > 1:
                self._second[first] = frozenset(known[1] for known, _ in entries)

    def find(
        self,
        text: str,
        tokens: Sequence[str],
        starts: Sequence[int],
        defaults: bool,
        guess: bool = False,
    ) -> list[Expansion]:
        """Return the abbreviations of a text, in order. No two of them share a token.

        Args:
            text: The text, with its capitals.
            tokens: Tokens of the text in lower case.
            starts: Offset of each token.
            defaults: Whether an abbreviation has its default meaning if no context is near.
            guess: Whether an abbreviation without a default has its most usual meaning then.
        """
        found: list[Expansion] = []
        free = 0
        possible_firsts = [n for n, token in enumerate(tokens) if token in self._by_first]
        for first in possible_firsts:
            token = tokens[first]
            second = self._second.get(token)
            if first < free or (second and not second.intersection(tokens[first + 1 : first + 2])):
                continue
            for known, senses in self._by_first[token]:
                last = first + len(known) - 1
                if tuple(tokens[first : last + 1]) != known:
                    continue
                if known in _SIDES and _is_unit_or_level(tokens, starts, first):
                    continue
                written = text[starts[first] : starts[last] + len(tokens[last])]
                possible = _as_written(written, senses)
                if possible:
                    near = range(
                        max(0, first - _CONTEXT_TOKENS), min(len(tokens), last + _CONTEXT_TOKENS)
                    )
                    context = {tokens[n] for n in near if not first <= n <= last}
                    words = _meaning(possible, context, defaults)
                    if guess and not words:
                        words = by_use(possible)[0].words
                    found.append(Expansion(first, last, words))
                    free = last + 1
                    break
        return found


_SIDES = (("l",), ("r",))


def _is_unit_or_level(tokens: Sequence[str], starts: Sequence[int], number: int) -> bool:
    """Return whether a letter belongs to a number: litres in "2 L", a vertebra in "L4"."""
    after = number + 1
    is_level = after < len(tokens) and (
        tokens[after][0].isdigit() and starts[after] == starts[number] + 1
    )
    return is_level or (number > 0 and tokens[number - 1][-1].isdigit())


def _as_written(written: str, senses: list[Meaning]) -> list[Meaning]:
    """Return the meanings of an abbreviation in the spelling of a text: those written so, or like it."""
    blank = " ".join(written.split())
    exact = [sense for sense in senses if sense.written == blank]
    if exact:
        return exact
    letters = sum(character.isalpha() for character in blank)
    # The tokens of "FOBT+", a positive test, are those of "FOBT".
    alike = [sense for sense in senses if sense.written.lower() == blank.lower()]
    return [
        sense
        for sense in alike
        if letters > _CASE_COUNTS
        or (sense.written.islower() and (blank.isupper() or blank == sense.written.capitalize()))
    ]


def _meaning(possible: list[Meaning], context: set[str], defaults: bool) -> str:
    """Return what an abbreviation means: most words of its context are near, or it is the default."""
    best = max(possible, key=lambda sense: len(context & sense.context))
    if not context.isdisjoint(best.context):
        return best.words
    defaults = defaults or len(possible) == 1
    certain = [
        sense
        for sense in possible
        if (defaults and sense.is_default) or not (sense.context or sense.is_default)
    ]
    return certain[0].words if certain else ""
