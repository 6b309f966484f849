from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from cclearn.notes import SpanPair
from cclearn.prompts import Template, parse_answer
from cclearn.prompts.layout import NOTHING
from cclearn.rows import TrainingRow, join_spans, span_row
from cclearn.rows.encode import encode_rows
from cclearn.training.scratch import make_tokenizer


def some_rows(template: Template = "paired", count: int = 10) -> list[TrainingRow]:
    return [
        span_row(
            SpanPair(
                id=f"p{n}", text=f"heart failure {n}", code="I50.9", grade="gold", source="test"
            ),
            lambda code: f"Description of {code}",
            template,
        )
        for n in range(count)
    ]


@pytest.mark.parametrize("template", ["paired", "listed"])
def test_each_span_has_a_line_of_the_answer(template: Template) -> None:
    rows = some_rows(template)
    joined = join_spans(rows, 4, seed=0)
    assert [row.completion.count("heart failure") for row in joined] == [4, 4, 2]
    found: Counter[str] = Counter()
    for row in joined:
        parsed = parse_answer(row.completion, True)
        asked = [
            line.removeprefix("Evidence: ")
            for line in row.prompt[0]["content"].splitlines()
            if line.startswith("Evidence: ")
        ]
        assert [line.quote for line in parsed.lines] == asked
        assert row.completion.count("I50.9 Description of I50.9") == len(asked)
        assert row.id.count("+") == len(asked) - 1
        found.update(asked)
    assert found == Counter(row.text for row in rows)


def test_rows_are_joined_at_random_and_always_in_the_same_way() -> None:
    rows = some_rows()
    assert join_spans(rows, 1, seed=0) == rows
    assert join_spans(rows, 4, seed=0) == join_spans(rows, 4, seed=0)
    assert join_spans(rows, 4, seed=0) != join_spans(rows, 4, seed=1)
    (single,) = join_spans(rows[:1], 4, seed=0)
    assert single == rows[0]


def test_spans_without_a_code_and_of_other_grades_stay_apart() -> None:
    plain, silver = some_rows(count=3), some_rows(count=3)
    silver = [
        TrainingRow(f"s{n}", "span", row.prompt, row.completion, "silver", row.code, row.text)
        for n, row in enumerate(silver)
    ]
    joined = join_spans([*plain, *silver], 8, seed=0)
    assert sorted((row.grade or "", row.completion.count("=>")) for row in joined) == [
        ("gold", 3),
        ("silver", 3),
    ]


def test_spans_of_other_origins_stay_apart() -> None:
    rows = some_rows(count=12)
    rows[5] = replace(rows[5], origin="restricted")
    joined = join_spans(rows, 4, seed=0)
    assert [row.id for row in joined if row.origin == "restricted"] == [rows[5].id]


def test_a_single_span_does_not_tell_its_answer() -> None:
    rows = some_rows(count=20)
    none = [
        TrainingRow(f"none{n}", "span", rows[0].prompt, NOTHING, text=f"pain {n}") for n in range(4)
    ]
    joined = join_spans([*rows, *none], 4, seed=0)
    assert Counter(row.completion.count("=>") for row in joined) == {0: 4, 1: 4, 4: 4}
    # There are not enough spans with a code.
    few = join_spans([*rows[:2], *none], 4, seed=0)
    assert Counter(row.completion.count("=>") for row in few) == {0: 4, 1: 2}


def test_joined_rows_have_fewer_tokens() -> None:
    rows = some_rows(count=40)
    tokenizer = make_tokenizer(rows, 500)
    sizes = []
    for number in (1, 8):
        encoded, _ = encode_rows(join_spans(rows, number, seed=0), tokenizer, 2_000)
        sizes.append(sum(len(row.input_ids) for row in encoded))
    assert sizes[1] < sizes[0]
