from __future__ import annotations

import pytest
from pydantic import ValidationError

from cclearn.notes import AssignedCode, CodedNote, Evidence, Note, SpanPair

SECRET = "Jane Doe has sepsis"


def coded(*pieces: tuple[int, int, str], text: str = SECRET) -> CodedNote:
    evidence = [Evidence(start=start, end=end, text=quote) for start, end, quote in pieces]
    return CodedNote(id="n", text=text, codes=[AssignedCode(code="A41.9", evidence=evidence)])


def test_evidence_must_be_the_words_of_the_note() -> None:
    assert coded((13, 19, "sepsis")).codes[0].evidence[0].text == "sepsis"
    for piece in [(13, 18, "sepsis"), (0, 6, "sepsis"), (13, 19, "Sepsis"), (40, 46, "sepsis")]:
        with pytest.raises(ValidationError, match="the quote is not in the note"):
            coded(piece)


def test_offsets_end_inside_the_note_and_no_evidence_occurs_twice() -> None:
    with pytest.raises(ValidationError, match="the quote is not in the note"):
        coded((13, 99, "sepsis"))
    with pytest.raises(ValidationError, match="one piece of evidence occurs twice"):
        coded((13, 19, "sepsis"), (13, 19, "sepsis"))


def test_messages_never_quote_the_note() -> None:
    with pytest.raises(ValidationError) as error:
        coded((0, 6, "sepsis"))
    assert "Jane" not in str(error.value)
    with pytest.raises(ValidationError) as error:
        Note.model_validate({"id": "n", "text": SECRET, "origin": SECRET})
    assert "Jane" not in str(error.value)


def test_a_code_occurs_once() -> None:
    twice = [AssignedCode(code="A41.9"), AssignedCode(code="A41.9")]
    with pytest.raises(ValidationError, match=r"A41\.9 occurs twice"):
        CodedNote(id="n", text="x", codes=twice)
    other = AssignedCode(code="A41.9", system="user")
    assert len(CodedNote(id="n", text="x", codes=[twice[0], other]).codes) == 2


def test_rejected_codes_are_validated_with_the_others() -> None:
    code = AssignedCode(code="A41.9")
    with pytest.raises(ValidationError, match=r"rejected\.0: A41\.9 occurs twice"):
        CodedNote(id="n", text="x", codes=[code], rejected=[code])
    evidence = Evidence(start=0, end=1, text="y")
    strange = AssignedCode(code="A41.9", evidence=[evidence])
    with pytest.raises(
        ValidationError, match=r"rejected\.0\.evidence\.0: the quote is not in the note"
    ):
        CodedNote(id="n", text="x", rejected=[strange])


def test_a_note_is_restricted_by_default() -> None:
    assert Note(id="n", text="").origin == "restricted"
    pair = SpanPair(id="p", text="x", code="A41.9", release="r", grade="gold", source="s")
    assert pair.origin == "public"
