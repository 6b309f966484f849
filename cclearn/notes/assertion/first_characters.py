"""The characters with which a match of a regular expression may begin.

A search for hundreds of expressions is fast if only those are tried that may begin with the character at
hand. Python's `re` does not tell it.
"""

from __future__ import annotations

from functools import cache

ANY = frozenset(chr(code) for code in range(32, 127)) | frozenset("∅ø–’")
"""All characters that the cues of assertion contain."""


@cache
def first_characters(pattern: str) -> frozenset[str]:
    """Return a superset of the characters with which a match may begin.

    The pattern may have literals, escapes, classes without ranges of other alphabets, groups that do not
    capture, alternatives, quantifiers and look-around, which is skipped.
    """
    return _Reader(pattern).alternatives()[0]


class _Reader:
    """Reads a pattern from left to right."""

    def __init__(self, pattern: str) -> None:
        self._pattern = pattern
        self._at = 0

    def alternatives(self) -> tuple[frozenset[str], bool]:
        """Return the first characters up to the end of a group, and whether it may be empty."""
        characters, may_be_empty = self._sequence()
        while self._peek() == "|":
            self._at += 1
            others, is_empty = self._sequence()
            characters, may_be_empty = characters | others, may_be_empty or is_empty
        return characters, may_be_empty

    def _sequence(self) -> tuple[frozenset[str], bool]:
        characters: frozenset[str] = frozenset()
        may_be_empty = True
        while self._peek() not in ("", "|", ")"):
            found, is_empty = self._item()
            if may_be_empty:
                characters |= found
                may_be_empty = is_empty
        return characters, may_be_empty

    def _item(self) -> tuple[frozenset[str], bool]:
        character = self._take()
        if character == "(":
            found, is_empty = self._group()
        elif character == "[":
            found, is_empty = self._class(), False
        elif character == "\\":
            found, is_empty = self._escape()
        elif character in "^$":
            found, is_empty = frozenset(), True
        else:
            found, is_empty = (ANY if character == "." else frozenset(character)), False
        return found, self._quantified(is_empty)

    def _group(self) -> tuple[frozenset[str], bool]:
        is_look_around = self._pattern.startswith(("?=", "?!", "?<"), self._at)
        if self._pattern.startswith("?", self._at):
            self._at = (
                next(n for n in range(self._at, len(self._pattern)) if self._pattern[n] in ":=!")
                + 1
            )
        found = self.alternatives()
        self._at += 1
        return (frozenset(), True) if is_look_around else found

    def _class(self) -> frozenset[str]:
        end = self._pattern.index("]", self._at + 1)
        content = self._pattern[self._at : end]
        self._at = end + 1
        is_simple = "\\" not in content and not content.startswith("^") and "-" not in content[1:-1]
        return frozenset(content) if is_simple else ANY

    def _escape(self) -> tuple[frozenset[str], bool]:
        character = self._take()
        if character in "bBAZ":
            return frozenset(), True
        return (ANY if character.isalpha() else frozenset(character)), False

    def _quantified(self, is_empty: bool) -> bool:
        if self._peek() in ("?", "*"):
            is_empty = True
        if self._peek() in ("?", "*", "+"):
            self._at += 1
        elif self._peek() == "{":
            is_empty = is_empty or self._pattern[self._at + 1] in "0,"
            self._at = self._pattern.index("}", self._at) + 1
        if self._peek() in ("?", "+"):
            self._at += 1
        return is_empty

    def _peek(self) -> str:
        return self._pattern[self._at : self._at + 1]

    def _take(self) -> str:
        self._at += 1
        return self._pattern[self._at - 1]
