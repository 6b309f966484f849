from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from data_builders.code_conflicts import code_conflicts, without_conflicts


@pytest.mark.parametrize(
    ("one", "two", "kinds"),
    [
        ("E10.9", "E11.9", {"excludes1"}),  # Type 1 and type 2 diabetes.
        ("N40.0", "N80.9", {"sex"}),  # Prostate and endometriosis.
        ("P07.30", "O80", {"sex", "age"}),  # Newborn and delivery.
        ("M25.551", "M25.559", {"laterality"}),  # Right hip, unspecified hip.
        ("H25.11", "H25.12", {"laterality"}),  # Right and left eye, with a code for both.
        ("H25.12", "H25.13", {"laterality"}),  # Left eye, both.
        ("M16.0", "M16.11", {"laterality"}),  # Both hips, right hip.
        ("M25.551", "M25.552", set()),  # Right and left hip, without a code for both.
        ("S52.501A", "S52.502A", set()),
        ("S72.001A", "S72.009A", {"laterality"}),
        ("M25.551", "M25.562", set()),  # Hip and knee.
        ("I10", "I48.91", set()),
        ("I50.22", "I50.9", set()),
    ],
)
def test_codes_that_exclude_each_other(
    one: str, two: str, kinds: set[str], system: CodeSystem
) -> None:
    for codes in ((one, two), (two, one)):
        found = {conflict.kind for conflict in code_conflicts(system, codes)}
        if "sex" in kinds and "age" in kinds:
            assert found & kinds
        else:
            assert found == kinds


def test_the_later_of_two_conflicting_codes_is_left_out(system: CodeSystem) -> None:
    codes = ["E10.9", "N40.0", "E11.9", "I10", "N80.9"]
    assert without_conflicts(system, codes) == ["E10.9", "N40.0", "I10"]
    assert without_conflicts(system, []) == []
