from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.evaluation.metrics.evidence import match_class
from cclearn.notes import AssignedCode, CodedNote, Evidence
from tests.evaluation.notes import TEXT, note, scored

spans = st.tuples(st.integers(0, len(TEXT) - 2), st.integers(1, 20)).map(
    lambda pair: (pair[0], min(len(TEXT), pair[0] + pair[1]))
)
cited = st.dictionaries(
    st.sampled_from(["I21.4", "I25.2", "R07.9"]),
    st.lists(spans, max_size=3, unique=True),
    max_size=3,
)
Rows = list[tuple[dict[str, list[tuple[int, int]]], dict[str, list[tuple[int, int]]]]]


def f1(gold: list[object], predicted: list[object]) -> float:
    hits = sum(item in predicted for item in gold)
    return 2 * hits / (len(gold) + len(predicted)) if gold or predicted else 0.0


@settings(deadline=None, max_examples=80)
@given(st.lists(st.tuples(cited, cited), min_size=1, max_size=4))
def test_mdaces_four_agree_with_a_plain_count(system: CodeSystem, rows: Rows) -> None:
    gold = [note(str(n), g) for n, (g, _) in enumerate(rows)]
    ours = scored(gold, [note(str(n), p) for n, (_, p) in enumerate(rows)], system)
    lists: dict[str, tuple[list[object], list[object]]] = {
        name: ([], []) for name in ("span", "span_anywhere", "token", "token_anywhere")
    }
    for number, pair in enumerate(rows):
        for side, codes in enumerate(pair):
            for code, pieces in codes.items():
                for start, end in pieces:
                    found: dict[str, list[object]] = {
                        "span": [(number, start, end, code)],
                        "span_anywhere": [(number, TEXT[start:end].lower(), code)],
                        "token": [],
                        "token_anywhere": [],
                    }
                    for match in re.finditer(r"\w+", TEXT[start:end]):
                        word = match[0].lower()
                        if word.isdigit() and int(word) > 10:
                            continue
                        found["token"].append((number, start + match.start(), word, code))
                        found["token_anywhere"].append((number, word, code))
                    for name, items in found.items():
                        lists[name][side].extend(i for i in items if i not in lists[name][side])
    if not lists["span"][0]:  # Without evidence in the gold there is nothing to score against.
        assert ours.value("evidence_span_f1") is None
        return
    for name, (right, guessed) in lists.items():
        assert ours.value(f"evidence_{name}_f1") == pytest.approx(f1(right, guessed), abs=1e-9)


def test_a_fixture_counted_by_hand(system: CodeSystem) -> None:
    assert (TEXT[4:6], TEXT[12:22], TEXT[24:32]) == ("MI", "chest pain", "12 hours")
    gold = [note("1", {"I25.2": [(4, 6)], "R07.9": [(12, 22)], "I10": []})]
    predicted = [
        note("1", {"I25.2": [(0, 6)], "R07.9": [(12, 32)], "I21.4": [(4, 6)], "E11.9": []})
    ]
    ours = scored(gold, predicted, system)
    assert ours.value("evidence_span_f1") == 0.0
    # Tokens: gold mi, chest, pain; predicted old mi, chest pain hours (12 is above 10), mi of I21.4.
    assert ours.value("evidence_token_precision") == pytest.approx(3 / 6)
    assert ours.value("evidence_token_recall") == 1.0
    assert ours.value("evidence_iou") == pytest.approx((2 / 6 + 10 / 20) / 2)
    assert ours.value("evidence_overlap_recall") == 1.0
    assert ours.value("evidence_empty") == 0.25
    # Both are met and near: proximate.
    assert ours.value("evidence_class_proximate") == 1.0
    # CodiEsp-X: gold inside the prediction, at most ten characters more on each side.
    assert ours.value("codiesp_x_precision") == pytest.approx(2 / 3)
    assert ours.value("codiesp_x_recall") == 1.0


@pytest.mark.parametrize(
    ("gold", "predicted", "expected"),
    [
        ({3, 4}, set(), "empty"),
        ({3, 4}, {4, 3}, "exact"),
        ({3, 4}, {4}, "proximate"),
        ({3, 4}, {4, 14}, "proximate"),
        ({3, 4}, {4, 15}, "partial"),
        ({3, 4, 20}, {4, 5}, "partial"),
        ({3, 4}, {5}, "none"),
    ],
)
def test_match_classes(gold: set[int], predicted: set[int], expected: str) -> None:
    assert match_class(gold, predicted) == expected


@pytest.mark.parametrize(
    ("gold", "predicted", "hits"),
    [
        ((12, 22), (12, 22), 1),
        ((12, 22), (2, 32), 1),
        ((12, 22), (1, 22), 0),
        ((12, 22), (12, 33), 0),
        ((12, 22), (13, 22), 0),
    ],
)
def test_codiesp_x_is_the_official_scripts(
    system: CodeSystem, gold: tuple[int, int], predicted: tuple[int, int], hits: int
) -> None:
    ours = scored([note("1", {"R07.9": [gold]})], [note("1", {"R07.9": [predicted]})], system)
    assert ours.value("codiesp_x_f1") == hits


@pytest.mark.parametrize("text", ["²", "9" * 5_000, "٣", "10 ² 11"])
def test_no_number_stops_the_scoring(system: CodeSystem, text: str) -> None:
    evidence = Evidence(start=0, end=len(text), text=text)
    codes = [AssignedCode(code="I10", evidence=[evidence])]
    notes = [CodedNote(id="1", text=text, codes=codes)]
    assert scored(notes, notes, system).value("evidence_span_f1") == 1.0


def test_several_references_of_a_code_count_once(system: CodeSystem) -> None:
    gold: list[CodedNote] = [note("1", {"I25.2": [(4, 6), (53, 55)]})]
    ours = scored(gold, [note("1", {"I25.2": [(53, 55)]})], system)
    assert ours.value("codiesp_x_recall") == 1.0
    assert ours.value("evidence_overlap_recall") == 0.5
