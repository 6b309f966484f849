"""Identifiers of a reference that occur in other notes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from cclearn.audit.checks import Check
from cclearn.audit.grams import Hashes, Indices
from cclearn.audit.identifiers import (
    Identifier,
    Recogniser,
    find_identifiers,
    find_possible_names,
)
from cclearn.audit.inputs import NoteSet
from cclearn.audit.settings import AuditSettings

_OPTIONAL_KINDS = frozenset({"date", "email", "name", "number", "phone"})
"""Kinds that count for the verdict only if the settings list them. All other kinds always count."""


@dataclass(frozen=True, slots=True)
class Leak:
    """The place of an identifier of the reference in a note. The identifier itself is not kept.

    Attributes:
        note: Id of the note.
        kind: Kind of the identifier.
        start: Offset of the first code point.
        end: Offset after the last code point.
    """

    note: str
    kind: str
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Leaks:
    """Identifiers of a reference that occur in notes.

    Attributes:
        leaking: Notes with an identifier whose kind counts for the verdict.
        places: All places, in the order of the notes, without those of common identifiers.
        kinds: Number of places of each kind.
        common: Number of places of identifiers that are common in the reference, such as the telephone
            number of a ward or a dose.
        reference: Number of distinct identifiers of the reference.
    """

    leaking: Check
    places: tuple[Leak, ...]
    kinds: dict[str, int]
    common: int
    reference: int

    @property
    def checks(self) -> tuple[Check, ...]:
        """The check of leaked identifiers."""
        return (self.leaking,)


def find_leaks(
    audited: NoteSet,
    reference: NoteSet,
    settings: AuditSettings,
    recognisers: Sequence[Recogniser] = (),
) -> Leaks:
    """Find the identifiers of the reference that occur in notes.

    A name of at least two words is found wherever its words are capitalised, and a name of one word only
    after a title or `Name:`.

    Args:
        audited: Notes to audit.
        reference: Notes whose identifiers must not occur.
        settings: Settings of the audit.
        recognisers: Further recognisers, which are applied to both.
    """
    shared = (find_identifiers, *recognisers)
    keys, counts, notes = _count_keys(reference.texts("identifiers: reference"), shared)
    limit = settings.most_of_uncommon(notes)
    places: list[Leak] = []
    common = 0
    for note in audited.read("identifiers: notes"):
        found = {(i.start, i.end, i.key): i.kind for i in _find(note.text, shared)}
        for name in find_possible_names(note.text):
            found.setdefault((name.start, name.end, name.key), name.kind)
        for (start, end, key), kind in sorted(found.items()):
            place = np.searchsorted(keys, np.uint64(key))
            if place < len(keys) and keys[place] == key:
                if counts[place] > limit:
                    common += 1
                else:
                    places.append(Leak(note.id, kind, start, end))
    counted = {leak.kind for leak in places} - _OPTIONAL_KINDS | {*settings.identifiers}
    leaking = dict.fromkeys(leak.note for leak in places if leak.kind in counted)
    title = "notes with identifiers of the reference"
    return Leaks(
        Check.of_notes("leaks", title, tuple(leaking), settings.most_leaking),
        tuple(places),
        dict(sorted(Counter(leak.kind for leak in places).items())),
        common,
        len(keys),
    )


def _count_keys(
    texts: Iterable[str], recognisers: Sequence[Recogniser]
) -> tuple[Hashes, Indices, int]:
    """Return the distinct keys of identifiers, the number of texts with each, and that of all texts.

    Args:
        texts: Texts of the reference.
        recognisers: Recognisers of identifiers.
    """
    by_text = [
        np.array(sorted({identifier.key for identifier in _find(text, recognisers)}), np.uint64)
        for text in texts
    ]
    keys, counts = np.unique(np.concatenate([_NONE, *by_text]), return_counts=True)
    return keys, counts, len(by_text)


_NONE = np.empty(0, np.uint64)


def _find(text: str, recognisers: Sequence[Recogniser]) -> Iterator[Identifier]:
    return chain.from_iterable(recognise(text) for recognise in recognisers)
