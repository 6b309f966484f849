"""The n-grams of words in a corpus as 64-bit hashes in arrays, and how many other notes contain them.

A word is a run of letters, digits and underscores in lower case, as the decontamination of GPT-3
compares texts without punctuation (Brown et al. 2020, appendix C). All numbers are equal by default, so
that a copy with other dates or ages is still a copy.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property, lru_cache
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]
"""Hashes of words or n-grams."""

Indices = NDArray[np.int64]
"""Numbers of n-grams or notes."""

_WORD = re.compile(r"\w+")

_MULTIPLIER = np.uint64(0x9E3779B97F4A7C15)
"""Odd multiplier of the polynomial hash of an n-gram."""


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case."""
    return _WORD.findall(text.lower())


def hash_of(text: str) -> int:
    """Return a 64-bit hash of a text, which is the same in every process."""
    content = text.encode("utf-8", "surrogatepass")
    return int.from_bytes(blake2b(content, digest_size=8).digest(), "little")


_word_hash = lru_cache(maxsize=2**18)(hash_of)


def hashed_words(text: str, equal_numbers: bool = True) -> Hashes:
    """Return the hashes of the words of a text.

    Args:
        text: Text to hash.
        equal_numbers: Whether all words that consist of digits have the same hash.
    """
    words = words_of(text)
    if equal_numbers:
        words = ["0" if word.isdigit() else word for word in words]
    return np.fromiter(map(_word_hash, words), np.uint64, len(words))


def gram_hashes(words: Hashes, size: int) -> Hashes:
    """Return the hash of the n-gram at each position of a text.

    Args:
        words: Hashes of the words.
        size: Number of words of an n-gram.
    """
    count = max(0, len(words) - size + 1)
    hashes = np.zeros(count, np.uint64)
    for offset in range(size):
        hashes = hashes * _MULTIPLIER + words[offset : offset + count]
    return hashes


def distinct_grams(text: str, size: int) -> Hashes:
    """Return the hashes of the distinct n-grams of a text, sorted.

    Args:
        text: Text to hash.
        size: Number of words of an n-gram.
    """
    return np.unique(gram_hashes(hashed_words(text), size))


class GramIndex:
    """The distinct n-grams of each note of a corpus, and in how many notes of another corpus they are.

    Memory grows with the indexed corpus only: about 12 bytes for an n-gram of a note. The other corpus
    is streamed.

    Args:
        texts: Texts of the notes.
        size: Number of words of an n-gram.

    Attributes:
        size: Number of words of an n-gram.
        grams: Hashes of all distinct n-grams, sorted.
        notes: Number of indexed notes.
        counts: Number of counted texts that contain each n-gram.
        counted: Number of counted texts.
    """

    def __init__(self, texts: Iterable[str], size: int) -> None:
        self.size = size
        by_note = [distinct_grams(text, size) for text in texts]
        self.notes = len(by_note)
        self._starts = np.cumsum([0, *map(len, by_note)])
        joined = np.concatenate(by_note) if by_note else np.empty(0, np.uint64)
        del by_note
        self.grams, members = np.unique(joined, return_inverse=True)
        self._members: NDArray[np.uint32] = members.astype(np.uint32)
        self.counts: Indices = np.zeros(len(self.grams), np.int64)
        self.counted = 0

    def grams_of(self, note: int) -> Indices:
        """Return the numbers of a note's n-grams, sorted.

        Args:
            note: Number of the note.
        """
        return self._members[self._starts[note] : self._starts[note + 1]].astype(np.int64)

    def find(self, hashes: Hashes) -> Indices:
        """Return the numbers of the n-grams that the index contains.

        Args:
            hashes: Hashes of n-grams.
        """
        if not len(self.grams):
            return np.empty(0, np.int64)
        places: Indices = np.minimum(np.searchsorted(self.grams, hashes), len(self.grams) - 1)
        found: Indices = places[self.grams[places] == hashes]
        return found

    def count(self, texts: Iterable[str]) -> None:
        """Count the texts that contain each n-gram.

        Args:
            texts: Texts of the other corpus.
        """
        for text in texts:
            self.counts[self.find(distinct_grams(text, self.size))] += 1
            self.counted += 1

    def notes_with(self, grams: Indices) -> tuple[Indices, Indices]:
        """Return the notes that contain at least one of some n-grams, and how many each contains.

        Args:
            grams: Numbers of distinct n-grams.
        """
        starts, notes = self._postings
        found = [notes[starts[gram] : starts[gram + 1]] for gram in grams.tolist()]
        if not found:
            return np.empty(0, np.int64), np.empty(0, np.int64)
        numbers, counts = np.unique(np.concatenate(found), return_counts=True)
        return numbers.astype(np.int64), counts

    @cached_property
    def _postings(self) -> tuple[Indices, NDArray[np.uint32]]:
        """The notes of each n-gram: offsets by the number of the n-gram, and numbers of notes."""
        order = np.argsort(self._members, kind="stable")
        notes = np.repeat(np.arange(self.notes, dtype=np.uint32), np.diff(self._starts))[order]
        sizes = np.bincount(self._members, minlength=len(self.grams))
        return np.concatenate([[0], np.cumsum(sizes)]), notes
