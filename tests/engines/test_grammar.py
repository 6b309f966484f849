"""The grammar itself, walked by llguidance: what it must allow and what it must not."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cclearn.engines import Request
from cclearn.engines.local import LocalEngine
from cclearn.notes.grounding import as_quote, ground
from cclearn.prompts import Template
from cclearn.prompts.grammar import document_grammar
from cclearn.prompts.templates import answer_lines

CODES = "I50\\.9|I10"
WORD = re.compile(r"\w+|[^\w\s]")

pieces = st.sampled_from(
    'chest pain . , ( ) => - İ e\u0301 👩‍⚕️ none 5% " \\ / { |'.split(" ")
    + [" "] * 6
    + ["\n", "\r\n", "\u00a0", "a b a b"]
)
notes = st.lists(pieces, max_size=25).map("".join)


def allows(engine: LocalEngine, text: str, answer: str, template: Template = "paired") -> bool:
    """Say whether a model could write this answer to this note, token by token, and then end."""
    matcher = engine._matcher(Request("n", [], document_grammar(text, CODES, template)))
    assert matcher is not None
    tokens = engine.tokenizer.encode(answer, add_special_tokens=False)
    for token in tokens:
        if matcher.is_stopped() or not matcher.consume_token(token):
            return False
    return bool(matcher.is_accepting())


@given(text=notes, data=st.data())
@settings(deadline=None)
def test_any_words_of_a_note_may_be_cited(
    random_engine: LocalEngine, text: str, data: st.DataObject
) -> None:
    words = list(WORD.finditer(text))
    if not words:
        assert allows(random_engine, text, "none")
        return
    cited = []
    for _ in range(data.draw(st.integers(1, 3))):
        first = data.draw(st.integers(0, len(words) - 1))
        last = data.draw(st.integers(first, len(words) - 1))
        quote = as_quote(text[words[first].start() : words[last].end()])
        cited.append((quote, "I50.9"))
        assert ground(text, [quote]) != [None]
    assert allows(random_engine, text, answer_lines(cited))
    assert allows(random_engine, text, answer_lines(cited, "listed"), "listed")


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ("- chest pain => I50.9", True),
        ("- pain => I10\n- chest => I50.9", True),
        ("none", True),
        ("- Severe => I10", True),
        ("- chest pain. => I10", True),
        ("- chest  pain => I10", False),
        ("- pain chest => I10", False),
        ("- ches => I10", False),
        ("- Chest pain => I10", False),
        ("- chest pain => I11", False),
        ("- chest pain => I10.0", False),
        ("-  => I10", False),
        ("- chest pain", False),
        ("- chest pain => I10\n", False),
        ("chest pain => I10", False),
        ("none\n- chest => I10", False),
        ("", False),
    ],
)
def test_what_an_answer_may_be(random_engine: LocalEngine, answer: str, allowed: bool) -> None:
    assert allows(random_engine, "Severe chest\n pain. No fever", answer) == allowed


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ("Evidence:\n- chest pain\nCodes:\n- I50.9", True),
        ("Evidence:\n- pain\n- chest\nCodes:\n- I50.9\n- I10", True),
        ("none", True),
        ("Evidence:\n- pain\n- chest\nCodes:\n- I50.9", False),
        ("Evidence:\n- pain\nCodes:\n- I50.9\n- I10", False),
        ("Evidence:\nCodes:", False),
        ("Evidence:\n- pains\nCodes:\n- I50.9", False),
        ("Evidence:\n- pain\nCodes:\n- I11", False),
        ("- pain => I10", False),
    ],
)
def test_lists_have_a_code_for_each_evidence(
    random_engine: LocalEngine, answer: str, allowed: bool
) -> None:
    assert allows(random_engine, "Severe chest\n pain. No fever", answer, "listed") == allowed


@pytest.mark.parametrize(
    ("answer", "allowed"),
    [
        ("Codes:\n- I50.9", True),
        ("Codes:\n- I50.9\n- I10", True),
        ("none", True),
        ("Codes:", False),
        ("Codes:\n- I11", False),
        ("- pain => I10", False),
        ("Evidence:\n- pain\nCodes:\n- I10", False),
    ],
)
def test_lists_of_codes_have_no_evidence(
    random_engine: LocalEngine, answer: str, allowed: bool
) -> None:
    assert allows(random_engine, "Severe chest\n pain. No fever", answer, "codes") == allowed
