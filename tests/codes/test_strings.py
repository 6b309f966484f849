from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.search import search
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
    ],
)
def test_short_forms(title: str, expected: list[str]) -> None:
    assert short_forms(title) == expected


def test_every_category_and_code_has_its_title(system: CodeSystem) -> None:
    titled = {string.code for string in code_strings(system) if string.field == "title"}
    assert set(system.billable_codes()) <= titled


def test_strings_of_a_part(system: CodeSystem) -> None:
    strings = list(code_strings(system, under="I21"))
    assert {string.code for string in strings} == {"I21", *system.descendants("I21")}


def test_search_ranks_the_nearest_first(system: CodeSystem) -> None:
    assert search(system, "type 2 diabetes mellitus")[0].code.code == "E11"
    assert search(system, "high blood pressure")[0].code.code == "I10"
    hits = search(system, "pneumonia", limit=5)
    assert len({hit.code.code for hit in hits}) == 5
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    assert search(system, "xyzzy") == []
    assert search(system, "") == []
