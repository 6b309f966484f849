from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.flags import code_flags, seventh_character_flags


def kinds(flags: list[str]) -> list[str]:
    return [flag.partition(": ")[0] for flag in flags]


def test_codes_that_exclude_each_other_are_both_flagged(system: CodeSystem) -> None:
    flags = code_flags("", ["E10.9", "I10", "E11.9"], system)
    for code, other in (("E10.9", "E11.9"), ("E11.9", "E10.9")):
        (flag,) = [flag for flag in flags[code] if flag.startswith("excludes1: ")]
        assert flag.startswith(f"excludes1: {other} (at E1")
        assert flag.endswith("Section I.A.12.a: not together unless unrelated)")
    assert flags["I10"] == []


def test_a_manifestation_needs_an_earlier_cause(system: CodeSystem) -> None:
    (flag,) = code_flags("", ["F02.80"], system)["F02.80"]
    assert flag.startswith(
        'code first: missing (at F02: "the underlying physiological condition, such'
    )
    assert flag.endswith("Section I.A.13)")
    assert len(flag) < 250
    assert code_flags("", ["G30.9", "F02.80"], system)["F02.80"] == []
    (flag,) = code_flags("", ["F02.80", "G30.9"], system)["F02.80"]
    assert flag.startswith("code first: G30.9 (at F02: ")
    # Two causes, one of them before.
    assert code_flags("", ["G20.A1", "F02.80", "G30.9"], system)["F02.80"] == []


def test_a_cause_that_need_not_be_known_is_not_missing(system: CodeSystem) -> None:
    assert code_flags("", ["I50.9"], system)["I50.9"] == []
    (flag,) = code_flags("", ["I50.9", "I11.0"], system)["I50.9"]
    assert flag.startswith('code first: I11.0 (at I50: "')


def test_missing_additional_codes_are_flagged(system: CodeSystem) -> None:
    text = "Type 2 diabetes, on insulin."
    flags = code_flags(text, ["E11.9"], system)["E11.9"]
    assert kinds(flags) == ["use additional code"]
    assert flags[0].startswith("use additional code: missing, 20:27 says it (at E11: ")
    assert "Z79.4" in flags[0]
    assert flags[0].endswith("Section I.B.7)")
    assert code_flags(text, ["E11.9", "Z79.4"], system)["E11.9"] == []


@pytest.mark.parametrize(
    ("text", "code", "flagged"),
    [
        ("Type 2 diabetes.", "E11.9", False),
        ("Type 2 diabetes, not on insulin.", "E11.9", False),
        ("Type 2 diabetes. Mother takes insulin.", "E11.9", False),
        ("UTI, cultures grew E. coli.", "N39.0", True),
        ("UTI, cultures pending.", "N39.0", False),
        ("Angina in a current smoker.", "I20.9", True),
        ("Angina. Never smoker.", "I20.9", False),
        ("Alcoholic cirrhosis; still drinking.", "K70.30", True),
        ("Ulcerative colitis with pyoderma gangrenosum.", "K51.90", True),
        ("Ulcerative colitis. No gangrene.", "K51.90", False),
        ("Celiac disease; the gluten is out.", "K90.0", False),
        ("Celiac disease with gluten ataxia.", "K90.0", True),
    ],
)
def test_an_additional_code_is_missing_only_if_the_note_says_it(
    system: CodeSystem, text: str, code: str, flagged: bool
) -> None:
    assert ("use additional code" in kinds(code_flags(text, [code], system)[code])) == flagged


def test_without_assertion_rules_all_mentions_count(system: CodeSystem) -> None:
    text = "No insulin."
    assert code_flags(text, ["E11.9"], system)["E11.9"] == []
    assert kinds(code_flags(text, ["E11.9"], system, "off")["E11.9"]) == ["use additional code"]


def test_sex_and_age_are_compared_with_what_the_note_states(system: CodeSystem) -> None:
    codes = ["N40.1", "O80", "I10"]
    flags = code_flags("An 82-year-old woman.", codes, system)
    assert [flag for flag in flags["N40.1"] if flag.startswith("sex")] == [
        "sex: for males (N40-N53: Diseases of male genital organs); the note says female (15:20)"
    ]
    assert [flag for flag in flags["O80"] if flag.startswith("age")] == [
        'age: for maternity, 9-64 years (O00-O9A: Section I.C.15.a: "used only on the maternal'
        ' record"); the note says 82 (3:14)'
    ]
    assert flags["I10"] == []
    flags = code_flags("A 30-year-old woman.", ["P22.0"], system)
    assert flags["P22.0"][-1].startswith("age: for newborn (P00-P96: Section I.C.16.a: used beyond")
    # Nothing is known of the patient.
    flags = code_flags("Seen today.", codes, system)
    assert not {"sex", "age"}.intersection(
        kind for remarks in flags.values() for kind in kinds(remarks)
    )


def test_a_flag_contains_no_text_of_the_note(system: CodeSystem) -> None:
    text = "A 82-year-old secretive woman, Zebulon."
    flags = code_flags(text, ["N40.1", "E11.9", "E10.9", "F02.80"], system)
    assert not any("secretive" in flag or "Zebulon" in flag for f in flags.values() for flag in f)


def test_the_flag_of_a_missing_seventh_character_lists_the_characters(system: CodeSystem) -> None:
    assert seventh_character_flags(["T75.4", "J45", "Q99.99"], system) == {
        "seventh character: T75.4 needs one of A, D, S (Section I.A.5)"
    }


def test_unknown_codes_have_no_rules(system: CodeSystem) -> None:
    assert code_flags("A man.", ["Q99.99", "O80"], system)["Q99.99"] == []
