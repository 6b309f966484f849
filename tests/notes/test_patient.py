from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.notes.patient import read_patient

# Text, sex, age in completed years, and the words that state them.
CASES = [
    ("A 82-year-old woman with cough.", "female", "woman", 82, "82-year-old"),
    ("65 yo M with chest pain", "male", "M", 65, "65 yo"),
    ("65 y/o F", "female", "F", 65, "65 y/o"),
    ("63-year-old right-handed Caucasian male", "male", "male", 63, "63-year-old"),
    ("A 43 year old male patient", "male", "male", 43, "43 year old"),
    ("A male, 45 years old, who smokes", "male", "male", 45, "45 years old"),
    ("Woman of 52 years of age", None, None, None, None),  # Only a capital M or F is a sex alone.
    ("A woman of 52 years of age", "female", "woman", 52, "52 years of age"),
    ("A two-year-old girl", "female", "girl", 2, "two-year-old"),
    ("An 18-month-old boy", "male", "boy", 1, "18-month-old"),
    ("3 month old infant", None, None, 0, "3 month old"),
    ("A 43-year-old Ukrainian patient", None, None, 43, "43-year-old"),
    ("The patient is 65 years old.", None, None, 65, "65 years old"),
    ("The patient is a pleasant man.", "male", "man", None, None),
    ("A newborn girl with jaundice.", "female", "girl", 0, "newborn"),
    ("Sex: F\nAge: 65\n", "female", "F", 65, "65"),
    ("Gender: male", "male", "male", None, None),
    ("Mr. Smith is here for a visit.", "male", "Mr", None, None),
    ("Mrs. Smith is here.", "female", "Mrs", None, None),
    # The same again, in other words.
    ("A 57-year-old woman. Ms. Jones is 58 years old.", "female", "woman", 57, "57-year-old"),
    # Other times, other ages.
    ("A 33-year-old woman, 34 weeks pregnant", "female", "woman", 33, "33-year-old"),
    ("A 62-year-old man, smoker since he was 12 years old", "male", "man", 62, "62-year-old"),
    # Contradictions.
    ("A 57-year-old woman came. Mr. Jones left.", None, None, 57, "57-year-old"),
    ("A 57-year-old woman, then a 70-year-old woman", "female", "woman", None, None),
    # Others than the patient.
    ("His mother, a 60-year-old woman, had cancer.", None, None, None, None),
    ("Lives with her 40-year-old son.", None, None, None, None),
    ("A kidney from a 45-year-old male donor.", None, None, None, None),
    ("Family history: a 60-year-old man with gout.", None, None, None, None),
    # No age of a person.
    ("A 10-year history of cough in women.", None, None, None, None),
    ("A 5-year-old fracture in a man.", None, None, None, None),
    ("Since 1982-year-old woman", None, None, None, None),
    ("She feels well. He does too.", None, None, None, None),
    ("", None, None, None, None),
]


@pytest.mark.parametrize(("text", "sex", "sex_words", "age", "age_words"), CASES)
def test_stated_sex_and_age(
    text: str, sex: str | None, sex_words: str | None, age: int | None, age_words: str | None
) -> None:
    patient = read_patient(text)
    assert (patient.sex and patient.sex.value) == sex
    assert (patient.sex and text[patient.sex.start : patient.sex.end]) == sex_words
    assert (patient.age.value if patient.age else None) == age
    assert (patient.age and text[patient.age.start : patient.age.end]) == age_words


pieces = st.sampled_from(["7", "2-year-old", " ", "man", "woman", "Mr. ", "\n", "is ", "A"])


@given(st.lists(pieces).map("".join))
def test_offsets_are_of_the_text(text: str) -> None:
    patient = read_patient(text)
    for stated in (patient.sex, patient.age):
        assert stated is None or 0 <= stated.start < stated.end <= len(text)


def test_a_long_run_of_words_takes_no_time() -> None:
    assert read_patient("3 year old " + "a-" * 20_000 + " of woman " * 5_000).sex is None
