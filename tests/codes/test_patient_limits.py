from __future__ import annotations

import csv
import re
from importlib.resources import files

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.patient_limits import AGES, limits
from cclearn.codes.references import references


def sexes(code: str) -> set[str]:
    return {limit.sex for limit in limits(code) if limit.sex}


def ages(code: str) -> set[str]:
    return {limit.ages for limit in limits(code) if limit.ages}


@pytest.mark.parametrize(
    ("code", "sex", "age"),
    [
        ("N40.1", {"male"}, {"adult"}),
        ("C61", {"male"}, set()),
        ("C53.9", {"female"}, set()),
        ("O80", {"female"}, {"maternity"}),
        ("Z37.0", {"female"}, {"maternity"}),
        ("Z38.00", set(), {"newborn"}),
        ("P22.0", set(), {"newborn"}),
        ("H25.13", set(), {"adult"}),
        ("T74.12XA", set(), {"pediatric"}),
        ("C50.911", {"female"}, set()),
        ("C34.90", set(), set()),
        ("I10", set(), set()),
    ],
)
def test_limits_of_codes(code: str, sex: set[str], age: set[str]) -> None:
    assert (sexes(code), ages(code)) == (sex, age)


def test_the_table_names_codes_of_the_release(system: CodeSystem) -> None:
    content = (files("cclearn.codes") / "limits.csv").read_text(encoding="utf-8")
    rows = list(csv.DictReader(content.splitlines()))
    assert len(rows) > 200
    for row in rows:
        assert row["sex"] in ("", "female", "male")
        assert row["ages"] in ("", *AGES)
        assert row["sex"] or row["ages"]
        assert row["reason"]
        assert len(list(references(f"({row['codes']})"))) == 1
        assert all(end in system for end in row["codes"].split("-")), row["codes"]


def test_titles_that_name_a_sex_agree_with_the_table(system: CodeSystem) -> None:
    found = 0
    for code in system.billable_codes():
        title = system.description(code).lower()
        named = set(re.findall(r"\b(?:fe)?male\b", title))
        # A perpetrator's sex; both; a man's infertility, of which a woman is seen; a phenotype of both.
        if len(named) != 1 or code.startswith(("Y07", "N39.3", "Z31.81", "Q56")):
            continue
        found += 1
        assert sexes(code) == named, (code, title)
    assert found > 200
