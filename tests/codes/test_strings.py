from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings, short_forms


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("Essential (primary) hypertension", ["Essential hypertension"]),
        ("Heart failure, unspecified", ["Heart failure"]),
        ("Unspecified asthma, uncomplicated", ["asthma, uncomplicated"]),
        ("Pneumonia, unspecified organism", ["Pneumonia"]),
        ("Congestive heart failure NOS", ["Congestive heart failure"]),
        (
            "Human immunodeficiency virus [HIV] disease",
            ["Human immunodeficiency virus disease", "HIV disease"],
        ),
        ("Chronic kidney disease (CKD)", ["Chronic kidney disease", "CKD"]),
        ("Non-ST elevation (NSTEMI) infarction", ["Non-ST elevation infarction"]),
        ("Type 2 diabetes mellitus without complications", []),
        ("Other heart failure", []),
        ("Pain in unspecified hip", ["Pain in hip"]),
        ("Burn of unspecified degree of head", ["Burn of head"]),
        ("Otitis media, unspecified, unspecified ear", ["Otitis media"]),
        ("Abrasion of unspecified ear", ["Abrasion of ear"]),
        ("Osteochondrosis of humerus, unspecified arm", ["Osteochondrosis of humerus, arm"]),
        ("Echinococcosis, other and unspecified", []),
        ("Nephritis, types 1 and 3, or NOS", []),
        ("Other TAC (short), not intractable", ["Other TAC, not intractable"]),
        (
            "Sepsis due to Escherichia coli [E. coli]",
            ["Sepsis due to Escherichia coli", "Sepsis due to E. coli"],
        ),
    ],
)
def test_short_forms(title: str, expected: list[str]) -> None:
    assert short_forms(title) == expected


def test_every_category_and_code_has_its_title(system: CodeSystem) -> None:
    titled = {string.code for string in code_strings(system) if string.field == "title"}
    assert set(system.billable_codes()) <= titled


def test_no_form_is_an_incomplete_phrase(system: CodeSystem) -> None:
    forms = [
        s.text for s in code_strings(system) if s.field in ("title_form", "inclusion_term_form")
    ]
    assert len(forms) > 40_000
    assert not [
        f for f in forms if f.split(" ")[-1] in ("of", "in", "with", "and", "or", "to", "due")
    ]
    assert not [f for f in forms if " ," in f or "  " in f]


def test_only_systems_of_the_icd_have_forms(tmp_path: Path) -> None:
    table = tmp_path / "operations.csv"
    table.write_text("code,description\n1,Bypass (separate procedure)\n", encoding="utf-8")
    strings = list(code_strings(CodeSystem.load(str(table))))
    assert [(s.text, s.field) for s in strings] == [("Bypass (separate procedure)", "title")]
