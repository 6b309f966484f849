"""Near-duplicates, by MinHash signatures of word 4-grams.

A MinHash signature estimates the Jaccard similarity of two sets (Broder 1997). Signatures are cut into
bands, and only notes with an equal band are compared (locality-sensitive hashing; Leskovec, Rajaraman
and Ullman 2014, Mining of Massive Datasets, section 3.4). The bands are sorted arrays, because a
dictionary for each band would take a gigabyte for 100,000 notes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cclearn.audit.checks import Check
from cclearn.audit.grams import GramIndex, Hashes, Indices, distinct_grams
from cclearn.audit.inputs import NoteSet
from cclearn.audit.settings import AuditSettings
from cclearn.errors import ConfigurationError

_GRAM = 4
"""Number of words of an n-gram."""

_BANDS, _ROWS = 42, 3
"""Number of bands of a signature, and of values in a band. Two notes of similarity 0.5 have an equal
band with a probability of 1 - (1 - 0.5 ** 3) ** 42 = 0.996, and two of similarity 0.2 with 0.29."""

_REPEATED = 0.8
"""Estimated similarity from which a note repeats another note of its own corpus (Lee et al. 2022,
Deduplicating training data makes language models better)."""

_MASK = np.uint64(2**32 - 1)

Signatures = NDArray[np.uint32]
"""MinHash values of shape (notes, values of a signature)."""


@dataclass(frozen=True, slots=True)
class NearDuplicates:
    """Near-duplicates of reference notes.

    Attributes:
        near_duplicates: Notes that are near-duplicates and not exact copies.
        unjudged: Number of notes that share too few 4-grams with the reference, without the common ones,
            to be a near-duplicate by any similarity.
    """

    near_duplicates: Check
    unjudged: int

    @property
    def checks(self) -> tuple[Check, ...]:
        """The check of near-duplicates."""
        return (self.near_duplicates,)


def require_datasketch() -> None:
    """Raise ConfigurationError if datasketch is not installed."""
    if find_spec("datasketch") is None:
        raise ConfigurationError(
            ["audit: datasketch is not installed. `pip install 'cclearn[audit]'`."]
        )


def find_near_duplicates(
    audited: NoteSet, reference: NoteSet, settings: AuditSettings, copies: Iterable[str] = ()
) -> NearDuplicates:
    """Find the near-duplicates of reference notes.

    The set of a reference note contains its 4-grams that are not common. The set of an audited note
    contains those of its 4-grams that the reference contains and that are not common. So a near-copy is
    found also if words of it were exchanged, and a phrase of all notes makes no two notes alike. The
    signatures only select pairs, and the similarity of a pair is exact.

    Two short notes with the same long diagnosis may have similar sets. So a pair must also share a large
    part of all of its 4-grams, those that are common included.

    Args:
        audited: Notes to audit.
        reference: Notes that must not be repeated.
        settings: Settings of the audit.
        copies: Ids of the exact copies, which are left out.

    Raises:
        ConfigurationError: datasketch is not installed.
    """
    require_datasketch()
    ids: list[str] = []
    index = GramIndex(audited.texts("near-duplicates: notes", ids), _GRAM)
    index.count(reference.texts("near-duplicates: reference"))
    is_common = index.counts > settings.most_of_uncommon(index.counted)
    is_shared = (index.counts > 0) & ~is_common
    kept = [grams[is_shared[grams]] for grams in map(index.grams_of, range(index.notes))]
    judged = np.array([len(grams) >= settings.least_shared for grams in kept], bool)
    numbers = np.flatnonzero(judged)
    sign = _Signer()
    bands = _Bands(sign.many([index.grams[kept[number]] for number in numbers]))
    found = np.zeros(index.notes, bool)
    for text in reference.texts("near-duplicates: pairs"):
        hashes = distinct_grams(text, _GRAM)
        known = index.find(hashes)
        shared = known[is_shared[known]]
        if len(shared) < settings.least_shared:
            continue
        length = len(hashes)
        common = index.grams[known[is_common[known]]]
        hashes = hashes[~np.isin(hashes, common, assume_unique=True)]
        for number in numbers[bands.notes_like(sign.one(hashes))].tolist():
            both = len(np.intersect1d(kept[number], shared, assume_unique=True))
            either = len(kept[number]) + len(hashes) - both
            if both < max(settings.least_shared, settings.similarity * either):
                continue
            grams = index.grams_of(number)
            all_shared = len(np.intersect1d(grams, known, assume_unique=True))
            if all_shared >= settings.similarity * max(len(grams), length):
                found[number] = True
    left_out = set(copies)
    notes = tuple(ids[n] for n in np.flatnonzero(found) if ids[n] not in left_out)
    title, most = "near-duplicates of reference notes", settings.most_near_duplicates
    return NearDuplicates(
        Check.of_notes("near_duplicates", title, notes, most), int((~judged).sum())
    )


def count_repeats(notes: NoteSet) -> int:
    """Return the number of notes that are near-duplicates of an earlier note of the same corpus.

    The number is an estimate: a note is compared only with the first note of each of its bands, by the
    signatures.

    Args:
        notes: The corpus.

    Raises:
        ConfigurationError: datasketch is not installed.
    """
    require_datasketch()
    sets = (distinct_grams(text, _GRAM) for text in notes.texts("repeats: notes"))
    signatures = _Signer().many(hashes for hashes in sets if len(hashes))
    repeats = np.zeros(len(signatures), bool)
    for keys in _band_keys(signatures).T:
        _, first, group = np.unique(keys, return_index=True, return_inverse=True)
        others = np.flatnonzero((first[group] != np.arange(len(keys))) & ~repeats)
        same = signatures[others] == signatures[first[group[others]]]
        repeats[others[same.mean(axis=1) >= _REPEATED]] = True
    return int(repeats.sum())


class _Signer:
    """Computes MinHash signatures. All empty sets have the same one."""

    def __init__(self) -> None:
        from datasketch import MinHash  # type: ignore[import-untyped]

        self._empty: Any = MinHash(num_perm=_BANDS * _ROWS, hashfunc=int)

    def one(self, hashes: Hashes) -> Signatures:
        """Return the signature of a set of n-grams, of shape (1, values)."""
        sketch = self._empty.copy()
        sketch.update_batch((hashes & _MASK).tolist())
        return np.asarray(sketch.hashvalues, np.uint32)[None]

    def many(self, sets: Iterable[Hashes]) -> Signatures:
        """Return the signatures of several sets, of shape (sets, values)."""
        signatures = [self.one(hashes) for hashes in sets]
        if not signatures:
            return np.empty((0, _BANDS * _ROWS), np.uint32)
        return np.concatenate(signatures)


def _band_keys(signatures: Signatures) -> Hashes:
    """Return a hash of each band of each signature, of shape (notes, bands)."""
    values = signatures.astype(np.uint64).reshape(len(signatures), _BANDS, _ROWS)
    keys = np.zeros(values.shape[:2], np.uint64)
    for row in range(_ROWS):
        keys = keys * np.uint64(0x9E3779B97F4A7C15) + values[:, :, row]
    return keys


class _Bands:
    """The bands of signatures, each as a sorted array.

    Args:
        signatures: Signatures of the notes.
    """

    def __init__(self, signatures: Signatures) -> None:
        keys = _band_keys(signatures).T
        self._orders = [np.argsort(band, kind="stable").astype(np.int32) for band in keys]
        self._keys = [band[order] for band, order in zip(keys, self._orders, strict=True)]

    def notes_like(self, signature: Signatures) -> Indices:
        """Return the numbers of the notes that have an equal band, sorted.

        Args:
            signature: Signature of another note.
        """
        found = []
        for key, keys, order in zip(
            _band_keys(signature)[0], self._keys, self._orders, strict=True
        ):
            start, end = np.searchsorted(keys, key, "left"), np.searchsorted(keys, key, "right")
            found.append(order[start:end])
        return np.unique(np.concatenate(found)).astype(np.int64)
