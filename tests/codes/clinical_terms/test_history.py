from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.abbreviations import NO_CODE
from cclearn.codes.clinical_terms.history import past_code
from cclearn.codes.clinical_terms.tables import HISTORY, PROCEDURES, read_table


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("C50.912", "Z85.3"),
        ("I21.4", "I25.2"),
        ("K57.92", "Z87.19"),
        ("K57.90", "K57.90"),  # Diverticulosis has no line, but diverticulitis does.
        ("I10", "I10"),
        ("R05.9", None),
    ],
)
def test_a_past_condition_has_the_code_of_its_history(
    system: CodeSystem, code: str, expected: str | None
) -> None:
    assert past_code(code, system) == expected


def test_other_systems_keep_their_codes(tmp_path: Path) -> None:
    table = tmp_path / "codes.csv"
    table.write_text("code,description\nC50,Breast\n", encoding="utf-8")
    assert past_code("C50", CodeSystem.load(str(table))) == "C50"


@pytest.mark.parametrize("table", [HISTORY, PROCEDURES])
def test_all_codes_of_the_tables_are_billable(system: CodeSystem, table: str) -> None:
    codes = [code for code, _ in read_table(table)]
    assert all(code == NO_CODE or system.is_billable(code) for code in codes)
    entries = [entry for _, entries in read_table(table) for entry in entries.split(" ")]
    if table == HISTORY:
        assert len(set(entries)) == len(entries)
        assert all(len(stem) == 1 or stem in system for stem in entries)
