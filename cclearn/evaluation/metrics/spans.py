"""Scores of span to code: how often the first codes are right, by grade and by seen and unseen codes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cclearn.codes import CodeSystem
from cclearn.errors import CclearnError
from cclearn.evaluation.bootstrap import score_tables
from cclearn.evaluation.evaluate import Comparison, Evaluation, Settings
from cclearn.evaluation.metrics.codes import category_of
from cclearn.evaluation.metrics.tables import RatioTable
from cclearn.notes import SpanPair

CUTOFFS = (3, 5, 10)
"""The k of `top_k`."""


def evaluate_spans(
    gold: Sequence[SpanPair],
    predicted: Mapping[str, Sequence[Sequence[str]]],
    system: CodeSystem,
    settings: Settings | None = None,
) -> Comparison:
    """Score the codes that systems give evidence spans.

    `accuracy` is the share of spans whose first code is right, `top_k` of those with the right one
    among the first k, `category_accuracy` of those whose first code is of the right category;
    `answered` of those with any code. `grade/GRADE/accuracy` and `seen/accuracy`, `unseen/accuracy` are
    over a part of the spans.

    Args:
        gold: The spans and their codes.
        predicted: By system, the codes of each span in the gold's order, the best first.
        system: The code system.
        settings: `training` says which codes are seen.

    Raises:
        CclearnError: There are no spans, or a system has another number of answers.
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
    scores, differences = score_tables(
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
    every = np.ones(len(gold))
    table.add("accuracy", first, every)
    for k in CUTOFFS:
        table.add(f"top_{k}", [float(code in answer[:k]) for code, answer in found], every)
    category = [
        float(bool(answer) and category_of(system, answer[0]) == category_of(system, code))
        for code, answer in found
    ]
    table.add("category_accuracy", category, every)
    table.add("answered", [float(bool(answer)) for answer in answers], every)
    groups = {
        f"grade/{grade}": [pair.grade == grade for pair in gold]
        for grade in sorted({pair.grade for pair in gold})
    }
    if settings.training is not None:
        seen = [settings.training.get(code, 0) > 0 for code in codes]
        groups |= {"seen": seen, "unseen": [not each for each in seen]}
    for name, members in groups.items():
        inside = np.array(members, float)
        table.add(f"{name}/accuracy", first * inside, inside)
    return table
