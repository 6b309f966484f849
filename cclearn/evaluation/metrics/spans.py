"""Scores of the codes of spans: accuracy of the first codes, by grade and by seen and unseen codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.evaluation.bootstrap import score_systems
from cclearn.evaluation.evaluate import Comparison, Evaluation, Settings
from cclearn.evaluation.metrics.codes import category_of
from cclearn.evaluation.metrics.score_tables import RatioTable
from cclearn.notes import SpanPair

CUTOFFS = (3, 5, 10)
"""Values of k for `top_k`."""


def evaluate_spans(
    gold: Sequence[SpanPair],
    predicted: Mapping[str, Sequence[Sequence[str]]],
    system: CodeSystem,
    settings: Settings | None = None,
) -> Comparison:
    """Score the codes that systems assign to evidence spans.

    `accuracy` is the share of spans whose first code is correct, `top_k` the share of spans with the
    gold code among the first k, `category_accuracy` the share of spans whose first code has the category
    of the gold code, and `answered` the share of spans with a code. `grade/GRADE/accuracy`,
    `seen/accuracy` and `unseen/accuracy` are the accuracies on a part of the spans.

    Args:
        gold: Span pairs with the gold codes.
        predicted: Codes of each span, the best one first, by system. The spans are in the order of
            `gold`.
        system: The code system.
        settings: Settings of the evaluation. Its `training` defines the seen codes.

    Raises:
        CclearnError: There are no spans, or a system has a different number of predictions.
    """
    settings = settings or Settings()
    if not gold:
        raise CclearnError(
            "gold (spans = 0): there is nothing to score against. Name another file."
        )
    for name, answers in predicted.items():
        if len(answers) != len(gold):
            raise CclearnError(
                f"predictions (system = {name}): {len(answers)} for {len(gold)} spans. Answer each."
            )
    tables = {
        name: [_table(gold, answers, system, settings)] for name, answers in predicted.items()
    }
    scores, differences = score_systems(
        tables, len(gold), settings.draws, settings.seed, compare=True
    )
    evaluations = {
        name: Evaluation(
            notes=len(gold),
            missing=tuple(
                pair.id for pair, codes in zip(gold, predicted[name], strict=True) if not codes
            ),
            scores=scores[name],
            warnings=(),
        )
        for name in predicted
    }
    return Comparison(evaluations, differences, len({pair.code for pair in gold}))


def _table(
    gold: Sequence[SpanPair],
    answers: Sequence[Sequence[str]],
    system: CodeSystem,
    settings: Settings,
) -> RatioTable:
    table = RatioTable(len(gold))
    codes = [system.canonical(pair.code) for pair in gold]
    found = list(zip(codes, answers, strict=True))
    first = np.array([float(code in answer[:1]) for code, answer in found])
    ones = np.ones(len(gold))
    table.add("accuracy", first, ones)
    for k in CUTOFFS:
        table.add(f"top_{k}", [float(code in answer[:k]) for code, answer in found], ones)
    category = [
        float(bool(answer) and category_of(system, answer[0]) == category_of(system, code))
        for code, answer in found
    ]
    table.add("category_accuracy", category, ones)
    table.add("answered", [float(bool(answer)) for answer in answers], ones)
    groups = {
        f"grade/{grade}": [pair.grade == grade for pair in gold]
        for grade in sorted({pair.grade for pair in gold})
    }
    if settings.training is not None:
        seen = [settings.training.get(code, 0) > 0 for code in codes]
        groups |= {"seen": seen, "unseen": [not is_seen for is_seen in seen]}
    for name, members in groups.items():
        inside = np.array(members, float)
        table.add(f"{name}/accuracy", first * inside, inside)
    return table
