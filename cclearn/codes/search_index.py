"""The index of the search: the strings of a code system and its phrases, by their words."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from functools import cached_property, lru_cache
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

from cclearn.codes.clinical_terms.abbreviations import NO_CODE
from cclearn.codes.clinical_terms.normalise import BOUNDARY, JOINED, MARK, UNKNOWN, read_words
from cclearn.codes.clinical_terms.phrases import IF_PAST, PHRASES_VERSION, phrase_rows
from cclearn.codes.clinical_terms.specificity import EMPTY_WORDS, NOT_NEEDED, Specificity
from cclearn.codes.clinical_terms.tables import tables_sha256
from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.table import Kind
from cclearn.runtime.caches import cache_file, read_sealed, write_sealed
from cclearn.runtime.debugging import logged_step
from cclearn.runtime.garbage_collection import paused_garbage_collection

if TYPE_CHECKING:
    import numpy as np
    import pyarrow as pa

_INDEX_VERSION = 1
"""Version of the index. Increase it to rebuild older caches."""

NO_WORDS = frozenset((MARK, BOUNDARY, JOINED, UNKNOWN))
"""Normalised forms of tokens that are not words."""

_OMITTED = "…"
"""Word of a string without its restrictions, such as "without foreign body", which clinicians omit. No
text has it, so that a string without restrictions is a little more similar."""

_EMPTY_WEIGHT = 0.1
"""Factor of the weight of words such as "initial encounter", which titles have and clinicians omit."""

_SIDES = frozenset(("left", "right", "bilateral"))
_SIDE_WEIGHT = 4.0
"""Factor of the weight of sides. A code of another side, or of one that was not asked for, is wrong."""

_NO_FOREIGN_BODY = " without foreign body"
"""Words within titles of wounds, before the part of the body."""

_COMMON = 0.05
"""Share of the strings above which a word does not retrieve strings if the text has a rarer word."""

_LETTERS_OF_AN_EDIT = 4
"""A word is read as another one if it has at most one edit for so many of its letters."""


class Entry(NamedTuple):
    """A string of the index.

    Attributes:
        text: The string.
        code: Code that it stands for.
        billable: Billable code that it stands for if nothing more is known, None without one.
        words: Its normalised words, each once.
        is_phrase: Whether the string alone is coded as the code. The title of a header is not: it is
            coded as the unspecified child of the header.
    """

    text: str
    code: str
    billable: str | None
    words: tuple[str, ...]
    is_phrase: bool


class Nearest(NamedTuple):
    """A string that is similar to a text.

    Attributes:
        entry: Number of the string.
        score: Similarity from 0 to 1.
        is_contained: Whether the string is a phrase all of whose words are in the text.
        code: Code of the string.
        billable: Billable code that the string stands for if nothing more is known, None without one.
    """

    entry: int
    score: float
    is_contained: bool
    code: str
    billable: str | None


def index_words(text: str, expand: bool) -> tuple[str, ...]:
    """Return the normalised words of a string, each once, in order.

    Args:
        text: The string.
        expand: Whether abbreviations are read in full.
    """
    found = read_words(text, defaults=False, expand=expand).words
    return tuple(dict.fromkeys(w for words in found for w in words if w not in NO_WORDS))


class SearchIndex:
    """Finds the strings that are most similar to the words of a text.

    The similarity is the Dice coefficient of the two sets of words, weighted by the inverse document
    frequency of the words (Spärck Jones 1972).

    Attributes:
        specificity: The choice of more specific codes in the code system.
        rows: Number of each code in the code system.

    Args:
        system: Code system whose strings are searched.
        strings: Columns `text`, `code`, `billable` (rows of codes) and `is_phrase` of all strings.
        words: Columns `word` and `strings` (numbers of the strings with the word).
    """

    def __init__(self, system: CodeHierarchy, strings: pa.Table, words: pa.Table) -> None:
        import numpy as np

        self._expand = system.traits.has_phrase_table
        self.specificity = Specificity(system)
        self._codes = list(system)
        self.rows = {code: row for row, code in enumerate(self._codes)}
        self._texts = strings["text"].combine_chunks()
        self._code_rows = _numbers(strings["code"].combine_chunks(), np.int32)
        self._billable_rows = _numbers(strings["billable"].combine_chunks(), np.int32)
        self._is_phrase = _numbers(strings["is_phrase"].combine_chunks(), np.bool_)
        lists = words["strings"].combine_chunks()
        self._postings = _numbers(lists.values, np.int32)
        self._offsets = _numbers(lists.offsets, np.int64)
        self._vocabulary: list[str] = words["word"].to_pylist()
        self._numbers = {word: number for number, word in enumerate(self._vocabulary)}
        frequency = np.diff(self._offsets)
        count = max(1, len(self._code_rows))
        self._weights = np.log1p(count / frequency)
        for words_of_kind, factor in (
            (EMPTY_WORDS | {_OMITTED}, _EMPTY_WEIGHT),
            (_SIDES, _SIDE_WEIGHT),
        ):
            for word in words_of_kind & self._numbers.keys():
                self._weights[self._numbers[word]] *= factor
        self._unknown_weight = float(np.log1p(count))
        self._is_common = frequency > _COMMON * count
        each = np.repeat(self._weights, frequency)
        self._totals = np.bincount(self._postings, weights=each, minlength=len(self._code_rows))

    def __contains__(self, word: str) -> bool:
        return word in self._numbers

    def frequency(self, word: str) -> int:
        """Return the number of strings with a word."""
        return len(self._with_word(self._numbers[word])) if word in self else 0

    def text(self, entry: int) -> str:
        """Return a string."""
        return str(self._texts[entry].as_py())

    def words_of(self, text: str) -> tuple[str, ...]:
        """Return the normalised words of a string of the code system or a phrase."""
        return index_words(text, self._expand)

    def weight(self, words: Iterable[str]) -> float:
        """Return the sum of the weights of words."""
        return sum(
            float(self._weights[self._numbers[word]])
            if word in self._numbers
            else self._unknown_weight
            for word in words
        )

    def nearest(
        self, words: Sequence[str], count: int, allowed: np.ndarray | None = None
    ) -> list[Nearest]:
        """Return the strings that are most similar to words, the most similar first.

        Among equally similar strings, the first ones of the code system win.

        Args:
            words: Normalised words of a text, each once.
            count: Number of strings. More are returned if several are as similar as the last one.
            allowed: Whether each code may be found. None allows all.
        """
        import numpy as np

        known = [self._numbers[word] for word in words if word in self._numbers]
        rare = [number for number in known if not self._is_common[number]] or known
        if not known:
            return []
        shared = np.zeros(len(self._code_rows))
        for number in rare:
            shared[self._with_word(number)] += self._weights[number]
        rows = np.flatnonzero(shared > 0)
        for number in known:
            if number not in rare:
                shared[self._with_word(number)] += self._weights[number]
        if allowed is not None:
            # The row -1 of a missing code is that of the last code, and must not allow a string.
            billable = self._billable_rows[rows]
            rows = rows[allowed[self._code_rows[rows]] | (allowed[billable] & (billable >= 0))]
        overlap, totals = shared[rows], self._totals[rows]
        scores = 2 * overlap / (self.weight(words) + totals)
        # Sums of the same weights in another order differ in their last digits.
        scores = np.round(scores, 6)
        is_contained = self._is_phrase[rows] & (overlap > totals - 1e-6)
        if len(rows) > count:
            least = np.partition(scores, -count)[-count]
            kept = (scores >= least) | is_contained
            rows, scores, is_contained = rows[kept], scores[kept], is_contained[kept]
        order = np.argsort(-scores, kind="stable")
        rows = rows[order]
        codes = [self._codes[row] for row in self._code_rows[rows].tolist()]
        stand_for = [
            self._codes[row] if row >= 0 else None for row in self._billable_rows[rows].tolist()
        ]
        columns = (rows.tolist(), scores[order].tolist(), is_contained[order].tolist())
        return list(map(Nearest, *columns, codes, stand_for))

    def corrected(self, word: str) -> str | None:
        """Return the word that an unknown word probably is, None without one.

        It is the word with the fewest edits, which include transpositions of neighbours (optimal string
        alignment), and otherwise a word that begins with the unknown one. Of several, it is one with
        the same first letter, and of those the most frequent one.
        """
        from rapidfuzz import process
        from rapidfuzz.distance import OSA

        if len(word) < _LETTERS_OF_AN_EDIT or not word.isalpha():
            return None
        edits = len(word) // _LETTERS_OF_AN_EDIT
        alike = chain.from_iterable(
            self._by_length.get(length, ())
            for length in range(len(word) - edits, len(word) + edits + 1)
        )
        close = process.extract(
            word, list(alike), scorer=OSA.distance, score_cutoff=edits, limit=None
        )
        if close:
            fewest = close[0][1]
            likely = [other for other, distance, _ in close if distance == fewest]
        else:
            likely = [
                other
                for length, words in self._by_length.items()
                if length > len(word)
                for other in words
                if other.startswith(word)
            ]
        # A typing error is rarely in the first letter.
        return max(
            likely, key=lambda other: (other[0] == word[0], self.frequency(other)), default=None
        )

    @cached_property
    def _by_length(self) -> dict[int, list[str]]:
        """The words of letters by their length."""
        found: dict[int, list[str]] = {}
        for word in self._vocabulary:
            if word.isalpha():
                found.setdefault(len(word), []).append(word)
        return found

    def _with_word(self, number: int) -> np.ndarray:
        first, end = self._offsets[number : number + 2]
        strings: np.ndarray = self._postings[first:end]
        return strings


def _numbers(array: pa.Array, dtype: type[np.generic]) -> np.ndarray:
    """Return the values of an Arrow array. Its own method would import pandas, which takes 0.2 s."""
    import numpy as np

    if not len(array):  # It may have no buffer.
        return np.zeros(0, dtype=dtype)
    return np.frombuffer(array.buffers()[1], dtype=dtype, count=len(array))


@lru_cache(maxsize=2)
@logged_step("load search index", __name__)
def search_index(system: CodeHierarchy) -> SearchIndex:
    """Return the index of a code system. A file in the cache folder keeps it."""
    import pyarrow as pa

    version = f"{_INDEX_VERSION} {PHRASES_VERSION} {tables_sha256()}"
    source = f"{system.source} search {version}"
    path = cache_file(system.name, source, "search.arrow")
    content = read_sealed(path, source)
    if content is None:
        with paused_garbage_collection():
            content = _encode(_tables(system))
        # If the cache cannot be written, only the next start takes longer.
        with contextlib.suppress(OSError):
            write_sealed(path, content, source)
    stream = pa.BufferReader(content)
    strings, words = (pa.ipc.open_stream(stream).read_all() for _ in range(2))
    return SearchIndex(system, strings, words)


def _encode(tables: Iterable[pa.Table]) -> bytes:
    import pyarrow as pa

    sink = pa.BufferOutputStream()
    for table in tables:
        with pa.ipc.new_stream(sink, table.schema) as writer:
            writer.write_table(table)
    return bytes(sink.getvalue().to_pybytes())


def _tables(system: CodeHierarchy) -> tuple[pa.Table, pa.Table]:
    """Return the strings of a code system, and the numbers of the strings with each word."""
    import pyarrow as pa

    entries = list(_entries(system))
    rows = {code: row for row, code in enumerate(system)}
    postings: dict[str, list[int]] = {}
    for number, entry in enumerate(entries):
        for word in entry.words:
            postings.setdefault(word, []).append(number)
    billable = [-1 if entry.billable is None else rows[entry.billable] for entry in entries]
    strings = pa.table(
        {
            "text": pa.array([entry.text for entry in entries], pa.large_string()),
            "code": pa.array([rows[entry.code] for entry in entries], pa.int32()),
            "billable": pa.array(billable, pa.int32()),
            "is_phrase": pa.array([int(entry.is_phrase) for entry in entries], pa.int8()),
        }
    )
    words = pa.table(
        {
            "word": pa.array(list(postings), pa.string()),
            "strings": pa.array(list(postings.values()), pa.large_list(pa.int32())),
        }
    )
    return strings, words


def _entries(system: CodeHierarchy) -> Iterator[Entry]:
    """Yield the strings of each code, and the phrases that are strings of no code or of another one."""
    phrases = {
        (code.removeprefix(IF_PAST), frozenset(words.split(" ")) - NO_WORDS): text
        for words, code, text in phrase_rows(system)
        if code != NO_CODE
    }
    expand = system.traits.has_phrase_table
    for code in system.rows():
        if code.kind < Kind.CATEGORY:
            continue
        billable = system.unspecified(code.code)
        for text in (code.description, *code.synonyms, *system.includes(code.code)):
            words = index_words(text, expand)
            if words:
                is_phrase = phrases.pop((code.code, frozenset(words)), None) is not None
                yield Entry(text, code.code, billable, words, is_phrase)
            shorter = NOT_NEEDED.sub("", text.replace(_NO_FOREIGN_BODY, ""))
            if system.traits.icd_conventions and shorter != text:
                words = index_words(shorter, expand)
                yield Entry(text, code.code, billable, (*words, _OMITTED), is_phrase=False)
    for (phrase_code, _), text in phrases.items():
        yield Entry(text, phrase_code, phrase_code, index_words(text, expand), True)
