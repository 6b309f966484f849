from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from data_builders.rare_codes.allocation import allocate, log_inverse_allocation
from data_builders.rare_codes.strata import STRATUM_NAMES, FrequencyStrata

# A made-up histogram of training counts, with the published numbers of codes and notes in each stratum
# of MIMIC-III's label space: (training notes, codes).
TAIL = ((20, 2202), (40, 270))
ULTRA_TAIL = ((2, 3879), (4, 1320))
ZERO_SHOT = ((0, 237),)
FREQUENT = ((100, 500), (999, 300), (1000, 100), (30_000, 20))


def counts(*histograms: tuple[tuple[int, int], ...]) -> dict[str, int]:
    numbers = [n for histogram in histograms for n, codes in histogram for _ in range(codes)]
    return {f"code {position}": number for position, number in enumerate(numbers)}


@pytest.mark.parametrize(
    ("histogram", "codes", "notes"),
    [
        (TAIL, 2472, 17_034),
        (ULTRA_TAIL, 5199, 61_068),
        (ZERO_SHOT, 237, 11_850),
        (FREQUENT, 0, 0),
    ],
)
def test_the_published_parts_of_the_allocation(
    histogram: tuple[tuple[int, int], ...], codes: int, notes: int
) -> None:
    allocated = allocate(counts(histogram))
    assert (len(allocated), sum(allocated.values())) == (codes, notes)


def test_the_published_allocation() -> None:
    allocated = allocate(counts(FREQUENT, TAIL, ULTRA_TAIL, ZERO_SHOT))
    assert (len(allocated), sum(allocated.values())) == (7908, 89_952)


@pytest.mark.parametrize(
    ("count", "notes"), [(0, 50), (1, 13), (2, 12), (9, 9), (10, 9), (99, 5), (10_000, 2)]
)
def test_the_formula(count: int, notes: int) -> None:
    assert log_inverse_allocation(count) == notes


@given(
    st.integers(1, 10**6),
    st.integers(1, 10**6),
    st.integers(1, 1000),
    st.floats(0.01, 10, allow_nan=False),
)
def test_rarer_codes_get_at_least_as_many_notes(
    count: int, more: int, most: int, alpha: float
) -> None:
    notes = log_inverse_allocation(count, most, alpha)
    assert log_inverse_allocation(count + more, most, alpha) <= notes
    assert 0 <= notes <= log_inverse_allocation(0, most, alpha) == most
    assert notes == most or notes <= alpha * most / math.log(count + 5) < notes + 1


@given(st.dictionaries(st.text(max_size=3), st.integers(0, 2000)), st.integers(0, 2000))
def test_codes_above_the_bound_get_no_notes(found: dict[str, int], below: int) -> None:
    allocated = allocate(found, below)
    assert all(found[code] < below and notes > 0 for code, notes in allocated.items())
    assert list(allocated) == [code for code in found if code in allocated]


def test_strata() -> None:
    strata = FrequencyStrata()
    found = [strata.stratum_of(n) for n in (1000, 999, 100, 99, 10, 9, 1, 0)]
    assert found == [
        *("head", "medium", "medium", "tail", "tail", "ultra_tail", "ultra_tail", "zero_shot")
    ]
    assert set(found) == set(STRATUM_NAMES)
    assert FrequencyStrata(head=50, medium=5, tail=2).stratum_of(4) == "tail"
    with pytest.raises(ValidationError, match="do not decrease"):
        FrequencyStrata(head=50)
