"""The characters with which a match of a regular expression may begin.

A search for hundreds of expressions is fast if only those are tried that may begin with the characters
at hand. Python's `re` does not tell them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from itertools import groupby

LENGTH = 4
"""Maximum length of a prefix, in code points."""

Prefixes = frozenset[tuple[str, bool]]
"""Prefixes of matches, and whether any character may follow each of them."""

_EMPTY: Prefixes = frozenset([("", False)])
_ANYTHING: Prefixes = frozenset([("", True)])


@cache
def prefixes(pattern: str) -> frozenset[str]:
    """Return a superset of the prefixes of the matches of a pattern. Anything may follow a prefix.

    The pattern may have literals, escapes, classes, groups that do not capture, alternatives,
    quantifiers and look-around, which is skipped.
    """
    return frozenset(prefix for prefix, _ in _Reader(pattern).alternatives())


def any_of(found: Iterable[str]) -> str:
    """Return a pattern that matches any of the prefixes. Prefixes of others replace them.

    The first characters of the pattern are tried once for all prefixes that share them, because `re`
    tries its alternatives one by one.
    """
    ordered = sorted(found)
    if not ordered or not ordered[0]:
        return ""
    parts = [
        re.escape(first) + any_of(prefix[1:] for prefix in group)
        for first, group in groupby(ordered, key=lambda prefix: prefix[0])
    ]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _joined(first: Prefixes, second: Prefixes) -> Prefixes:
    """Return the prefixes of a match of one pattern followed by a match of another."""
    return frozenset(
        (start, ends) if ends or len(start) == LENGTH else ((start + more)[:LENGTH], ends_after)
        for start, ends in first
        for more, ends_after in second
    )


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def alternatives(self) -> Prefixes:
        """Return the prefixes up to the end of a group."""
        found = self._sequence()
        while self._peek() == "|":
            self._at += 1
            found |= self._sequence()
        return found

    def _sequence(self) -> Prefixes:
        found = _EMPTY
        while self._peek() not in ("", "|", ")"):
            found = _joined(found, self._item())
        return found

    def _item(self) -> Prefixes:
        character = self._take()
        if character == "(":
            found = self._group()
        elif character == "[":
            found = self._class()
        elif character == "\\":
            found = self._escape()
        elif character in "^$":
            found = _EMPTY
        else:
            found = _ANYTHING if character == "." else _characters(character)
        return self._quantified(found)

    def _group(self) -> Prefixes:
        is_look_around = self._pattern.startswith(("?=", "?!", "?<"), self._at)
        if self._pattern.startswith("?", self._at):
            self._at = (
                next(n for n in range(self._at, len(self._pattern)) if self._pattern[n] in ":=!")
                + 1
            )
        found = self.alternatives()
        self._at += 1
        return _EMPTY if is_look_around else found

    def _class(self) -> Prefixes:
        end = self._pattern.index("]", self._at + 1)
        content = self._pattern[self._at : end]
        self._at = end + 1
        is_simple = "\\" not in content and not content.startswith("^") and "-" not in content[1:-1]
        return _characters(content) if is_simple else _ANYTHING

    def _escape(self) -> Prefixes:
        character = self._take()
        if character in "bBAZ":
            return _EMPTY
        if character == "d":
            return _characters("0123456789")
        return _ANYTHING if character.isalpha() else _characters(character)

    def _quantified(self, found: Prefixes) -> Prefixes:
        mark = self._peek()
        may_be_absent = mark in ("?", "*") or (mark == "{" and self._pattern[self._at + 1] in "0,")
        if mark == "{":
            self._at = self._pattern.index("}", self._at)
        if mark in ("*", "+", "{"):
            # What is repeated may begin again after itself.
            found = _joined(found, _ANYTHING)
        if mark in ("?", "*", "+", "{"):
            self._at += 1
            if self._peek() in ("?", "+"):  # A lazy or a possessive quantifier.
                self._at += 1
        return found | _EMPTY if may_be_absent else found

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]


def _characters(characters: str) -> Prefixes:
    return frozenset((character, False) for character in characters)
