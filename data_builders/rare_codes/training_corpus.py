"""The counts of the codes of a training corpus, and code sets of its notes."""

from __future__ import annotations

import hashlib
import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.notes import CODED_ASSERTIONS, CodedNote
from cclearn.notes.jsonl import read_coded_notes

Codes = tuple[str, ...]
"""Codes of a note in its order, each once."""

_KEPT = 64
"""Maximum number of code sets that are kept for a code. More than a code below 100 notes needs, and few
enough that the memory does not grow with the number of notes."""


@dataclass(frozen=True, slots=True)
class TrainingCorpus:
    """What the builder knows about the notes of a training corpus. It contains no text.

    Attributes:
        counts: Number of notes with each billable code, in alphabetical order.
        sets: Code sets of notes with each code: all of them, or a random sample of `_KEPT`.
        notes: Number of notes.
        not_billable: Number of codes of notes that are not billable, and are left out.
    """

    counts: Mapping[str, int] = field(default_factory=dict)
    sets: Mapping[str, tuple[Codes, ...]] = field(default_factory=dict)
    notes: int = 0
    not_billable: int = 0


def codes_of(note: CodedNote, system: CodeSystem) -> tuple[Codes, int]:
    """Return the billable codes of a note, each once, and the number of its codes that are not billable.

    Args:
        note: The note. Codes of other code systems and codes that are negated or another person's are
            left out.
        system: Code system of the codes.
    """
    codes = [
        assigned.code
        for assigned in note.codes
        if assigned.system == system.name and assigned.assertion in CODED_ASSERTIONS
    ]
    billable = tuple(dict.fromkeys(code for code in codes if system.is_billable(code)))
    return billable, len(codes) - len(billable)


def read_training_corpus(paths: Iterable[Path], system: CodeSystem, seed: int) -> TrainingCorpus:
    """Read coded notes one by one.

    The sample of code sets depends on the seed and the ids of the notes, not on their order.

    Args:
        paths: Paths of coded notes.
        system: Code system of the codes.
        seed: Seed of the sample.

    Raises:
        DataError: A file is invalid.
    """
    counts: Counter[str] = Counter()
    kept: dict[str, list[tuple[int, Codes]]] = defaultdict(list)
    notes = not_billable = 0
    for number, path in enumerate(paths):
        for note in read_coded_notes(path, system):
            codes, others = codes_of(note, system)
            notes += 1
            not_billable += others
            counts.update(codes)
            # The sets with the highest keys are kept, which is a random sample.
            entry = (_key(f"{seed} {number} {note.id}"), codes)
            for code in codes:
                heap = kept[code]
                if len(heap) < _KEPT:
                    heapq.heappush(heap, entry)
                else:
                    heapq.heappushpop(heap, entry)
    sets = {
        code: tuple(codes for _, codes in sorted(heap, reverse=True)) for code, heap in kept.items()
    }
    return TrainingCorpus(dict(sorted(counts.items())), sets, notes, not_billable)


def _key(text: str) -> int:
    """Return a number that looks random and is the same in every process."""
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "big")
