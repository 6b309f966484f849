from __future__ import annotations

import warnings
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem, Kind
from cclearn.codes.tabular import read_tabular, with_placeholders
from cclearn.errors import DataError
from tests.codes.official import TABULAR


@pytest.fixture
def tabular(tmp_path: Path) -> Path:
    path = tmp_path / "icd10c-tabular-April-1-2031.xml"
    path.write_text(TABULAR, encoding="utf-8")
    return path


def test_a_tabular_list_is_read_completely(tabular: Path) -> None:
    table = read_tabular(tabular, "2031")
    assert table.code == [
        "19",
        "S70-S79",
        "S72",
        "S72.0",
        "S72.00",
        "S72.00XA",
        "S72.00XS",
        "S72.001",
        "S72.001A",
        "S72.001S",
        "T07-T07",
        "T07",
    ]
    assert [code for code, ok in zip(table.code, table.billable, strict=True) if ok] == [
        "S72.00XA",
        "S72.00XS",
        "S72.001A",
        "S72.001S",
        "T07",
    ]
    row = table.code.index
    assert table.description[0] == "Injury, poisoning"
    assert table.description[row("S72.001A")] == (
        "Fracture of neck of right femur, initial encounter for closed fracture/initial encounter"
        " for fracture NOS"
    )
    assert list(table.inclusion_terms[row("S72.0")]) == ["Fractured neck", "Hip fracture NOS"]
    assert table.excludes1[0] == ["birth trauma (P10-P15)"]
    assert table.excludes2[row("S72")] == ["fracture of foot (S92.-)"]
    assert table.code_first[row("S72.001")] == ["underlying condition"]
    assert [table.kind[row(c)] for c in ("19", "S70-S79", "S72", "S72.0")] == list(Kind)
    assert table.parent[row("S72.00XA")] == row("S72.00")


def test_only_valid_codes_are_composed(tabular: Path) -> None:
    known = {"S7200XA", "S72001A", "S72001S"}
    table = read_tabular(tabular, "2031", known)
    assert "S72.00XS" not in table.code
    assert "S72.00XA" in table.code


@pytest.mark.parametrize(
    ("code", "filled"),
    [("T75.4", "T75.4XX"), ("S72.001", "S72.001"), ("T07", "T07.XXX"), ("O35.1", "O35.1XX")],
)
def test_placeholders(code: str, filled: str) -> None:
    assert with_placeholders(code) == filled


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (TABULAR[:900], r"\.xml:\d+: incomplete or malformed XML at column \d+"),
        ("<ICD10CM.index/>", "no <chapter>"),
        ("<t><chapter><name>1</name></chapter></t>", "after the beginning has no name or no desc"),
    ],
)
def test_a_broken_list_is_refused(tabular: Path, content: str, message: str) -> None:
    tabular.write_text(content, encoding="utf-8")
    with pytest.raises(DataError, match=message):
        read_tabular(tabular, "2031")


def test_the_package_reads_the_same(system: CodeSystem) -> None:
    """The package that carries the files has a reader of its own: both agree on every row."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import simple_icd_10_cm as package

    compared = 0
    for code in package.get_all_codes():
        if not package.is_category_or_subcategory(code):
            continue
        compared += 1
        ours = system[code]
        assert ours.description == " ".join(package.get_description(code).split())
        assert ours.billable == package.is_leaf(code)
        assert list(ours.synonyms) == package.get_inclusion_term(code)
        assert list(system.includes(code)) == package.get_includes(code)
        for kind in ("excludes1", "excludes2"):
            notes = [text for text, _ in system.notes(code, kind, inherited=False)]
            assert notes == getattr(package, f"get_{kind}")(code)
        for kind in ("code_first", "use_additional_code", "code_also"):
            lines = "\n".join(text for text, _ in system.notes(code, kind, inherited=False))
            assert lines == getattr(package, f"get_{kind}")(code)
    assert compared > 98_000
