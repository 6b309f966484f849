"""What an answer is worth: the reward of reinforcement."""

from __future__ import annotations

from collections.abc import Iterable

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote


def hierarchical_f1(gold: Iterable[str], predicted: Iterable[str], system: CodeSystem) -> float:
    """Return the F1 of codes together with all that stand above them, chapters left out.

    A code beside the right one, below the same parents, has most of their credit (Kiritchenko et al.
    2005, "Functional annotation of genes using hierarchical text categorization", hierarchical precision
    and recall). It is 1 where both are empty.

    Args:
        gold: The codes that are right.
        predicted: The codes assigned.
        system: Says what stands above them; codes that it does not know have nothing above.
    """
    right, given = _with_ancestors(gold, system), _with_ancestors(predicted, system)
    if not right and not given:
        return 1.0
    return 2 * len(right & given) / (len(right) + len(given))


def reward(
    gold: CodedNote,
    predicted: CodedNote,
    system: CodeSystem,
    ungrounded: float = 0.5,
    invalid: float = 0.5,
) -> float:
    """Return the reward of an answer: its hierarchical F1, less what it made up.

    Args:
        gold: The note with the right codes.
        predicted: The same note with what was read from the answer.
        system: The code system.
        ungrounded: Lost where all that it cites are words that the note does not hold.
        invalid: Lost where all of its codes may not be assigned, or cannot be read.

    Returns:
        A number between -ungrounded - invalid and 1. An answer that was cut off or could not be given
        has at most 0.
    """
    score = hierarchical_f1(
        (assigned.code for assigned in gold.codes),
        (assigned.code for assigned in predicted.codes),
        system,
    )
    cited = sum(len(assigned.evidence) for assigned in predicted.codes)
    wrong = len(predicted.ungrounded), len(predicted.invalid)
    total = cited + sum(wrong)
    if total:
        score -= (ungrounded * wrong[0] + invalid * wrong[1]) / total
    return min(score, 0.0) if predicted.failures else score


def _with_ancestors(codes: Iterable[str], system: CodeSystem) -> set[str]:
    found: set[str] = set()
    for code in codes:
        found.add(code)
        if system.status(code) in ("valid", "header"):
            found.update(system.ancestors(code)[:-1])
    return found
