from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes.strings import string_key
from cclearn.notes import AssignedCode, CodedNote, Evidence
from cclearn.rows import Negatives, document_row, encode_rows, note_span_rows
from cclearn.training.scratch import make_tokenizer
from tests.models import rows as some_rows
from tests.rows.test_windows import note_of

Span = tuple[int, int]


def nothing(text: str) -> list[Span]:
    return []


def words(text: str) -> list[Span]:
    return [match.span() for match in re.finditer(r"\w+", text)]


@given(
    text=st.text(st.sampled_from("ab1 .\r\n🚑é"), min_size=1, max_size=80),
    starts=st.lists(st.tuples(st.integers(0, 79), st.integers(1, 12)), min_size=1, max_size=4),
    most=st.integers(0, 6),
    seed=st.integers(0, 3),
    guessed=st.booleans(),
)
def test_negatives_are_not_evidence(
    text: str, starts: list[Span], most: int, seed: int, guessed: bool
) -> None:
    cited = sorted({(a, min(a + n, len(text))) for a, n in starts if a < len(text)})
    note = note_of(text, cited)
    # Mentions of any kind, some of which overlap the evidence or cut a word.
    mentions = (lambda t: [(n, n + 2) for n in range(len(t) - 1)]) if guessed else nothing
    coded = {string_key(text[a:b]) for a, b in cited}
    negatives = Negatives([note], most, mentions, coded, seed)
    found = negatives.sample(note)
    assert found == negatives.sample(note)
    assert len(found) <= most
    assert not any(a < d and c < b for a, b in found for c, d in cited)
    assert all(before[1] <= after[0] for before, after in pairwise(found))
    strings = [string_key(text[a:b]) for a, b in found]
    assert len(set(strings)) == len(strings)
    assert not coded.intersection(strings)
    borders = {border for span in words(text) for border in span}
    assert all(a in borders and b in borders for a, b in found)


LONG = "He was seen by the nurse in the morning and then walked with her to the ward. " * 12
NOTE = CodedNote(
    id="n",
    text=f"Denies chest pain. Acute heart\nfailure. Gout. {LONG}",
    codes=[
        AssignedCode(
            code="I50.9", evidence=[Evidence(start=19, end=38, text="Acute heart\nfailure")]
        ),
        AssignedCode(code="M10.9", evidence=[Evidence(start=40, end=44, text="Gout")]),
    ],
)


def test_words_that_look_like_evidence_come_first() -> None:
    def mentions(text: str) -> list[Span]:
        return [(7, 17), (25, 38), (40, 44)]

    def strings(most: int, coded: set[str]) -> list[str]:
        spans = Negatives([NOTE], most, mentions, coded).sample(NOTE)
        return [NOTE.text[start:end] for start, end in spans]

    assert strings(1, set()) == ["chest pain"]
    # Others are evidence; a string that has a code elsewhere is no negative.
    assert "chest pain" in strings(4, set())
    assert "chest pain" not in strings(4, {"chest pain"})
    assert len(strings(4, {"chest pain"})) == 4


def test_word_sequences_are_as_long_as_evidence() -> None:
    notes = [NOTE.model_copy(update={"id": f"n{number}"}) for number in range(200)]
    negatives = Negatives(notes, 4, nothing, set())
    lengths = Counter(
        len(words(note.text[start:end])) for note in notes for start, end in negatives.sample(note)
    )
    assert set(lengths) == {1, 3}
    assert lengths[3] == pytest.approx(lengths[1], rel=0.35)
    assert negatives.sample(notes[0]) != negatives.sample(notes[1])
    assert Negatives([note_of("a b", [])], 4, nothing, set()).sample(NOTE) == []


def test_a_note_makes_rows_of_its_evidence_and_of_other_words() -> None:
    row = document_row(NOTE.model_copy(update={"origin": "public"}), template="listed")
    rows = list(note_span_rows(row, [(7, 17)], lambda code: f"what {code} is"))
    assert [(row.id, row.text, row.code) for row in rows] == [
        ("n@19:38 I50.9", "Acute heart failure", "I50.9"),
        ("n@40:44 M10.9", "Gout", "M10.9"),
        ("n@7:17", "chest pain", ""),
    ]
    assert rows[0].completion.endswith("- I50.9 what I50.9 is")
    assert rows[2].completion == "none"
    assert rows[2].prompt[0]["content"].endswith("\n\nEvidence: chest pain")
    assert {(e.kind, e.note, e.template, e.origin) for e in rows} == {
        ("span", None, "listed", "public")
    }


def test_the_answer_to_a_negative_is_none() -> None:
    tokenizer = make_tokenizer(some_rows(), 500)
    (row,) = list(note_span_rows(document_row(NOTE), [(7, 17)]))[2:]
    ((encoded,), reports) = encode_rows([row], tokenizer, 512)
    learnt = [t for t, on in zip(encoded.input_ids, encoded.completion_mask, strict=True) if on]
    assert tokenizer.decode(learnt) == "none<|end|>"
    assert reports["span", None].supervised_tokens == len(learnt)
