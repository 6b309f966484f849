from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem, Kind
from cclearn.errors import ConfigurationError, UnknownCodeError


def test_the_release_is_complete(system: CodeSystem) -> None:
    billable = system.billable_codes()
    assert len(billable) == len(set(billable)) == 74_719
    assert system.release == "April-1-2026"
    assert len(system.billable_codes("9")) == sum(system.chapter(code) == "9" for code in billable)


@pytest.mark.parametrize("spelling", ["I21.4", "i21.4", "I214", "i214", "  I21.4\n", "I21.4 "])
def test_a_code_is_found_in_any_spelling(system: CodeSystem, spelling: str) -> None:
    assert spelling in system
    assert system.canonical(spelling) == "I21.4"
    assert system[spelling].description == "Non-ST elevation (NSTEMI) myocardial infarction"


@pytest.mark.parametrize(
    ("code", "status"),
    [
        ("I21.4", "valid"),
        ("U07.1", "valid"),
        ("S72.001A", "valid"),
        ("T36.0X1A", "valid"),
        ("B20", "valid"),
        ("S72.001", "header"),
        ("I21", "header"),
        ("I20-I25", "header"),
        ("9", "header"),
        ("I21.44", "unknown"),
        ("", "unknown"),
        ("café", "unknown"),
        ("M54.5", "header"),
    ],
)
def test_validity_comes_from_the_table(system: CodeSystem, code: str, status: str) -> None:
    assert system.status(code) == status


@given(st.text(max_size=12))
def test_any_text_has_a_status(text: str) -> None:
    system = CodeSystem.load()
    assert system.status(text) in ("valid", "header", "unknown")
    assert (system.status(text) != "unknown") == (text in system)


def test_hierarchy(system: CodeSystem) -> None:
    assert system.parent("I21.4") == "I21"
    assert system.ancestors("I21.4") == ["I21", "I20-I25", "9"]
    assert system.children("I50")[:2] == ["I50.1", "I50.2"]
    assert "I21.0" in system.siblings("I21.4")
    assert "I21.4" not in system.siblings("I21.4")
    assert "I22.0" in system.cousins("I21.4")
    assert "I21.0" not in system.cousins("I21.4")
    assert system["I21.4"].kind == Kind.SUBCATEGORY
    assert system["I20-I25"].kind == Kind.BLOCK
    assert system.parent("9") is None
    assert system.siblings("9")[0] == "1"


def test_a_block_of_one_category_has_a_unique_name(system: CodeSystem) -> None:
    assert system.parent("B20") == "B20-B20"
    assert system["B20-B20"].description == "Human immunodeficiency virus [HIV] disease"
    assert system.children("C50-C50") == ["C50"]


def test_every_row_except_the_chapters_has_a_parent(system: CodeSystem) -> None:
    names = [code.code for code in system.rows()]
    assert len(names) == len(set(names)) == len(system)
    for code in system.rows():
        assert (code.parent is None) == (code.kind == Kind.CHAPTER)
        assert not (code.billable and system.children(code.code))


def test_synonyms_are_the_inclusion_terms(system: CodeSystem) -> None:
    assert "Nontransmural myocardial infarction NOS" in system.synonyms("I21.4")
    assert "high blood pressure" in system.includes("I10")


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("E11", "E11.9"),
        ("I50", "I50.9"),
        ("J45", "J45.909"),
        ("N18", "N18.9"),
        ("S72", "S72.90XA"),
        ("M54.5", "M54.50"),
        ("I10", "I10"),
        ("I20-I25", None),
        ("9", None),
    ],
)
def test_a_header_alone_stands_for_its_unspecified_code(
    system: CodeSystem, header: str, expected: str | None
) -> None:
    assert system.unspecified(header) == expected


def test_unspecified_is_always_billable_and_below(system: CodeSystem) -> None:
    for code in system.rows():
        found = system.unspecified(code.code)
        if found is not None:
            assert system.is_billable(found)
            assert found == code.code or code.code in system.ancestors(found)


def test_an_unknown_code_is_named_with_a_suggestion(system: CodeSystem) -> None:
    with pytest.raises(UnknownCodeError, match=r"i2144.*Did you mean 'I21\.4'"):
        system["i2144"]


def test_an_unknown_system_is_named_with_a_suggestion() -> None:
    with pytest.raises(ConfigurationError, match="Did you mean 'icd10cm'"):
        CodeSystem.load("icd10")


def test_neighbours_are_billable(system: CodeSystem) -> None:
    assert system.neighbours("I21.4") == ["I21.3", "I21.9", "I21.B"]
    assert "I22.0" in system.neighbours("I21.4", "cousin")
    near = system.neighbours("I21.4", "hop1")
    assert "I21.01" in near
    assert "I21.4" not in near
    far = system.neighbours("I21.4", "hop2")
    assert "I20.0" in far
    assert not set(near) & set(far)
    assert system.neighbours("9", "hop1") == []
    for kind in ("sibling", "cousin", "hop1", "hop2"):
        assert all(map(system.is_billable, system.neighbours("S72.001A", kind)))


def test_distance(system: CodeSystem) -> None:
    assert system.distance("I21.4", "i214") == 0
    assert system.distance("I21.4", "I21") == 1
    assert system.distance("I21.4", "I21.3") == 2
    assert system.distance("I21.4", "I22.0") == 4
    assert system.distance("I21.4", "J18.9") is None


def test_seventh_characters(system: CodeSystem) -> None:
    meanings = system.seventh_characters("S72.001")
    assert meanings["A"] == "initial encounter for closed fracture"
    assert len(meanings) == 16
    assert system.seventh_characters("I21.4") == {}
    assert system.extended("s72001", "a") == "S72.001A"
    assert system.extended("T75.4", "A") == "T75.4XXA"
    with pytest.raises(UnknownCodeError):
        system.extended("T75.4", "Q")


def test_a_dot_in_another_position_is_not_accepted(system: CodeSystem) -> None:
    assert system.status("I21.4.") == "valid"
    for spelling in ("I2.14", "I.214", "I214.0", "I.21.4"):
        assert system.status(spelling) == "unknown", spelling


def test_a_release_is_a_mapping_of_its_codes(system: CodeSystem) -> None:
    codes = list(system)
    assert len(codes) == len(system) == len(set(codes))
    assert "I10" in codes
    assert "i10" in system
    assert 10 not in system
    assert system.get("ZZZ.99") is None
    code = system.get("i214")
    assert code is not None
    assert code.code == "I21.4"
    # Two releases are equal only if they are the same object, so that comparing them takes no time.
    assert system == system
    assert system != dict.fromkeys(codes)
    assert len({system, system}) == 1


def test_codes_are_found_by_their_words(system: CodeSystem) -> None:
    (hit,) = system.search("essential hypertension", limit=1)
    assert hit.code.code == "I10"


def test_names_of_native_systems_are_understood_in_any_spelling() -> None:
    for name in ("ICD10CM", "icd-10-cm", "ICD 10 CM", "icd10cm"):
        assert CodeSystem.load(name).name == "icd10cm"
    with pytest.raises(ConfigurationError, match="not known"):
        CodeSystem.load("ICD10WHO")
