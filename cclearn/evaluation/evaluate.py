"""Scoring predictions against gold coded notes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass

from cclearn.errors import CclearnError
from cclearn.evaluation.metrics import Counts, count, count_by_label, macro_f1
from cclearn.notes import CodedNote


@dataclass(frozen=True, slots=True)
class Evaluation:
    """The scores of one system on one set of notes.

    Attributes:
        notes: Notes of the gold, all of which are scored.
        missing: Notes of the gold without a prediction; they are scored as if nothing was found.
        gold_codes: (note, code) pairs of the gold.
        predicted_codes: (note, code) pairs of the prediction.
        micro_precision: Of (note, code) pairs.
        micro_recall: Of (note, code) pairs.
        micro_f1: Of (note, code) pairs.
        macro_f1: Mean F1 over the codes that the gold holds.
        evidence_precision: Of exact spans: (note, begin, end, code), as in MDACE (Cheng et al. 2023).
        evidence_recall: Likewise.
        evidence_f1: Likewise.
        invalid_rate: Answered codes that may not be assigned, and unreadable lines, of all answered.
        ungrounded_rate: Answered quotes that are not in the note, of all answered.
        flagged: Predictions with a remark such as `truncated`.
        focus_recall: Recall over the codes in focus; None where none is.
        focus_gold: (note, code) pairs of the gold whose code is in focus.
    """

    notes: int
    missing: int
    gold_codes: int
    predicted_codes: int
    micro_precision: float
    micro_recall: float
    micro_f1: float
    macro_f1: float
    evidence_precision: float
    evidence_recall: float
    evidence_f1: float
    invalid_rate: float
    ungrounded_rate: float
    flagged: int
    focus_recall: float | None = None
    focus_gold: int = 0

    def as_dict(self) -> dict[str, float | int | None]:
        """Return the scores for JSON."""
        return asdict(self)


def evaluate(
    gold: Iterable[CodedNote], predicted: Iterable[CodedNote], focus: frozenset[str] = frozenset()
) -> Evaluation:
    """Score a prediction.

    Args:
        gold: The notes with the codes that are right.
        predicted: The notes with the codes that a system assigned, in any order.
        focus: Codes whose recall is told apart, e.g. those that no training document holds.

    Raises:
        CclearnError: A prediction is for a note that the gold does not hold, or its text differs.
    """
    references = list(gold)
    answers = {note.id: note for note in predicted}
    _check(references, answers)
    pairs = []
    codes, spans, focused = Counts(), Counts(), Counts()
    invalid = ungrounded = answered = flagged = missing = 0
    for reference in references:
        answer = answers.get(reference.id)
        if answer is None:
            missing += 1
            answer = CodedNote(id=reference.id, text=reference.text)
        wanted, found = _codes(reference), _codes(answer)
        pairs.append((wanted, found))
        codes += count(wanted, found)
        spans += count(_spans(reference), _spans(answer))
        focused += count(wanted & focus, found & focus)
        invalid += len(answer.invalid)
        ungrounded += len(answer.ungrounded)
        answered += len(answer.invalid) + len(answer.ungrounded) + len(_spans(answer))
        flagged += bool(answer.flags)
    return Evaluation(
        notes=len(references),
        missing=missing,
        gold_codes=codes.true_positives + codes.false_negatives,
        predicted_codes=codes.true_positives + codes.false_positives,
        micro_precision=codes.precision,
        micro_recall=codes.recall,
        micro_f1=codes.f1,
        macro_f1=macro_f1(count_by_label(pairs)),
        evidence_precision=spans.precision,
        evidence_recall=spans.recall,
        evidence_f1=spans.f1,
        invalid_rate=invalid / answered if answered else 0.0,
        ungrounded_rate=ungrounded / answered if answered else 0.0,
        flagged=flagged,
        focus_recall=focused.recall if focus else None,
        focus_gold=focused.true_positives + focused.false_negatives,
    )


def _check(references: list[CodedNote], answers: dict[str, CodedNote]) -> None:
    texts = {note.id: note.text for note in references}
    strangers = sorted(set(answers) - set(texts))
    changed = sorted(i for i, answer in answers.items() if texts.get(i, answer.text) != answer.text)
    problems = []
    if strangers:
        problems.append(
            f"predictions (ids = {_some(strangers)}): the gold does not hold these notes."
            " Score them against the gold they were made for."
        )
    if changed:
        problems.append(
            f"predictions (ids = {_some(changed)}): the text differs from the gold's, so offsets"
            " cannot be compared. Code the gold's own notes."
        )
    if problems:
        raise CclearnError("\n".join(problems))


def _some(identifiers: list[str]) -> str:
    shown = ", ".join(identifiers[:5])
    return f"{shown}, … {len(identifiers)} in all" if len(identifiers) > 5 else shown


def _codes(note: CodedNote) -> set[str]:
    return {assigned.code for assigned in note.codes}


def _spans(note: CodedNote) -> set[tuple[int, int, str]]:
    return {
        (evidence.start, evidence.end, assigned.code)
        for assigned in note.codes
        for evidence in assigned.evidence
    }
