from __future__ import annotations

import pytest

from cclearn.codes import CodeSystem
from cclearn.coding.guidelines.suggestions.measurements import quantities
from cclearn.coding.guidelines.suggestions.names import NoteText
from cclearn.coding.guidelines.suggestions.table import Drugs, Limit, suggestions


def test_every_code_is_billable_and_answers_itself(system: CodeSystem) -> None:
    for line in suggestions():
        assert system.is_billable(line.code), line.code
        assert line.code.startswith(line.stems), line.code


def test_every_stem_is_the_beginning_of_a_code(system: CodeSystem) -> None:
    stems = {stem for line in suggestions() for stem in line.stems}
    codes = list(system)
    missing = {stem for stem in stems if not any(code.startswith(stem) for code in codes)}
    assert missing == set()


def test_every_quantity_is_used() -> None:
    used = {
        line.evidence.quantity[0].name for line in suggestions() if isinstance(line.evidence, Limit)
    }
    assert used == {quantity.name for quantity in quantities()}
    assert {quantity.form for quantity in quantities()} == {"number", "first", "second"}


def test_a_limit_is_a_value_that_can_be_read() -> None:
    for line in suggestions():
        if isinstance(line.evidence, Limit):
            bound = float(line.evidence.bound)
            for quantity in line.evidence.quantity:
                plausible = next(iter(quantity.units.values())).bare
                assert plausible is None or plausible[0] < bound < plausible[1], line.evidence.says


def test_no_drug_suggests_two_conditions() -> None:
    drugs = [
        name
        for line in suggestions()
        if isinstance(line.evidence, Drugs)
        for name in line.evidence.drugs.names
    ]
    assert len(drugs) == len(set(drugs))
    assert {"glargine", "metformin", "anastrozole"} <= set(drugs)


@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("E87.6", "potassium below 3.5 mmol/L"),
        ("R50.9", "temperature of at least 38 °C"),
        ("R79.1", "INR above 1.5"),
        ("I50.9", "sacubitril or a similar drug"),
    ],
)
def test_evidence_in_words(code: str, says: str) -> None:
    assert next(line for line in suggestions() if line.code == code).evidence.says == says


def test_evidence_is_in_order() -> None:
    line = next(line for line in suggestions() if line.code == "E87.6")
    words = frozenset(w for names in line.evidence.names for ws in names.words_of_each for w in ws)
    note = NoteText("K 2.9, potassium 3.1, K 4.0, potassium 2.2", words)
    assert line.evidence.find(note) == [(0, 5), (7, 20), (29, 42)]
