"""Translates the words of evidence into English, with a table that is learnt from texts and titles."""

from __future__ import annotations

import re
import unicodedata
from array import array
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    import numpy as np

_ITERATIONS = 8
"""Number of iterations of expectation maximisation."""

_COGNATE_COUNT = 3.0
"""Number of times that a word counts as translated by a word of the same skeleton before any text is
read. It decides for rare words: most terms of medicine are spelt alike in European languages."""

_LEAST_PROBABILITY = 0.1
"""Least probability of the translation of a word."""

_SHORTEST_SKELETON = 4
"""Least number of letters of a skeleton that is compared with others."""

_WORD = re.compile(r"[^\W_]+")

_SPELLINGS = (
    ("ph", "f"),
    ("th", "t"),
    ("rh", "r"),
    ("ch", "c"),
    ("qu", "c"),
    ("k", "c"),
    ("y", "i"),
    ("ae", "e"),
    ("oe", "e"),
    ("h", ""),
    ("z", "c"),
)
"""Spellings of one sound of Greek and Latin words in different languages."""

_DOUBLED = re.compile(r"(.)\1+")
_SPANISH_START = re.compile(r"^es(?=[^aeiou])")

_ENDINGS = sorted(
    (
        "amente mente idad ity ities ical ico ica icos icas ic oso osa osos osas ous os as es ario aria "
        "ary ivo iva ivos ivas ive ado ada ados adas ated ed ia io ium ea eo al ales us um a o e i s is "
        "ion iones ions"
    ).split(),
    key=lambda ending: (-len(ending), ending),
)
"""Endings by which forms of a word differ, in English and in Romance languages."""


_LIGATURES = str.maketrans({"œ": "oe", "æ": "ae", "ø": "o"})


def words_of(text: str) -> list[str]:
    """Return the words of a text in lower case, without accents and ligatures."""
    if text.isascii():
        return _WORD.findall(text.lower())
    decomposed = unicodedata.normalize("NFKD", text.casefold()).translate(_LIGATURES)
    return _WORD.findall("".join(c for c in decomposed if not unicodedata.combining(c)))


def skeleton(word: str) -> str:
    """Return what the spellings of a term in several languages have in common.

    Spellings of one sound become equal, doubled letters single, and one ending is removed:
    `cholecystitis` and `colecistitis` have the skeleton `colecistit`.

    Args:
        word: Word in lower case and without accents.
    """
    for spelling, replacement in _SPELLINGS:
        word = word.replace(spelling, replacement)
    word = _SPANISH_START.sub("s", _DOUBLED.sub(r"\1", word))
    for ending in _ENDINGS:
        if word.endswith(ending) and len(word) - len(ending) >= _SHORTEST_SKELETON:
            return word.removesuffix(ending)
    return word


class _Translation(NamedTuple):
    """A translation of a word, of which an empty one stands for no word of a text."""

    word: str
    english: str
    probability: float


