from __future__ import annotations

import json
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.notes import SpanPair
from cclearn.notes.jsonl import read_rows, write_rows
from data_builders.builder import RejectedRow, configure, find_builder
from data_builders.output import BuildResult, build
from data_builders.synthetic.neighbours import contradicts


def pair(number: int, code: str, text: str, **fields: object) -> SpanPair:
    return SpanPair(id=f"p{number}", text=text, code=code, grade="gold", source="test", **fields)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Pairs of I50.21 (acute systolic heart failure), and none of its siblings."""
    strings = ["acute HFrEF", "acutely decompensated systolic CHF", "flash edema, EF 20%"]
    write_rows(
        tmp_path / "pairs.jsonl", [pair(n, "I50.21", text) for n, text in enumerate(strings)]
    )
    return tmp_path


def run(folder: Path, system: CodeSystem, answers: dict[str, str], **more: object) -> BuildResult:
    path = folder / "answers.jsonl"
    rows = [{"id": identifier, "answer": answer} for identifier, answer in answers.items()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    builder = find_builder("neighbours")
    settings = {"pairs": [str(folder / "pairs.jsonl")], "model": f"replay:{path}", **more}
    return build(builder, configure(builder, settings), folder / "out", system, overwrite=True)


def test_strings_are_inferred_from_those_of_a_neighbour(folder: Path, system: CodeSystem) -> None:
    answer = "\n".join(
        [
            "- chronic HFrEF, EF 25 %",
            "- chronic hfref EF 25%",  # nearly the same
            "- Chronic systolic (congestive) heart failure",  # the title
            "- acute HFrEF",  # a string of the neighbour
            "- acute decompensation",  # another course
            "- essential hypertension",  # another code
            "Here are some:",
            "- ?!",
            "- " + "chronic " * 20,
            "- longstanding low EF without oedema",  # a negation
        ]
    )
    result = run(folder, system, {"I50.22": answer}, under="I50.2")
    (built,) = read_rows(result.data, SpanPair)
    assert (built.text, built.code, built.neighbour) == (
        "chronic HFrEF, EF 25 %",
        "I50.22",
        "I50.21",
    )
    assert (built.grade, built.source, built.origin) == (
        "synthetic",
        "neighbours/inferred",
        "synthetic",
    )
    rejected = list(read_rows(folder / "out" / "rejected.jsonl", RejectedRow))
    of_code = [row.reason for row in rejected if row.code == "I50.22"]
    assert of_code == [
        "a near duplicate",
        "a title or a known string",
        "evidence of the neighbour",
        "contradicts the code",
        "a string of another code",
        "not a piece of evidence",
        "not a piece of evidence",
        "more than 100 characters",
        "contradicts the code",
    ]
    # The other siblings were asked for too, and I50.21 has enough strings only for `least=3`.
    missing = {row.code for row in rejected if row.detail == "no_answer"}
    assert missing == {"I50.20", "I50.23"}


def test_only_codes_with_few_strings_are_asked_for(folder: Path, system: CodeSystem) -> None:
    more = [pair(n, code, f"text {n}") for n, code in enumerate(["I50.20", "I50.23"], start=10)]
    pairs = [*read_rows(folder / "pairs.jsonl", SpanPair), *more]
    write_rows(folder / "pairs.jsonl", pairs)
    result = run(folder, system, {}, under="I50.2", least=1)
    assert result.stats["rejected"] == {"the model gave no answer": 1}
    result = run(folder, system, {}, under="I50.2", least=4)
    assert result.stats["rejected"] == {"the model gave no answer": 4}
    result = run(folder, system, {}, under="A00", least=4)
    assert not result.stats["rejected"]


def test_a_verifier_must_choose_the_code(folder: Path, system: CodeSystem) -> None:
    title = system.description("I50.22")
    answers = {
        "I50.22": "- chronic HFrEF\n- old pump failure\n- weak heart for years",
        "I50.22 1": f"- {title}",
        "I50.22 2": "none",
    }
    path = f"replay:{folder / 'answers.jsonl'}"
    result = run(folder, system, answers, under="I50.2", verifier=path)
    assert [built.text for built in read_rows(result.data, SpanPair)] == ["chronic HFrEF"]
    rejected = read_rows(folder / "out" / "rejected.jsonl", RejectedRow)
    assert [(row.text, row.reason) for row in rejected if row.code == "I50.22"] == [
        ("old pump failure", "the verifier chose another code"),
        ("weak heart for years", "the verifier gave no answer"),
    ]


def test_pairs_from_restricted_strings_stay_restricted(folder: Path, system: CodeSystem) -> None:
    write_rows(folder / "pairs.jsonl", [pair(1, "I50.21", "acute HFrEF", origin="restricted")])
    result = run(folder, system, {"I50.22": "- chronic HFrEF"}, under="I50.2")
    (built,) = read_rows(result.data, SpanPair)
    assert built.origin == "restricted"


@pytest.mark.parametrize(
    ("text", "title", "expected"),
    [
        ("rt wrist fracture", "Fracture of right wrist", False),
        ("left wrist fracture", "Fracture of right wrist", True),
        ("wrist fracture", "Fracture of right wrist", False),
        ("T1DM", "Type 2 diabetes mellitus", True),
        ("type 1 DM", "Type 2 diabetes mellitus", True),
        ("DM type II", "Type 2 diabetes mellitus", True),
        ("stage 3 CKD", "Chronic kidney disease, stage 3 unspecified", False),
        ("no asthma", "Asthma", True),
        ("gout w/o tophus", "Chronic gout without tophus", False),
        ("gout with tophus", "Chronic gout without tophus", True),
        ("hepatitis B", "Acute hepatitis A", True),
    ],
)
def test_what_contradicts_a_code(text: str, title: str, expected: bool) -> None:
    assert contradicts(text, title) == expected
