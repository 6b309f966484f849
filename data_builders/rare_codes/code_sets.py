"""Anchor-based code sets: the codes of a synthetic note that is written for a rare code, the anchor."""

from __future__ import annotations

import random
import typing
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cclearn.codes import CodeSystem
from data_builders.code_conflicts import CodeConflict, ConflictKind, code_conflicts
from data_builders.rare_codes.cooccurrence import CooccurrencePrior
from data_builders.rare_codes.known_neighbours import KnownNeighbours
from data_builders.rare_codes.training_corpus import Codes, TrainingCorpus

SetRule = Literal["cloned", "cloned_other_system", "neighbour", "cooccurrence", "alone"]
"""Rule that a code set was made by.

- `cloned`: The set of a real note with the anchor, in which no organ system has more codes than its own.
- `cloned_other_system`: The set of another real note with the anchor.
- `neighbour`: The set of a real note with a neighbour of the anchor, which the anchor replaces.
- `cooccurrence`: Codes that occur with the anchor, or with a neighbour, in the co-occurrence prior.
- `alone`: The anchor alone, because nothing is known about it.
"""

SET_RULES: tuple[SetRule, ...] = typing.get_args(SetRule)

_TRIED = 20
"""Maximum number of sets that are tried before conflicting codes are removed from one."""

_CANDIDATES = 256
"""Maximum number of sets of neighbours among which one is drawn for an anchor."""

_CACHED = 64
"""Number of anchors whose candidates are kept. The notes of one anchor follow each other."""


