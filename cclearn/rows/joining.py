"""Joining several span rows under one instruction."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace

from cclearn.prompts import answer_lines, span_prompt
from cclearn.prompts.layout import BETWEEN, LINE_START
from cclearn.rows.build import TrainingRow


def join_spans(rows: Sequence[TrainingRow], number: int, seed: int) -> list[TrainingRow]:
    """Join span rows at random, so that several spans share one instruction.

    Most tokens of a span row are its instruction. The answer of a joined row has one line for each
    span, in their order. Only rows of one grade and one origin are joined. A span without a code stays
    alone, because its answer is `none` instead of a line. As many spans with a code stay alone too, if
    there are so many: otherwise a model would learn that the answer to a single span is `none`.

    Args:
        rows: Span rows of one source.
        number: Largest number of spans in a row.
        seed: Seed of the random order.

    Returns:
        The rows, each span in one of them. All of them are in random order, unless `number` is 1.
    """
    if number == 1:
        return list(rows)
    shuffled = list(rows)
    random.Random(seed).shuffle(shuffled)  # noqa: S311 - reproducible, not secret
    joined: list[TrainingRow] = []
    waiting: dict[tuple[str | None, str], list[TrainingRow]] = {}
    alone = sum(not row.code for row in shuffled)
    for row in shuffled:
        if not row.code:
            joined.append(row)
            continue
        if alone:
            alone -= 1
            joined.append(row)
            continue
        key = row.grade, row.origin
        group = waiting.setdefault(key, [])
        group.append(row)
        if len(group) == number:
            joined.append(_joined(waiting.pop(key)))
    return joined + [_joined(group) for group in waiting.values()]


def _joined(group: Sequence[TrainingRow]) -> TrainingRow:
    first = group[0]
    if len(group) == 1:
        return first
    texts = [row.text for row in group]
    # The code and its description are the end of the last line.
    answers = [row.completion.rpartition(_before_code(row))[2] for row in group]
    return replace(
        first,
        id="+".join(row.id for row in group),
        prompt=tuple(span_prompt("\nEvidence: ".join(texts), first.system, first.template)),
        completion=answer_lines(zip(texts, answers, strict=True), first.template),
    )


def _before_code(row: TrainingRow) -> str:
    return BETWEEN if row.template == "paired" else f"\n{LINE_START}"
