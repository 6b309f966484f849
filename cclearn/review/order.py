"""The order in which notes are reviewed.

A random part of the notes is kept apart for honest scores, and is spread evenly over any order. The
orders are compared with a simulated reviewer in `benchmarks/review.py`. With real reviewers, an active
selection is not always better than a random one (Chen et al., 2017, "An active learning-enabled
annotation system for clinical named entity recognition").
"""

from __future__ import annotations

from collections.abc import Set
from hashlib import sha256
from typing import Literal

import numpy as np
import numpy.typing as npt

from cclearn.errors import ConfigurationError
from cclearn.review.note_index import NoteIndex

OrderName = Literal["random", "uncertain", "new_codes", "value"]

_READ = 1 / 250
"""Minutes to read a word, before there are measured times."""

_DECIDE = 0.2
"""Minutes to decide on a code, before there are measured times."""

_MIN_TIMES = 20
"""Number of reviewed notes from which on measured times are used."""


def in_share(identifier: str, share: float, purpose: str, seed: int) -> bool:
    """Return whether a note belongs to a random share, which depends only on the arguments.

    Args:
        identifier: Id of the note.
        share: Size of the share, between 0 and 1.
        purpose: Name of the share. Shares with different names are independent.
        seed: Seed of the review.
    """
    digest = sha256(f"{purpose} {seed} {identifier}".encode()).digest()
    return int.from_bytes(digest[:8], "big") < share * 2**64


class Order:
    """Chooses the next note to review.

    Args:
        corpus: Notes of the review.
        name: `random`; `uncertain`: the notes whose codes have the least certain scores first;
            `new_codes`: the notes with the most codes that no reviewed note has; `value`: the number of
            new codes plus the mean uncertainty, divided by the predicted minutes.
        seed: Seed of the random order, and of the notes that are kept apart.
        kept_apart: Share of the notes that are kept apart for honest scores. They come in random order.

    Raises:
        ConfigurationError: The order needs scores or codes, and the notes have none.
    """

    def __init__(self, corpus: NoteIndex, name: OrderName, seed: int, kept_apart: float) -> None:
        proposed = corpus.proposed
        problem = None
        if name == "uncertain" and not proposed.has_scores:
            problem = "no code has a score. Calibrate the coder, or choose new_codes or random"
        elif name != "random" and not len(proposed.codes):
            problem = (
                "the notes have no codes yet. Code them with `cclearn code` first, or choose random"
            )
        if problem is not None:
            raise ConfigurationError([f"order (order = {name}): {problem}."])
        self._corpus, self._name, self._share = corpus, name, kept_apart
        self._random = np.random.default_rng(seed).permutation(len(corpus))
        self._rank = np.argsort(self._random)
        self.kept_apart = np.array(
            [in_share(identifier, kept_apart, "kept apart", seed) for identifier in corpus.ids],
            dtype=np.bool_,
        )
        certainty = np.abs(2 * np.nan_to_num(proposed.scores, nan=0.5) - 1)
        counts = np.maximum(1, np.diff(proposed.starts))
        self._uncertainty = proposed.sums(1 - certainty) / counts

    def next(
        self,
        opened: npt.NDArray[np.bool_],
        allowed: npt.NDArray[np.bool_],
        known_codes: Set[str],
        minutes: npt.NDArray[np.float64] | None,
    ) -> int | None:
        """Return the number of the next note, or None if no allowed note is left.

        Args:
            opened: Array with True for each note that was opened already.
            allowed: Array with True for each note that the filter allows.
            known_codes: Codes of the notes that were reviewed.
            minutes: Predicted minutes for each note. None for assumptions on reading and deciding.
        """
        left = allowed & ~opened
        random = left & self.kept_apart
        apart = int((opened & self.kept_apart).sum())
        is_turn = apart < self._share * (int(opened.sum()) + 1)
        if random.any() and (is_turn or not (left & ~random).any()):
            return self._first(random, -self._rank.astype(np.float64))
        pool = left & ~self.kept_apart
        if not pool.any():
            return None
        return self._first(pool, self._values(known_codes, minutes))

    def _first(self, candidates: npt.NDArray[np.bool_], values: npt.NDArray[np.float64]) -> int:
        """Return the candidate with the largest value. Of equal ones, the random order decides."""
        best = candidates & (values >= values[candidates].max())
        return int(np.flatnonzero(best)[np.argmin(self._rank[best])])

    def _values(
        self, known_codes: Set[str], minutes: npt.NDArray[np.float64] | None
    ) -> npt.NDArray[np.float64]:
        if self._name == "random":
            return -self._rank.astype(np.float64)
        if self._name == "uncertain":
            return self._uncertainty
        proposed = self._corpus.proposed
        is_new = np.array([name not in known_codes for name in proposed.names], dtype=np.bool_)
        new = proposed.sums(is_new[proposed.codes])
        if self._name == "new_codes":
            return new
        if minutes is None:
            minutes = _READ * proposed.words + _DECIDE * np.diff(proposed.starts)
        value: npt.NDArray[np.float64] = (new + self._uncertainty) / minutes
        return value


def predicted_minutes(
    corpus: NoteIndex, reviewed: npt.NDArray[np.int64], minutes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64] | None:
    """Return the predicted minutes for each note, by least squares on words and proposed codes.

    Args:
        corpus: Notes of the review.
        reviewed: Numbers of the notes that were reviewed.
        minutes: Minutes that each of them took.

    Returns:
        Predicted minutes, at least a tenth of the median. None if fewer than 20 notes were reviewed.
    """
    if len(reviewed) < _MIN_TIMES:
        return None
    proposed = corpus.proposed
    features = np.stack(
        [
            np.ones(len(corpus)),
            proposed.words.astype(float),
            np.diff(proposed.starts).astype(float),
        ],
        axis=1,
    )
    weights, *_ = np.linalg.lstsq(features[reviewed], minutes, rcond=None)
    predicted: npt.NDArray[np.float64] = features @ weights
    return np.maximum(predicted, max(0.1 * float(np.median(minutes)), 1e-3))
