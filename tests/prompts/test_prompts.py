from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.prompts import (
    Template,
    document_answer,
    document_prompt,
    parse_answer,
    prompt_hash,
    span_answer,
    span_prompt,
)
from cclearn.prompts.grammar import codes_regex, document_grammar
from cclearn.prompts.templates import answer_lines

codes = st.from_regex(r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?", fullmatch=True)
line_text = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp", "Zs"]), min_size=1)


def note(text: str, *cited: tuple[int, int, str]) -> CodedNote:
    by_code: dict[str, list[Evidence]] = {}
    for start, end, code in cited:
        piece = Evidence(start=start, end=end, text=text[start:end])
        by_code.setdefault(code, []).append(piece)
    assigned = [AssignedCode(code=code, evidence=pieces) for code, pieces in by_code.items()]
    return CodedNote(id="n", text=text, codes=assigned)


def test_an_answer_lists_the_evidence_in_order_of_mention() -> None:
    coded = note(
        "sepsis, fever\nagain, sepsis", (8, 19, "R50.9"), (0, 6, "A41.9"), (21, 27, "A41.9")
    )
    assert document_answer(coded) == (
        "- sepsis => A41.9\n- fever again => R50.9\n- sepsis => A41.9"
    )
    assert document_answer(coded, "listed") == (
        "Evidence:\n- sepsis\n- fever again\n- sepsis\nCodes:\n- A41.9\n- R50.9\n- A41.9"
    )
    bare = coded.codes[0].model_copy(update={"code": "I10", "evidence": []})
    coded = coded.model_copy(update={"codes": [bare, *coded.codes]})
    assert document_answer(coded, "codes") == "Codes:\n- A41.9\n- R50.9\n- I10"
    assert {document_answer(note("well"), t) for t in ("paired", "listed", "codes")} == {"none"}


def test_a_span_row_has_the_form_of_a_document_line() -> None:
    answer = span_answer("heart\nattack", "I21.9", "Acute myocardial infarction, unspecified")
    assert answer == "- heart attack => I21.9 Acute myocardial infarction, unspecified"
    assert span_answer("x", "I21.9") == "- x => I21.9"
    (line,) = parse_answer(answer).lines
    assert (line.quote, line.code) == ("heart attack", "I21.9")
    answer = span_answer("heart\nattack", "I21.9", "Acute myocardial infarction", "listed")
    assert answer == "Evidence:\n- heart attack\nCodes:\n- I21.9 Acute myocardial infarction"
    (line,) = parse_answer(answer).lines
    assert (line.quote, line.code) == ("heart attack", "I21.9")
    assert answer[line.code_start : line.code_end] == "I21.9"
    answer = span_answer("heart attack", "I21.9", "Acute myocardial infarction", "codes")
    assert answer == "Codes:\n- I21.9 Acute myocardial infarction"
    (line,) = parse_answer(answer).lines
    assert (line.quote, line.code) == ("", "I21.9")
    assert answer[line.code_start : line.code_end] == "I21.9"


def test_prompts_end_with_the_untouched_text() -> None:
    text = "a\r\n b\t"
    for prompt in (document_prompt(text), span_prompt(text)):
        assert [message["role"] for message in prompt] == ["user"]
        assert prompt[0]["content"].endswith(text)
    assert re.fullmatch(r"[0-9a-f]{64}", prompt_hash("icd10cm"))
    assert prompt_hash("icd10cm") != prompt_hash("operations")
    assert prompt_hash("icd10cm") != prompt_hash("icd10cm", "listed")


def test_prompts_name_the_code_system() -> None:
    for ask in (document_prompt, span_prompt):
        assert " ICD-10-CM code" in ask("x")[0]["content"]
        assert " ICD-9-CM code" in ask("x", "icd9cm")[0]["content"]
        assert " operations code" in ask("x", "operations")[0]["content"]


@pytest.mark.parametrize("template", ["paired", "listed"])
@given(st.lists(st.tuples(line_text | st.sampled_from(["Codes:", "none"]), codes), max_size=5))
def test_a_rendered_answer_is_parsed_to_the_same_lines(
    template: Template, cited: list[tuple[str, str]]
) -> None:
    cited = [(quote, code) for quote, code in cited if quote.strip("- ") == quote]
    answer = answer_lines(cited, template)
    parsed = parse_answer(answer)
    assert [(line.quote, line.code) for line in parsed.lines] == cited
    assert parsed.unreadable == 0
    assert all(answer[line.code_start : line.code_end] == line.code for line in parsed.lines)
    assert all(answer[line.quote_start : line.quote_end] == line.quote for line in parsed.lines)


@given(st.text())
def test_any_answer_can_be_read(answer: str) -> None:
    parsed = parse_answer(answer)
    assert len(parsed.lines) + parsed.unreadable <= answer.count("\n") + 1
    assert all(line.code for line in parsed.lines)
    if not answer.lstrip().startswith("Evidence:"):
        assert all(line.quote for line in parsed.lines)


@pytest.mark.parametrize(
    ("answer", "quotes", "unreadable"),
    [
        ("none", [], 0),
        ("None.", [], 0),
        ("", [], 0),
        ("- a => b => I10", ["a => b"], 0),
        ("a => I10", ["a"], 0),
        ("I think it is sepsis", [], 1),
        ("- a => ", [], 1),
        ("- => I10", [], 1),
        ("-  => I10", [], 1),
        ("\n- a => I10\n\n", ["a"], 0),
        ("Evidence:\n- a\n- b\nCodes:\n- I10\n- I11", ["a", "b"], 0),
        ("Evidence:\na\n\nCodes:\nI10 Hypertension", ["a"], 0),
        ("Evidence:\n- a\nCodes:\n- I10\n- I11", ["a", ""], 0),
        ("Evidence:\n- a\n- b\nCodes:\n- I10", ["a"], 1),
        ("Evidence:\n- a\nCodes:\n-", [], 1),
        ("Evidence:\n- a", [], 1),
    ],
)
def test_other_forms(answer: str, quotes: list[str], unreadable: int) -> None:
    parsed = parse_answer(answer)
    assert [line.quote for line in parsed.lines] == quotes
    assert parsed.unreadable == unreadable


def test_the_last_line_of_a_cut_answer_is_not_read() -> None:
    parsed = parse_answer("- a => I10\n- b => I21.", complete=False)
    assert [line.code for line in parsed.lines] == ["I10"]
    assert parse_answer("- a => I1", complete=False).lines == []
    cut = parse_answer("Evidence:\n- a\n- b\nCodes:\n- I10\n- I1", complete=False)
    assert ([line.code for line in cut.lines], cut.unreadable) == (["I10"], 0)


@given(st.sets(codes, min_size=1, max_size=40))
def test_the_pattern_matches_these_codes_and_no_other(known: set[str]) -> None:
    pattern = re.compile(codes_regex(known))
    assert all(pattern.fullmatch(code) for code in known)
    for code in known:
        for other in (code[:-1], code + "0", code[:-1] + "Z", "", "I10"):
            assert bool(pattern.fullmatch(other)) == (other in known)


def test_the_pattern_of_a_release_is_exact(system: CodeSystem) -> None:
    pattern = re.compile(codes_regex(system.billable_codes()))
    for code in system.rows():
        assert bool(pattern.fullmatch(code.code)) == code.billable


def test_an_empty_note_has_one_answer() -> None:
    assert document_grammar("", "I10") == document_grammar(" \n\u00a0", "I10")
    assert document_grammar("", "I10") == '%llguidance {}\nstart: "none"'
