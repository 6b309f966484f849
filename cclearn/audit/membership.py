"""Membership inference: whether the nearest synthetic note tells that a note was a training note.

An attacker has notes of which some were training notes of the generator (members) and some were not.
The feature is the similarity to the nearest synthetic note, as in attacks on synthetic data (Chen et al.
2020, GAN-Leaks). The attacker is compared with one who calls every note a member, whose precision is the
share of the members.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from cclearn.audit.checks import Check
from cclearn.audit.inputs import NoteSet, sample_notes
from cclearn.audit.nearest import nearest_similarity
from cclearn.audit.settings import AuditSettings
from cclearn.errors import DataError
from cclearn.evaluation.bootstrap import Score, interval

_SHARES = (0.1, 0.5)
"""Shares of the notes, the nearest ones, that attackers call members."""

Values = NDArray[np.float64]
"""Similarities, or values of bootstrap draws."""


@dataclass(frozen=True, slots=True)
class Attack:
    """An attacker who calls the notes that are nearest to a synthetic note members.

    Attributes:
        share: Share of the notes that are called members.
        precision: Share of members among the notes that are called members.
        advantage: Share of the members that are called members, minus that share of the other notes
            (the membership advantage of Yeom et al. 2018).
    """

    share: float
    precision: Score
    advantage: Score


@dataclass(frozen=True, slots=True)
class Membership:
    """How well an attacker tells training notes from other notes.

    Attributes:
        inference: The lower end of the interval of the area under the ROC curve, and its limit.
        members: Number of training notes that were compared.
        non_members: Number of other notes that were compared.
        auc: Area under the ROC curve of the similarity, with its 95 % interval.
        attacks: Attackers who call the nearest notes members.
        precision_of_everyone: Precision of an attacker who calls every note a member.
    """

    inference: Check
    members: int
    non_members: int
    auc: Score
    attacks: tuple[Attack, ...]
    precision_of_everyone: float

    @property
    def checks(self) -> tuple[Check, ...]:
        """The check of membership inference."""
        return (self.inference,)


def infer_membership(
    synthetic: NoteSet, members: NoteSet, non_members: NoteSet, settings: AuditSettings
) -> Membership:
    """Measure how well the nearest synthetic note tells members from other notes.

    Args:
        synthetic: Notes that a generator wrote.
        members: Training notes of the generator.
        non_members: Notes of the same origin on which the generator was not trained.
        settings: Settings of the audit.

    Raises:
        DataError: There are no members, or no other notes.
    """
    size, seed = settings.nearest_notes, settings.seed
    inside = sample_notes(members.read("membership: members"), size, seed)
    outside = sample_notes(non_members.read("membership: others"), size, seed)
    for notes, chosen in ((members, inside), (non_members, outside)):
        if not chosen:
            raise DataError(notes.path, "contains no notes. Name a file with notes.")
    texts = [note.text for note in (*inside, *outside)]
    found = nearest_similarity(texts, synthetic.texts("membership: notes"))
    near, far = found[: len(inside)], found[len(inside) :]
    auc, attacks = attack_scores(near, far, settings.draws, settings.seed)
    low = auc.value if auc.low is None else auc.low
    title = "area under the ROC of membership, low end"
    return Membership(
        Check("membership", title, low or 0.0, settings.largest_auc),
        len(near),
        len(far),
        auc,
        attacks,
        len(near) / (len(near) + len(far)),
    )


def attack_scores(
    members: Values, others: Values, draws: int, seed: int
) -> tuple[Score, tuple[Attack, ...]]:
    """Return the scores of attackers with 95 % intervals, by a bootstrap within both groups.

    Args:
        members: Similarity of each member to the nearest synthetic note.
        others: Similarity of each other note.
        draws: Number of bootstrap draws.
        seed: Seed of the draws.
    """
    rng = np.random.default_rng(seed)
    everyone = np.sort(np.concatenate([members, others]))
    # An attacker's threshold is the similarity of the last note that is called a member.
    thresholds = [
        everyone[len(everyone) - max(1, round(share * len(everyone)))] for share in _SHARES
    ]
    points = _scores(members, others, thresholds)
    drawn = np.array(
        [
            _scores(rng.choice(members, len(members)), rng.choice(others, len(others)), thresholds)
            for _ in range(draws)
        ]
    )
    scores = [
        Score(float(value), *interval(float(value), column))
        for value, column in zip(points, drawn.T, strict=True)
    ]
    attacks = tuple(
        Attack(share, scores[1 + 2 * number], scores[2 + 2 * number])
        for number, share in enumerate(_SHARES)
    )
    return scores[0], attacks


def _scores(members: Values, others: Values, thresholds: list[float]) -> list[float]:
    """Return the area under the ROC curve, and the precision and the advantage at each threshold."""
    ordered = np.sort(others)
    below = np.searchsorted(ordered, members, "left")
    ties = np.searchsorted(ordered, members, "right") - below
    values = [float((below + 0.5 * ties).mean() / len(others))]
    for threshold in thresholds:
        inside, outside = (members >= threshold).sum(), (others >= threshold).sum()
        called = inside + outside
        values.append(float(inside / called) if called else float("nan"))
        values.append(float(inside / len(members) - outside / len(others)))
    return values
