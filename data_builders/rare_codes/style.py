"""Notes that a model is shown for their style."""

from __future__ import annotations

import hashlib
import heapq
import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote, Origin
from cclearn.notes.jsonl import read_coded_notes
from data_builders.rare_codes.training_corpus import codes_of

_KEPT = 1_000
"""Maximum number of notes that are kept, so that the memory does not grow with the file."""

_SIMILAR = 5
"""Number of the most similar notes among which one is drawn."""

_CATEGORY = 3
"""Number of characters of a category."""

_RUN = 8
"""Number of words of a run that two notes have in common."""

_COPIED = 0.2
"""Share of the runs of a note above which it copies another note."""


@dataclass(frozen=True, slots=True)
class StyleNote:
    """A note that a model is shown for its style.

    Attributes:
        text: Beginning of the text.
        origin: Origin of the text.
        codes: Billable codes of the note.
    """

    text: str
    origin: Origin
    codes: frozenset[str] = frozenset()


class StyleNotes:
    """A sample of notes, from which one is chosen that is similar to the note to be written.

    Args:
        notes: The notes.
    """

    def __init__(self, notes: Sequence[StyleNote] = ()) -> None:
        self._notes = notes

    @classmethod
    def read(cls, path: Path, system: CodeSystem, longest: int, seed: int) -> StyleNotes:
        """Return a sample of the notes of a file, which does not depend on their order.

        Args:
            path: Path of coded notes.
            system: Code system of the codes.
            longest: Maximum number of characters that are shown of a note.
            seed: Seed of the sample.

        Raises:
            DataError: The file is invalid.
        """
        heap: list[tuple[bytes, str, StyleNote]] = []
        for note in read_coded_notes(path, system):
            if not note.text.strip():
                continue
            key = hashlib.blake2b(f"{seed} {note.id}".encode("utf-8", "surrogatepass")).digest()
            entry = (key, note.id, _style_note(note, system, longest))
            if len(heap) < _KEPT:
                heapq.heappush(heap, entry)
            else:
                heapq.heappushpop(heap, entry)
        return cls([style for _, _, style in sorted(heap, key=lambda entry: entry[:2])])

    def similar(self, codes: Sequence[str], rng: random.Random) -> StyleNote | None:
        """Return one of the notes with the most codes, or else categories, of a set; None without notes.

        Args:
            codes: Codes of the note to be written.
            rng: Random generator of the note.
        """
        if not self._notes:
            return None
        wanted, categories = set(codes), {code[:_CATEGORY] for code in codes}

        def similarity(note: StyleNote) -> tuple[float, float]:
            near = {code[:_CATEGORY] for code in note.codes}
            return (_jaccard(wanted, note.codes), _jaccard(categories, near))

        scored = [(similarity(note), rng.random(), note) for note in self._notes]
        nearest = heapq.nlargest(_SIMILAR, scored, key=lambda item: item[:2])
        return rng.choice(nearest)[2]


def _style_note(note: CodedNote, system: CodeSystem, longest: int) -> StyleNote:
    codes, _ = codes_of(note, system)
    return StyleNote(note.text[:longest].strip(), note.origin, frozenset(codes))


def _jaccard(one: set[str], other: set[str] | frozenset[str]) -> float:
    return len(one & other) / len(one | other) if one or other else 0.0


def copies(text: str, shown: str) -> bool:
    """Return whether a text has long runs of words of a note that the model was shown.

    Args:
        text: Text of the model.
        shown: Text that the model was shown.
    """
    runs = _runs(text)
    return bool(runs) and len(runs & _runs(shown)) > _COPIED * len(runs)


def _runs(text: str) -> set[tuple[str, ...]]:
    words = text.lower().split()
    return {tuple(words[i : i + _RUN]) for i in range(len(words) - _RUN + 1)}
