"""The co-occurrence prior: which codes are often in a document with a code."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import combinations
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.errors import DataError
from cclearn.notes.jsonl import read_coded_notes
from data_builders.rare_codes.tables import read_counts, read_pair_counts
from data_builders.rare_codes.training_corpus import Codes, codes_of

_MOST_COMPANIONS = 20
"""Maximum number of other codes of a set that is drawn from the prior."""

_CACHED = 256
"""Number of codes whose companions are kept sorted. The notes of one code follow each other."""


class CooccurrencePrior:
    """Numbers of documents with a code and with a pair of codes.

    Args:
        documents: Number of documents with each code.
        pairs: Number of documents with both codes of a pair, by the first and the second code. Each pair
            is contained once, with either code first.
    """

    def __init__(
        self, documents: Mapping[str, int], pairs: Mapping[str, Mapping[str, int]]
    ) -> None:
        self._pairs: dict[str, Counter[str]] = defaultdict(Counter)
        for one, others in pairs.items():
            for two, count in others.items():
                if count > 0 and one != two:
                    self._pairs[one][two] += count
                    self._pairs[two][one] += count
        # A table of codes may be missing or incomplete.
        self._documents = {
            code: max(documents.get(code, 0), *others.values())
            for code, others in self._pairs.items()
        }
        self.companions = lru_cache(maxsize=_CACHED)(self._companions)

    def __contains__(self, code: object) -> bool:
        """Return whether a code occurs with another one."""
        return code in self._pairs

    def __iter__(self) -> Iterator[str]:
        """Return an iterator over the codes that occur with another one, in alphabetical order."""
        return iter(sorted(self._pairs))

    def probability(self, code: str, other: str) -> float:
        """Return the share of the documents with a code that also have another one, `P(other | code)`.

        Args:
            code: A code. The share is 0 for one that is in no pair.
            other: The other code.
        """
        count = self._pairs[code][other] if code in self._pairs else 0
        return count / self._documents[code] if count else 0.0

    def _companions(self, code: str) -> list[tuple[str, float]]:
        """Return the codes that occur with a code and their probabilities, the most frequent first."""
        found = [(other, self.probability(code, other)) for other in self._pairs.get(code, ())]
        return sorted(found, key=lambda item: (-item[1], item[0]))

    def draw(self, code: str, rng: random.Random) -> Codes:
        """Return companions of a code, each of which is drawn with its probability.

        Args:
            code: A code.
            rng: Random generator.
        """
        drawn = [other for other, share in self.companions(code) if rng.random() < share]
        return tuple(drawn[:_MOST_COMPANIONS])


def read_prior(path: Path, system: CodeSystem) -> CooccurrencePrior:
    """Return the prior of a folder of tables, or of coded notes.

    Counts of several tables are added. Codes that are not billable are left out.

    Args:
        path: Folder with `*pairs.csv` (columns `code_a`, `code_b`, `n_docs`) and optionally `*codes.csv`
            (`code`, `n_docs`), or file of coded notes.
        system: Code system of the codes.

    Raises:
        DataError: A file cannot be read, or the folder has no table of pairs.
    """
    documents: Counter[str] = Counter()
    pairs: dict[str, Counter[str]] = defaultdict(Counter)
    if not path.is_dir():
        for note in read_coded_notes(path, system):
            codes, _ = codes_of(note, system)
            documents.update(codes)
            for one, two in combinations(sorted(codes), 2):
                pairs[one][two] += 1
        return CooccurrencePrior(documents, pairs)
    tables = sorted(path.glob("*pairs.csv"))
    if not tables:
        problem = "no file *pairs.csv in the folder. Write the columns code_a, code_b, n_docs."
        raise DataError(path, problem)
    for table in sorted(path.glob("*codes.csv")):
        documents.update(read_counts(table, system))
    for table in tables:
        for one, two, count in read_pair_counts(table):
            one, two = sorted((system.canonical(one), system.canonical(two)))
            if system.is_billable(one) and system.is_billable(two):
                pairs[one][two] += count
    return CooccurrencePrior(documents, pairs)
