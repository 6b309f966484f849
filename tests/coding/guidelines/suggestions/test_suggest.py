from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn import Coder
from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.suggestions.suggest import suggestion_flags


def _traps() -> list[dict[str, str]]:
    path = Path(__file__).parent / "suggestion_traps.tsv"
    with path.open(encoding="utf-8", newline="") as stream:
        lines = (line for line in stream if not line.startswith("#"))
        return list(csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE))


def suggested(flags: list[str]) -> list[str]:
    """Return the codes of suggestions."""
    return [flag.split(" ")[1] for flag in flags if flag.startswith("suggestion: ")]


@pytest.fixture(scope="module")
def coder() -> Coder:
    return Coder.lexicon()


@pytest.mark.parametrize(("codes", "text"), [(t["codes"], t["text"]) for t in _traps()])
def test_traps(coder: Coder, codes: str, text: str) -> None:
    coded = coder.code(text.replace("\\n", "\n").replace("\\t", "\t"))
    assert sorted(suggested(coded.flags)) == sorted(codes.split())


def test_the_traps_are_sound() -> None:
    texts = [trap["text"] for trap in _traps()]
    assert len(set(texts)) == len(texts) >= 80


def test_a_suggestion_cites_its_evidence_by_offsets(coder: Coder) -> None:
    text = "Labs: K 2.9, Hct 27. Zebulon injects insulin. Hb 8.8."
    coded = coder.code(text)
    assert coded.codes == []
    assert coded.flags == [
        "suggestion: D64.9 Anemia, unspecified needs the provider's documentation: hematocrit below"
        " 35 % (13:19; Section III.B), hemoglobin below 12 g/dL (46:52; Section III.B)",
        "suggestion: E11.9 Type 2 diabetes mellitus without complications needs the provider's"
        " documentation: insulin or a similar drug (37:44; Section I.A.19)",
        "suggestion: E87.6 Hypokalemia needs the provider's documentation: potassium below 3.5 mmol/L"
        " (6:11; Section III.B)",
    ]
    assert [text[6:11], text[13:19], text[46:52]] == ["K 2.9", "Hct 27", "Hb 8.8"]
    assert coded.failures == []


def test_offsets_count_code_points(coder: Coder) -> None:
    text = "Température – naïve 😀. K 2.9"
    (flag,) = coder.code(text).flags
    start = text.index("K 2.9")
    assert f"({start}:{start + 5}; " in flag


def test_the_first_value_is_cited_and_the_strongest_limit_comes_first(system: CodeSystem) -> None:
    (flag,) = suggestion_flags("BP 150/88, later blood pressure 190/118.", [], system)
    assert "I16.9" in flag
    assert "(17:39; " in flag
    (flag,) = suggestion_flags("BMI 44", [], system)
    assert "E66.813" in flag
    (flag,) = suggestion_flags("potassium 3.1, then K 2.9", [], system)
    assert "(0:13; " in flag


@pytest.mark.parametrize(
    ("text", "codes"),
    [
        ("K 2.9", ["E87.6"]),
        ("BP 168/98", ["I12.9"]),
        ("Takes insulin", ["O24.419"]),
        ("creatinine 2.4", ["N17.9"]),
        ("WBC 15", ["J18.9"]),
    ],
)
def test_an_assigned_code_answers_a_suggestion(
    system: CodeSystem, text: str, codes: list[str]
) -> None:
    assert suggestion_flags(text, [], system) != []
    assert suggestion_flags(text, codes, system) == []


def test_suggestions_are_for_english_notes_only() -> None:
    assert Coder.lexicon(assertion="off").code("K 2.9").flags == []


def test_another_code_system_has_no_suggestions(tmp_path: Path) -> None:
    table = tmp_path / "codes.csv"
    table.write_text("code,description\nE87.6,Hypokalemia\n", encoding="utf-8")
    assert suggestion_flags("K 2.9", [], CodeSystem.load(str(table))) == []


def test_the_limits_of_adults_are_not_those_of_children(system: CodeSystem) -> None:
    assert suggestion_flags("A 40-year-old man. HR 132.", [], system) != []
    assert suggestion_flags("A 2-year-old boy. HR 132.", [], system) == []
    assert suggestion_flags("A 2-year-old boy. K 2.6.", [], system) != []


_PIECES = [
    "K",
    "2.9",
    "potassium",
    "insulin",
    "BP",
    "190/120",
    "no",
    "goal",
    ":",
    "\n",
    "<",
    "é",
    "-",
]


@given(st.lists(st.sampled_from(_PIECES), max_size=30).map(" ".join))
def test_any_text_has_flags_with_offsets_in_it(system: CodeSystem, text: str) -> None:
    for flag in suggestion_flags(text, [], system):
        for reason in flag.partition("documentation: ")[2].split(", "):
            start, end = map(int, reason.rpartition("(")[2].partition(";")[0].split(":"))
            assert 0 <= start < end <= len(text)
            assert text[start:end] == text[start:end].strip()
