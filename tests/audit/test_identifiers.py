from __future__ import annotations

import pytest

from cclearn.audit.identifiers import find_identifiers, find_possible_names


def found(text: str) -> list[tuple[str, str]]:
    return sorted((i.kind, text[i.start : i.end]) for i in find_identifiers(text))


def keys(text: str) -> set[int]:
    return {identifier.key for identifier in find_identifiers(text)}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("MRN 48213377, seen.", [("number", "48213377")]),
        ("SSN 536-90-4399.", [("number", "536-90-4399")]),
        ("Birth weight 2000-2499 grams, 12345.6 mg, 100,000 units, 1234.", []),
        ("On 03/12/2021 and 12 March 2021.", [("date", "03/12/2021"), ("date", "12 March 2021")]),
        ("March 12th, 2021", [("date", "March 12th, 2021")]),
        ("BP 120/80, 1/2 tablet, version 31.31.2021", []),
        (
            "Call (212) 555-0187 or +1 212 555 0187.",
            [("phone", "(212) 555-0187"), ("phone", "+1 212 555 0187")],
        ),
        ("Mail jane.doe@mail.example.org.", [("email", "jane.doe@mail.example.org")]),
        ("Seen by Dr. Müller-Lang today.", [("name", "Müller-Lang")]),
        ("Patient name: Doe, John\nMedication name: Aspirin", [("name", "Doe, John")]),
        ("The doctor was asked. mr. small", []),
    ],
)
def test_identifiers_are_found(text: str, expected: list[tuple[str, str]]) -> None:
    assert found(text) == expected


def test_keys_do_not_depend_on_the_spelling() -> None:
    assert keys("12 March 2021") == keys("03/12/2021") == keys("2021-03-12") == keys("12.3.21")
    assert keys("Name: Doe, John A.") & keys("Mr. John Doe")
    assert keys("(212) 555-0187") == keys("212-555-0187") == keys("2125550187")
    assert keys("+1 (212) 555-0187") == keys("1-212-555-0187") == keys("212-555-0187")
    assert keys("Jane@Mail.org") == keys("jane@mail.org")
    assert (
        keys("Dr. Jos\u00e9 N\u00fa\u00f1ez") == keys("Dr. Jose\u0301 Nu\u0301n\u0303ez") != set()
    )
    assert keys("MRN 48213377") != keys("MRN 48213378")


def test_a_name_may_end_before_the_last_capital() -> None:
    assert keys("Name: John Doe Admitted") & keys("Mr. John Doe")
    assert not keys("Name: Mary Jones") & keys("Name: Mary Smith")


def test_names_without_a_title_are_possible() -> None:
    text = "Chief Complaint. Later John Michael Doe came."
    names = {text[i.start : i.end]: i.key for i in find_possible_names(text)}
    assert {"Chief Complaint", "John Michael", "Later John Michael", "John Michael Doe"} <= set(
        names
    )
    assert names["John Michael Doe"] in keys("Patient name: Doe, John Michael")