@dataclass(frozen=True, slots=True)
class CodeSet:
    """The codes of a synthetic note.

    Attributes:
        anchor: Rare code that the note is written for.
        codes: Codes of the note, with the anchor, in the order of the note that they come from. No two
            of them conflict.
        rule: Rule that the set was made by.
        source: Neighbour that the anchor replaces, or whose companions were drawn; empty otherwise.
        refused: Kinds of the conflicts for which other sets were refused, one for each such set.
        removed: Kinds of the conflicts for which codes were removed from this set.
    """

    anchor: str
    codes: Codes
    rule: SetRule
    source: str = ""
    refused: tuple[ConflictKind, ...] = ()
    removed: tuple[ConflictKind, ...] = ()


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A code set that an anchor may have, with its rank and its weight among those of the rank."""

    codes: Codes
    rule: SetRule
    source: str = ""
    rank: int = 0
    weight: float = 1.0


class AnchorCodeSets:
    """Makes the code sets of anchors from the notes of a training corpus and a co-occurrence prior.

    Args:
        system: Code system of the codes.
        corpus: Training corpus, whose code sets are used.
        prior: Co-occurrence prior, None if there is none.
    """

    def __init__(
        self, system: CodeSystem, corpus: TrainingCorpus, prior: CooccurrencePrior | None = None
    ) -> None:
        self._system = system
        self._corpus = corpus
        self._prior = prior
        self._seen = KnownNeighbours(system, corpus.sets)
        self._in_prior = KnownNeighbours(system, prior or ())
        self._candidates = lru_cache(maxsize=_CACHED)(self._find_candidates)
        self._sources = lru_cache(maxsize=_CACHED)(self._find_sources)
        self._conflicts = lru_cache(maxsize=1 << 12)(self._find_conflicts)
        self._organ_system = lru_cache(maxsize=1 << 16)(system.chapter)

    def anchor_code_set(self, anchor: str, rng: random.Random) -> CodeSet:
        """Return the codes of a note for an anchor.

        The first of these rules that applies makes the set (arXiv 2511.14112; the rule of the article
        for a code without training notes is not known):

        1. The set of a real note with the anchor is cloned. Notes are preferred in which no organ system
           (chapter) has more codes than that of the anchor.
        2. The set of a real note with the nearest seen neighbour, a sibling or else a cousin, is cloned,
           with the anchor in the place of the neighbour. Sets whose codes occur with the anchor in the
           prior are drawn more often.
        3. Companions of the anchor are drawn from the prior.
        4. As 2, with a code that is farther away in the block of the anchor.
        5. Companions of a neighbour are drawn from the prior.
        6. The anchor is alone.

        A set with conflicting codes is refused. If all sets have conflicts, the conflicting codes are
        removed from the first one, but never the anchor.

        Args:
            anchor: A billable code in the official form.
            rng: Random generator of the note.
        """
        candidates = self._candidates(anchor)
        if not candidates:
            return self._prior_code_set(anchor, rng)
        # A random order in which heavier candidates come earlier (Efraimidis and Spirakis, 2006).
        keyed = [(c.rank, -(rng.random() ** (1 / c.weight)), c) for c in candidates]
        keyed.sort(key=lambda item: item[:2])
        refused: list[ConflictKind] = []
        for _, _, candidate in keyed[:_TRIED]:
            found = self._conflicts(candidate.codes)
            if not found:
                return CodeSet(
                    anchor, candidate.codes, candidate.rule, candidate.source, tuple(refused)
                )
            refused.append(found[0].kind)
        first = keyed[0][2]
        codes, removed = self._without_conflicts(anchor, first.codes)
        # The first set is used after all, so that it is not among those that were refused.
        return CodeSet(anchor, codes, first.rule, first.source, tuple(refused[1:]), removed)

    def _find_candidates(self, anchor: str) -> list[_Candidate]:
        """Return the sets that an anchor may have; none if they are drawn from the prior."""
        cloned = list(self._cloned_code_sets(anchor))
        if cloned:
            return cloned
        neighbours = self._seen.nearest(anchor)
        if not neighbours and (self._prior is None or anchor not in self._prior):
            neighbours = self._seen.in_block(anchor)
        return list(self._neighbour_code_sets(anchor, neighbours))

    def _cloned_code_sets(self, anchor: str) -> Iterator[_Candidate]:
        """Yield the sets of real notes with the anchor."""
        for codes in self._corpus.sets.get(anchor, ()):
            same = self._is_of_organ_system(codes, self._organ_system(anchor))
            yield _Candidate(codes, "cloned" if same else "cloned_other_system", rank=not same)

    def _is_of_organ_system(self, codes: Codes, wanted: str) -> bool:
        """Return whether no organ system has more codes of a set than a given one."""
        counts = Counter(map(self._organ_system, codes))
        return counts[wanted] == max(counts.values())

    def _neighbour_code_sets(self, anchor: str, neighbours: Sequence[str]) -> Iterator[_Candidate]:
        """Yield the sets of real notes with a neighbour, in the place of which they have the anchor."""
        most = max(1, _CANDIDATES // max(1, len(neighbours)))
        for neighbour in neighbours[:_CANDIDATES]:
            for codes in self._corpus.sets[neighbour][:most]:
                replaced = tuple(anchor if code == neighbour else code for code in codes)
                weight = 1.0
                if self._prior is not None:
                    weight += sum(self._prior.probability(anchor, code) for code in codes)
                yield _Candidate(tuple(dict.fromkeys(replaced)), "neighbour", neighbour, 0, weight)

    def _prior_code_set(self, anchor: str, rng: random.Random) -> CodeSet:
        """Return the anchor with companions that are drawn from the prior."""
        sources = self._sources(anchor)
        if self._prior is None or not sources:
            return CodeSet(anchor, (anchor,), "alone")
        source = rng.choice(sources)
        others = (code for code in self._prior.draw(source, rng) if code not in (anchor, source))
        codes, removed = self._without_conflicts(anchor, (anchor, *others))
        named = "" if source == anchor else source
        return CodeSet(anchor, codes, "cooccurrence", named, removed=removed)

    def _find_sources(self, anchor: str) -> list[str]:
        """Return the codes whose companions an anchor may have."""
        if self._prior is None:
            return []
        if anchor in self._prior:
            return [anchor]
        return self._in_prior.nearest(anchor) or self._in_prior.in_block(anchor)

    def _find_conflicts(self, codes: Codes) -> list[CodeConflict]:
        return code_conflicts(self._system, codes)

    def _without_conflicts(
        self, anchor: str, codes: Sequence[str]
    ) -> tuple[Codes, tuple[ConflictKind, ...]]:
        """Return the codes that conflict neither with the anchor nor with an earlier code.

        Args:
            anchor: Code that is kept.
            codes: Codes of a set, with the anchor.

        Returns:
            The codes that are kept, in their order, and the kind of a conflict of each removed code.
        """
        against: dict[str, dict[str, ConflictKind]] = {code: {} for code in codes}
        for found in self._conflicts(tuple(codes)):
            against[found.code].setdefault(found.other, found.kind)
            against[found.other].setdefault(found.code, found.kind)
        kept = {anchor: None}
        removed: list[ConflictKind] = []
        for code in codes:
            kinds = [kind for other, kind in against[code].items() if other in kept]
            if kinds and code != anchor:
                removed.append(kinds[0])
            else:
                kept[code] = None
        return tuple(code for code in codes if code in kept), tuple(removed)
