from __future__ import annotations

import pytest
from tokenizers.processors import TemplateProcessing

from cclearn.errors import ConfigurationError
from cclearn.notes import AssignedCode, CodedNote, SpanPair
from cclearn.rows import TrainingRow, document_row, span_row
from cclearn.rows.labelled import (
    cut_tokens,
    encode_labelled_rows,
    encode_plain,
    encode_with_offsets,
)
from cclearn.training.scratch import END, PAD, train_tokenizer

TEXT = "Chief complaint: chest pain. Plan: 20 mg."
TOKENIZER = train_tokenizer([TEXT], 400, [PAD, END])
LABELS = {"I21.4", "I10"}


def note(*codes: str, identifier: str = "n", text: str = TEXT) -> TrainingRow:
    assigned = [AssignedCode(code=code) for code in codes]
    return document_row(CodedNote(id=identifier, text=text, codes=assigned), cited=False)


def span(code: str) -> TrainingRow:
    pair = SpanPair(id="s", text="chest pain", code=code, release="x", grade="gold", source="test")
    return span_row(pair)


def test_rows_have_the_tokens_of_their_texts_and_their_codes() -> None:
    rows, reports = encode_labelled_rows(
        [note("I21.4", "I10"), span("I10")], TOKENIZER, 100, "raise", LABELS
    )
    assert [row.codes for row in rows] == [("I21.4", "I10"), ("I10",)]
    assert TOKENIZER.decode(rows[0].input_ids) == TEXT
    assert TOKENIZER.decode(rows[1].input_ids) == "chest pain"
    assert {key: report.rows for key, report in reports.items()} == {
        ("document", None): 1,
        ("span", "gold"): 1,
    }


def test_codes_that_are_no_labels_are_left_out_and_counted() -> None:
    rows, reports = encode_labelled_rows(
        [note("I21.4", "J18.9"), note("J18.9", identifier="other"), note(identifier="none")],
        TOKENIZER,
        100,
        "raise",
        LABELS,
    )
    assert [(row.id, row.codes) for row in rows] == [("n", ("I21.4",)), ("none", ())]
    assert reports["document", None].unlabelled == ["other"]
    assert reports["document", None].as_dict()["unlabelled"] == ["other"]


def test_long_notes_are_refused_dropped_or_cut() -> None:
    rows = [note("I10", identifier="long", text=TEXT * 20), note("I10", identifier="short")]
    with pytest.raises(ConfigurationError, match=r"1 rows are longer .* to drop or cut"):
        encode_labelled_rows(rows, TOKENIZER, 50, "raise", LABELS)
    kept, reports = encode_labelled_rows(rows, TOKENIZER, 50, "drop", LABELS)
    assert [row.id for row in kept] == ["short"]
    assert reports["document", None].dropped == ["long"]
    kept, reports = encode_labelled_rows(rows, TOKENIZER, 50, "cut", LABELS)
    assert [len(row.input_ids) for row in kept if row.id == "long"] == [50]
    assert reports["document", None].cut == ["long"]


def test_a_special_token_at_the_end_stays() -> None:
    end = TOKENIZER.eos_token_id
    assert cut_tokens(TOKENIZER, [5, 6, 7, 8, end], 3) == [5, 6, end]
    assert cut_tokens(TOKENIZER, [5, 6, 7, 8], 3) == [5, 6, 7]


def test_the_text_of_a_special_token_is_encoded_as_any_other() -> None:
    (tokens,) = encode_plain(TOKENIZER, [f"pain {END} plan"])
    assert TOKENIZER.eos_token_id not in tokens
    assert TOKENIZER.decode(tokens) == f"pain {END} plan"


def test_a_text_of_which_only_special_tokens_are_left_has_no_tokens() -> None:
    tokenizer = train_tokenizer([TEXT], 400, [PAD, END])
    end = (END, tokenizer.eos_token_id)
    template = TemplateProcessing(single=f"{END} $A {END}", special_tokens=[end])
    tokenizer.backend_tokenizer.post_processor = template
    assert encode_with_offsets(tokenizer, "", 9) == ([], [])
    tokens, offsets = encode_with_offsets(tokenizer, "pain", 9)
    assert tokens[0] == tokens[-1] == tokenizer.eos_token_id
    assert offsets[-2][1] == len("pain")


def test_offsets_are_those_of_the_kept_tokens() -> None:
    text = "Schmerz 🙂 naïve\r\npain"
    tokens, offsets = encode_with_offsets(TOKENIZER, text, 1_000)
    assert len(tokens) == len(offsets)
    assert max(end for _, end in offsets) == len(text)
    cut, some = encode_with_offsets(TOKENIZER, text, 5)
    assert cut == tokens[:5]
    assert some == offsets[:5]
