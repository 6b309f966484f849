"""The diversity of corpora, at matched lengths.

Compression ratios and the repetition of n-grams grow with the length of a text, so that only texts of
equal length can be compared (Shaib et al. 2024, Standardizing the measurement of text diversity). The
same number of notes is taken from each corpus, and each note is cut after the same number of words.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from cclearn.audit.checks import Check
from cclearn.audit.duplicates import count_repeats
from cclearn.audit.grams import gram_hashes, hashed_words, words_of
from cclearn.audit.inputs import NoteSet, sample_notes
from cclearn.audit.settings import AuditSettings

_GRAM = 10
"""Number of words of the n-grams whose repetition is counted."""

_OPENING = 8
"""Number of words of the opening of a note."""

_LONGEST = 500
"""Number of words after which notes are cut at the latest."""


@dataclass(frozen=True, slots=True)
class Diversity:
    """The diversity of the notes of a corpus that were cut to equal lengths.

    Attributes:
        compression_ratio: Number of bytes of the texts, divided by that after compression by zlib. More
            repetitive texts have a higher ratio.
        self_repetition: Share of the 10-grams of a note that also occur in another note, over all notes.
        distinct_openings: Share of distinct ones among the first eight words of the notes.
    """

    compression_ratio: float
    self_repetition: float
    distinct_openings: float


@dataclass(frozen=True, slots=True)
class Diversities:
    """The diversity of notes, beside that of a reference.

    Attributes:
        compression: Compression ratio of the notes divided by that of the reference, with its limit;
            None without a reference.
        notes: Number of notes of each corpus that were compared.
        words: Number of words after which each of them was cut.
        audited: Diversity of the notes; None if there are fewer than two notes.
        reference: Diversity of the reference; None without one.
        repeats: Number of all audited notes that are near-duplicates of an earlier one, an estimate.
    """

    compression: Check | None
    notes: int
    words: int
    audited: Diversity | None
    reference: Diversity | None
    repeats: int

    @property
    def checks(self) -> tuple[Check, ...]:
        """The check of the compression ratio; empty without a reference."""
        return () if self.compression is None else (self.compression,)


def compare_diversity(
    audited: NoteSet, reference: NoteSet | None, settings: AuditSettings
) -> Diversities:
    """Measure the diversity of notes, and of a reference at the same length.

    The notes are cut after the smaller one of the median lengths, and shorter notes are left out.

    Args:
        audited: Notes to audit.
        reference: Reference notes; None if there are none.
        settings: Settings of the audit.
    """
    corpora = [audited, *([reference] if reference else [])]
    lengths = [
        np.array([len(text.split()) for text in corpus.texts("diversity: lengths")], int)
        for corpus in corpora
    ]
    repeats = count_repeats(audited)
    if not all(map(len, lengths)):
        return Diversities(None, 0, 0, None, None, repeats)
    words = min(_LONGEST, *(int(np.median(found)) for found in lengths))
    notes = min(settings.diversity_notes, *(int((found >= words).sum()) for found in lengths))
    if notes < 2 or not words:
        return Diversities(None, notes, words, None, None, repeats)
    measured = [diversity_of(_cut(corpus, words, notes, settings.seed)) for corpus in corpora]
    compression = None
    if reference:
        quotient = measured[0].compression_ratio / measured[1].compression_ratio
        title = "compression ratio by that of the reference"
        compression = Check("compression", title, quotient, settings.largest_compression)
    return Diversities(
        compression, notes, words, measured[0], measured[1] if reference else None, repeats
    )


def _cut(corpus: NoteSet, words: int, notes: int, seed: int) -> list[str]:
    """Return the beginnings of randomly chosen notes that have enough words."""
    beginning = re.compile(rf"(?:\S+\s+){{{words - 1}}}\S+")
    long_enough = (
        note for note in corpus.read("diversity: notes") if len(note.text.split()) >= words
    )
    found = (beginning.search(note.text) for note in sample_notes(long_enough, notes, seed))
    return [match[0] for match in found if match]


def diversity_of(texts: Sequence[str]) -> Diversity:
    """Measure the diversity of texts of equal length.

    Args:
        texts: Texts, at least one of which has a character.
    """
    content = "\n".join(texts).encode("utf-8", "surrogatepass")
    grams = [
        np.unique(gram_hashes(hashed_words(text, equal_numbers=False), _GRAM)) for text in texts
    ]
    _, counts = np.unique(np.concatenate(grams), return_counts=True)
    repeated, total = int(counts[counts > 1].sum()), int(counts.sum())
    openings = {tuple(words_of(text)[:_OPENING]) for text in texts}
    return Diversity(
        len(content) / len(zlib.compress(content, 9)),
        repeated / total if total else 0.0,
        len(openings) / len(texts),
    )
