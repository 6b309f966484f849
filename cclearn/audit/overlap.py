"""Copies of reference notes, and passages of them, by their 13-grams.

The 13-gram is the unit of decontamination since GPT-3 (Brown et al. 2020, appendix C), where 13-grams of
many documents are ignored too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cclearn.audit.checks import Check
from cclearn.audit.grams import GramIndex, Hashes, distinct_grams, hash_of, words_of
from cclearn.audit.inputs import NoteSet
from cclearn.audit.settings import GRAM, AuditSettings


@dataclass(frozen=True, slots=True)
class Overlap:
    """What notes repeat of a reference.

    Attributes:
        copies: Notes whose words are those of a reference note, in the same order.
        passages: Other notes with a passage of a reference note.
        overlapping: Number of notes with a 13-gram of the reference that is not common.
        grams: Number of distinct 13-grams of the notes.
        shared_grams: Number of these 13-grams that the reference contains, and that are not common.
        common_grams: Number of these 13-grams that are common in the reference.
    """

    copies: Check
    passages: Check
    overlapping: int
    grams: int
    shared_grams: int
    common_grams: int

    @property
    def checks(self) -> tuple[Check, ...]:
        """The checks of copies and of passages."""
        return self.copies, self.passages


def find_overlap(audited: NoteSet, reference: NoteSet, settings: AuditSettings) -> Overlap:
    """Find copies and passages of reference notes.

    Notes of few words are no copies, because they may be equal by chance.

    Args:
        audited: Notes to audit.
        reference: Notes that must not be repeated.
        settings: Settings of the audit.
    """
    ids: list[str] = []
    hashes = _text_hashes(audited.texts("copies: notes", ids), settings.least_copied)
    texts = reference.texts("copies: reference")
    theirs = np.unique(_text_hashes(texts, settings.least_copied))
    is_copy = np.isin(hashes, theirs) & (hashes != _SHORT)
    index = GramIndex(audited.texts("13-grams: notes"), GRAM)
    index.count(reference.texts("13-grams: reference"))
    is_common = index.counts > settings.most_of_uncommon(index.counted)
    is_shared = (index.counts > 0) & ~is_common
    least = settings.passage - GRAM + 1
    has_passage = _with_passage(index, reference, is_shared, least) & ~is_copy
    overlapping = sum(bool(is_shared[index.grams_of(note)].any()) for note in range(index.notes))
    copies = tuple(ids[number] for number in np.flatnonzero(is_copy))
    passages = tuple(ids[number] for number in np.flatnonzero(has_passage))
    title = f"passages of {settings.passage} words of the reference"
    return Overlap(
        Check.of_notes("copies", "copies of reference notes", copies, settings.most_copies),
        Check.of_notes("passages", title, passages, settings.most_passages),
        overlapping,
        len(index.grams),
        int(is_shared.sum()),
        int(is_common.sum()),
    )


_SHORT = np.uint64(hash_of(""))
"""Hash of notes of few words."""


def _text_hashes(texts: Iterable[str], least: int) -> Hashes:
    """Return the hash of the words of each text, `_SHORT` for a text of fewer words than `least`."""
    words = (words_of(text) for text in texts)
    return np.fromiter((hash_of(" ".join(w if len(w) >= least else ())) for w in words), np.uint64)


def _with_passage(
    index: GramIndex, reference: NoteSet, is_shared: NDArray[np.bool_], least: int
) -> NDArray[np.bool_]:
    """Return whether each note shares enough 13-grams with a single reference note.

    Args:
        index: 13-grams of the notes.
        reference: Reference notes.
        is_shared: Whether each 13-gram is in the reference and not common.
        least: Smallest number of 13-grams.
    """
    found = np.zeros(index.notes, bool)
    for text in reference.texts("passages: reference"):
        grams = index.find(distinct_grams(text, index.size))
        grams = grams[is_shared[grams]]
        if len(grams) >= least:
            notes, counts = index.notes_with(grams)
            found[notes[counts >= least]] = True
    return found
