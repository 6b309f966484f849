"""The reward of a predicted note in reinforcement learning."""

from __future__ import annotations

from collections.abc import Iterable

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote


def hierarchical_f1(gold: Iterable[str], predicted: Iterable[str], system: CodeSystem) -> float:
    """Return the F1 of codes and their ancestors, without chapters.

    A sibling of a gold code shares most of its ancestors, and so receives most of the credit
    (Kiritchenko et al. 2005, "Functional annotation of genes using hierarchical text categorization",
    hierarchical precision and recall).

    Args:
        gold: The gold codes.
        predicted: The predicted codes.
        system: The code system, which provides the ancestors. Codes that it does not contain have none.

    Returns:
        A number between 0 and 1; 1 if there are neither gold nor predicted codes.
    """
    gold_set, predicted_set = _with_ancestors(gold, system), _with_ancestors(predicted, system)
    if not gold_set and not predicted_set:
        return 1.0
    return 2 * len(gold_set & predicted_set) / (len(gold_set) + len(predicted_set))


def reward(
    gold: CodedNote,
    predicted: CodedNote,
    system: CodeSystem,
    ungrounded: float = 0.5,
    invalid: float = 0.5,
) -> float:
    """Return the reward of a prediction: its hierarchical F1 minus penalties for unusable lines.

    Args:
        gold: The note with the gold codes.
        predicted: The same note with the predicted codes.
        system: The code system.
        ungrounded: Penalty if no quote of the prediction occurs in the note; the actual penalty is
            proportional to the share of such quotes.
        invalid: Penalty if no code of the prediction may be assigned; the actual penalty is proportional
            to the share of such codes and of unreadable lines.

    Returns:
        A number between -ungrounded - invalid and 1. It is at most 0 if the prediction was truncated or
        missing.
    """
    score = hierarchical_f1(
        (assigned.code for assigned in gold.codes),
        (assigned.code for assigned in predicted.codes),
        system,
    )
    cited = sum(len(assigned.evidence) for assigned in predicted.codes)
    unusable = len(predicted.ungrounded), len(predicted.invalid)
    total = cited + sum(unusable)
    if total:
        score -= (ungrounded * unusable[0] + invalid * unusable[1]) / total
    return min(score, 0.0) if predicted.failures else score


def _with_ancestors(codes: Iterable[str], system: CodeSystem) -> set[str]:
    found: set[str] = set()
    for code in codes:
        found.add(code)
        if system.status(code) in ("valid", "header"):
            found.update(system.ancestors(code)[:-1])
    return found
