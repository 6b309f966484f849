"""Finding many names in a note, of which most notes contain few."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import cache, cached_property
from typing import Any, NamedTuple, TypeVar, cast

from cclearn.notes.spans import Span
from cclearn.runtime.folding import lower_case

Result = TypeVar("Result")

_APOSTROPHE = ord("'")
_WORD = frozenset(byte for byte in range(128) if chr(byte).isalnum())
_LETTERS = bytes(
    ord(chr(byte).lower()) if byte in _WORD or byte == _APOSTROPHE else 32 for byte in range(256)
)
"""The lower case of each byte of a word. Other bytes become blanks. The t of "don't" is no word."""

_MOST = 200
"""Maximum number of mentions of one thing that are judged in a note."""

_JOINS = frozenset(b"-/'")
"""Marks that join a name to the word before it."""


class NoteText:
    """The text of a note in which names are searched.

    Args:
        text: Text of the note.
        vocabulary: Words of all names.
    """

    def __init__(self, text: str, vocabulary: frozenset[bytes]) -> None:
        self.text = text
        # One byte for each code point, so that offsets are the same. Names are found faster in bytes.
        self.ascii = text.encode("ascii", "replace")
        self.words = vocabulary.intersection(self.ascii.translate(_LETTERS).split())
        self._found: dict[object, Any] = {}

    @cached_property
    def lowered(self) -> str:
        """The text in lower case, with the same offsets."""
        return lower_case(self.text)

    @cached_property
    def lowered_ascii(self) -> bytes:
        """The text in lower case, with a question mark for each character beyond ASCII."""
        return self.ascii.lower()

    def once(self, key: object, compute: Callable[[], Result]) -> Result:
        """Return the result of a function, which is called only once for a key."""
        if key not in self._found:
            self._found[key] = compute()
        return cast("Result", self._found[key])

    def find(self, names: Names) -> list[Span]:
        """Return the first spans of names, in order. Their number limits the time for a long note."""
        return self.once(names, lambda: sorted(names.find(self))[:_MOST])


class _Name(NamedTuple):
    """A name, its whole words, whether its case counts, and whether it is the beginning of words."""

    name: bytes
    words: frozenset[bytes]
    is_cased: bool
    is_beginning: bool


class Names:
    """Names of one thing.

    Args:
        names: Names in ASCII. One in lower case is found in any letter case, any other as it is written.
            One with an asterisk at its end is the beginning of words.
    """

    def __init__(self, names: Iterable[str]) -> None:
        self.names = tuple(names)
        self._names = tuple(map(_read_name, self.names))

    @property
    def words_of_each(self) -> tuple[frozenset[bytes], ...]:
        """The whole words of each name. A text without them does not have the name."""
        return tuple(name.words for name in self._names)

    def find(self, note: NoteText) -> Iterator[Span]:
        """Yield the spans of the names in a note, as whole words. They may overlap."""
        lowered = note.lowered_ascii
        for name, words, is_cased, is_beginning in self._names:
            if not words <= note.words:
                continue
            searched = note.ascii if is_cased else lowered
            start = searched.find(name)
            while start >= 0:
                end = start + len(name)
                if _begins(lowered, start) and (is_beginning or _ends(lowered, end)):
                    yield start, end
                start = searched.find(name, end)


@cache
def names_of(written: str) -> Names:
    """Return names that are parted by semicolons, as one object for the same names."""
    return Names(written.split("; "))


def _read_name(written: str) -> _Name:
    name = written.removesuffix("*").encode("ascii")
    is_beginning = written.endswith("*")
    words = name.translate(_LETTERS).split()
    whole = words[:-1] if is_beginning else words
    return _Name(name, frozenset(whole), not written.islower(), is_beginning)


def _begins(lowered: bytes, start: int) -> bool:
    before = lowered[start - 1] if start else 32
    return not (before in _WORD or (before in _JOINS and start > 1 and lowered[start - 2] in _WORD))


def _ends(lowered: bytes, end: int) -> bool:
    return not (end < len(lowered) and lowered[end] in _WORD and lowered[end - 1] in _WORD)
