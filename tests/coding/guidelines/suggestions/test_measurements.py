from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.coding.guidelines.suggestions.measurements import (
    quantities,
    read_number,
    values_of,
)
from cclearn.coding.guidelines.suggestions.names import NoteText


def values(name: str, text: str) -> list[float]:
    """Return the values of a quantity in a text, rounded to two digits."""
    return [round(value.number, 2) for value in values_of(name, text)]


@given(st.integers(0, 9_999_999), st.integers(0, 99))
def test_numbers_are_read_with_and_without_marks_of_thousands(whole: int, decimals: int) -> None:
    assert read_number(f"{whole}") == whole
    assert read_number(f"{whole:,}") == whole
    assert read_number(f"{whole:,}.{decimals:02}") == pytest.approx(whole + decimals / 100)
    assert read_number(f"{whole},{decimals:02}") == pytest.approx(whole + decimals / 100)


@given(
    st.integers(15, 90).map(lambda tenths: tenths / 10),
    st.sampled_from(
        ["K {}", "K: {}", "K+ {}", "Potassium was {} mmol/L", "potassium of {} (L)", "K={}."]
    ),
)
def test_every_potassium_is_read(number: float, form: str) -> None:
    assert values("potassium", form.format(number)) == [number]


@given(
    st.integers(15, 90).map(lambda tenths: tenths / 10),
    st.integers(15, 90).map(lambda tenths: tenths / 10),
    st.sampled_from(["-", " - ", "–", " to ", "/"]),
)
def test_no_range_is_a_value(low: float, high: float, sign: str) -> None:
    assert values("potassium", f"K {low}{sign}{high}") == []


@given(st.integers(60, 280), st.integers(30, 190))
def test_a_blood_pressure_has_two_values(systolic: int, diastolic: int) -> None:
    text = f"BP: {systolic}/{diastolic} mmHg"
    assert values("systolic blood pressure", text) == [systolic]
    assert values("diastolic blood pressure", text) == [diastolic]


@given(st.text(max_size=60), st.sampled_from(["K", "BP", "glucose", "WBC", "T", "Hgb"]))
def test_any_text_after_a_name_is_read_without_an_error(text: str, name: str) -> None:
    note = f"{name} {text}"
    for line in quantities():
        words = frozenset(w for ws in line.names.words_of_each for w in ws)
        for value in line.values(NoteText(note, words)):
            assert note[value.start : value.end].strip() != ""
            assert value.number >= 0


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("hemoglobin", "Hb 89 g/L", [8.9]),
        ("hemoglobin", "Hb 89", [8.9]),
        ("hemoglobin", "hemoglobin a1c 8.9", []),
        ("glucose", "glucose 17.2 mmol/L", [309.91]),
        ("glucose", "glucose 17.2", []),
        ("creatinine", "creatinine 254 µmol/L", [2.87]),
        ("white blood cells", "WBC 18,500/mm3", [18.5]),
        ("white blood cells", "WBC 18.5 x 10^9/L", [18.5]),
        ("white blood cells", "WBC 18.5K", [18.5]),
        ("white blood cells", "WBC 20/hpf", []),
        ("sodium", "Na 128 K 2.9", [128]),
        ("sodium", "Na 138 -> 128 → 131", [138, 128, 131]),
        ("sodium", "sodium went from 138 to 128", [138, 128]),
        ("sodium", "Na <128", []),
        ("sodium", "Na 12.8", []),
        ("magnesium", "Mg 2 g", []),
        ("temperature", "T 38.6", [38.6]),
        ("temperature", "T 101.8", []),
        ("temperature (Fahrenheit)", "T 101.8 F", [101.8]),
        ("creatinine", "BUN/Cr 44/2.6", [2.6]),
        ("systolic blood pressure", "BP 12/05/2019", []),
        ("troponin", "troponin 0.8", []),
        ("troponin", "Troponin T 0.8 ng/mL", [0.8]),
    ],
)
def test_units(name: str, text: str, expected: list[float]) -> None:
    assert values(name, text) == expected