class WordTable:
    """The most likely English word of each word of another language.

    The probabilities are those of IBM model 1 (Brown et al. 1993, The Mathematics of Statistical Machine
    Translation), from pairs of a text and its English title. An English word of the same skeleton as a
    word has a prior count. A translation must be more likely than by chance, as that of an article is
    not. A word without one is translated as a word of the same skeleton in the pairs, or else in the
    vocabulary.

    Args:
        pairs: Texts, each with an English title. Equal pairs count once.
        vocabulary: English words, with their frequencies.
        ignored: English words that are no translations, such as articles.
    """

    def __init__(
        self,
        pairs: Iterable[tuple[str, str]],
        vocabulary: Mapping[str, int],
        ignored: Collection[str] = (),
    ) -> None:
        self._vocabulary = {
            word: count for word, count in vocabulary.items() if word not in ignored
        }
        self._english: dict[str, list[str]] = defaultdict(list)
        for word in self._vocabulary:
            self._english[skeleton(word)].append(word)
        self._table: dict[str, str | None] = {}
        self._by_skeleton: dict[str, str] = {}
        learnt = list(self._learn(dict.fromkeys(pairs), ignored))
        by_chance = {found.english: found.probability for found in learnt if not found.word}
        # Of equally likely words, a rare one says more.
        learnt.sort(key=lambda f: (-f.probability, self._vocabulary.get(f.english, 0), f.english))
        for word, english, probability in learnt:
            if not word or word in self._table:
                continue
            least = max(_LEAST_PROBABILITY, by_chance.get(english, 0.0))
            self._table[word] = english if probability >= least else None
            if probability >= least and len(skeleton(word)) >= _SHORTEST_SKELETON:
                self._by_skeleton.setdefault(skeleton(word), english)

    def translate(self, text: str) -> str:
        """Return the English words of a text, each once, in the order of the text.

        Words without a translation are left out.
        """
        found = (self._word(word) for word in words_of(text))
        return " ".join(dict.fromkeys(word for word in found if word is not None))

    def _word(self, word: str) -> str | None:
        translation = self._table.get(word)
        if translation is not None:
            return translation
        if word not in self._table and (
            word in self._vocabulary or (word.isascii() and word.isdigit())
        ):
            return word
        letters = skeleton(word)
        if letters in self._by_skeleton:
            return self._by_skeleton[letters]
        return max(
            self._cognates(letters),
            key=lambda found: (self._vocabulary[found], found),
            default=None,
        )

    def _cognates(self, letters: str) -> list[str]:
        """Return the English words of a skeleton."""
        return self._english.get(letters, []) if len(letters) >= _SHORTEST_SKELETON else []

    def _learn(
        self, pairs: Iterable[tuple[str, str]], ignored: Collection[str]
    ) -> Iterator[_Translation]:
        """Yield the probability of each English word for each word, and for no word."""
        import numpy as np

        # The empty word translates into the English words that no word of a text explains.
        words: dict[str, int] = {"": 0}
        combined: dict[tuple[int, str], int] = {}
        targets, combinations = array("q"), array("q")
        number = 0
        for text, title in pairs:
            sources = [0, *(words.setdefault(w, len(words)) for w in sorted(set(words_of(text))))]
            for english in words_of(title):
                if english not in ignored:
                    for source in sources:
                        targets.append(number)
                        key = (source, english)
                        combinations.append(combined.setdefault(key, len(combined)))
                    number += 1
        prior = [
            combined.setdefault((source, english), len(combined))
            for word, source in words.items()
            for english in self._cognates(skeleton(word))
        ]
        source_of = np.array([source for source, _ in combined], dtype=np.int64)
        counts = np.zeros(len(combined))
        counts[prior] = _COGNATE_COUNT
        probabilities = _maximise(
            np.frombuffer(targets, dtype=np.int64),
            np.frombuffer(combinations, dtype=np.int64),
            source_of,
            counts,
        )
        names = list(words)
        for (source, english), probability in zip(combined, probabilities.tolist(), strict=True):
            yield _Translation(names[source], english, probability)


def _maximise(
    targets: np.ndarray, combinations: np.ndarray, sources: np.ndarray, prior: np.ndarray
) -> np.ndarray:
    """Return the probability of the English word of each combination, given its other word.

    Args:
        targets: Number of an English word in a title, for each pair of it and a word of the text, shape
            (pairs,).
        combinations: Number of the two words of each of these pairs, shape (pairs,).
        sources: Number of the word that is translated, for each combination, shape (combinations,).
        prior: Counts before any text is read, shape (combinations,).
    """
    import numpy as np

    probabilities = np.ones(len(sources))
    for _ in range(_ITERATIONS):
        each = probabilities[combinations]
        share = each / np.bincount(targets, each)[targets]
        counts = np.bincount(combinations, share, minlength=len(sources)) + prior
        probabilities = counts / np.bincount(sources, counts)[sources]
    return probabilities
