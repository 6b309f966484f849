from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.engines import Answer
from data_builders.rare_codes.answers import read_answer, split_answer
from data_builders.rare_codes.style import StyleNote

CODES = ("I50.22", "I10")
NOTE = "Chronic systolic heart failure with\nEF 25 %. No pneumonia. HTN, on lisinopril."
LINES = "- Chronic systolic heart failure => I50.22\n- HTN => I10"


@pytest.mark.parametrize(
    "answer",
    [
        f"{NOTE}\n\nEvidence:\n{LINES}",
        f"**Note:**\n{NOTE}\n**Evidence:**\n\n{LINES}\n",
        f"```text\n{NOTE}\n```\n## Evidence:\n{LINES}",
        f"{NOTE}\n{LINES}",
        f"{NOTE}\n\n{LINES}\n\n",
    ],
)
def test_a_note_and_its_evidence_are_separated(answer: str) -> None:
    note, lines = split_answer(answer)
    assert note == NOTE
    assert [line for line in lines.split("\n") if line] == LINES.split("\n")


def test_items_of_the_note_stay_in_the_note() -> None:
    note, lines = split_answer("- HTN\n- aspirin => held\nSeen again.\n- HTN => I10")
    assert (note, lines) == ("- HTN\n- aspirin => held\nSeen again.", "- HTN => I10")
    assert split_answer("Evidence:\n- HTN => I10") == ("", "- HTN => I10")


def test_mentions_are_grounded(system: CodeSystem) -> None:
    lines = f"{LINES}\n- heart failure with EF 25 % => i5022\n- EF => N18.31\n- unreadable"
    read = read_answer(Answer("a", f"{NOTE}\nEvidence:\n{lines}"), CODES, None, system)
    assert (read.problem, read.text) == ("", NOTE)
    assert {c: [NOTE[s:e] for s, e in spans] for c, spans in read.spans.items()} == {
        "I50.22": ["Chronic systolic heart failure", "heart failure with\nEF 25 %"],
        "I10": ["HTN"],
    }
    assert read.others == {"N18.31"}


SORRY = "I am sorry, but I cannot write clinical notes."
SHOWN = StyleNote("word " + " ".join(f"seen on day {n} of" for n in range(20)), "synthetic")


@pytest.mark.parametrize(
    ("answer", "problem", "detail"),
    [
        (Answer("a", "", problem="connection"), "the model gave no answer", "connection"),
        (Answer("a", "", problem="refusal"), "the model refused", "refusal"),
        (Answer("a", " \n"), "the answer is empty", ""),
        (Answer("a", SORRY), "the answer has no note with lines of evidence", ""),
        (Answer("a", LINES), "the answer has no note with lines of evidence", ""),
        (Answer("a", NOTE, complete=False), "the answer was cut off", ""),
        (
            Answer("a", f"{NOTE}\n{LINES}", complete=False),
            "the answer was cut off",
            "I10",
        ),
        (Answer("a", f"{NOTE}\n- HTN => I10"), "a code has no mention", "I50.22"),
        (
            Answer("a", f"{NOTE}\n- EF of 25 => I50.22\n- high pressure => I10"),
            "a quote is not in the note",
            "I50.22, I10",
        ),
        # What is denied, contradicts the title or is hardly a word is no mention.
        (
            Answer("a", "No HTN. Acute systolic heart failure.\n- HTN => I10\n- Acute => I50.22"),
            "a code has no mention",
            "I50.22, I10",
        ),
        (
            Answer("a", f"{NOTE} (I10).\n{LINES}"),
            "the note contains a code",
            "I10",
        ),
        (
            Answer("a", f"{NOTE} {SHOWN.text}\nEvidence:\n{LINES}"),
            "the note copies the note for style",
            "",
        ),
    ],
)
def test_answers_that_cannot_be_used(
    answer: Answer, problem: str, detail: str, system: CodeSystem
) -> None:
    read = read_answer(answer, CODES, SHOWN, system)
    assert (read.problem, read.detail) == (problem, detail)
    assert read.final == (problem == "the model gave no answer")


def test_numbers_are_no_codes(system: CodeSystem) -> None:
    note = f"{NOTE} Sodium 10.1. I10x."
    assert not read_answer(Answer("a", f"{note}\n{LINES}"), CODES, None, system).problem
