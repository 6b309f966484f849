from __future__ import annotations

import random

import pytest

from cclearn.codes import CodeSystem
from data_builders.content.schema import Section, Template
from data_builders.noise import Noise
from data_builders.templates.code_notes import CodeNoteRenderer
from data_builders.templates.statements import Patient, Statement
from data_builders.templates.writer import NoteWriter, WrittenNote
from tests.data_builders.content.shipped import shipped_content

GOUT = Statement("gout", "problem", ("gout",), medications=("allopurinol 100 mg",))
PAIN = Statement("pain", "symptom", ("knee pain",))
ASTHMA = Statement("asthma", "problem", ("asthma",))


def write(system: CodeSystem, *sections: Section, seed: int = 0) -> WrittenNote:
    template = Template(setting="outpatient", sections=sections)
    writer = NoteWriter(shipped_content(system), Noise({}), 0.0)
    patient = Patient(70, "female")
    return writer.write(template, patient, [GOUT, PAIN], [ASTHMA], random.Random(seed))


@pytest.mark.parametrize("seed", range(20))
def test_every_fact_is_mentioned_where_its_span_says(system: CodeSystem, seed: int) -> None:
    sections = (
        Section(headings=("HPI",), opening=("{age} year old {man} with {principal}.",), chance=0.5),
        Section(headings=("Problems",), style="list", takes=("problem", "symptom"), chance=0.3),
        Section(headings=("Past",), takes=("problem", "symptom"), distractors=(1, 1)),
    )
    note = write(system, *sections, seed=seed)
    quotes = [[note.text[s:e].lower() for s, e in spans] for spans in note.spans]
    assert set(quotes[0]) == {"gout"}
    assert set(quotes[1]) == {"knee pain"}
    assert [note.text[s:e].lower() for s, e in note.distractors] == ["asthma"]
    if "year old" in note.text:
        assert "70 year old woman with gout." in note.text


def test_the_principal_fact_and_the_others_have_their_sections(system: CodeSystem) -> None:
    takes = ("problem", "symptom")
    note = write(
        system,
        Section(headings=("Reason",), style="lines", takes=takes, which="principal"),
        Section(headings=("Others",), style="lines", takes=takes, which="others"),
    )
    reason, others = (note.text[start:end].lower() for start, end in note.sections)
    assert "gout" in reason
    assert "knee pain" not in reason
    assert "knee pain" in others
    assert "gout" not in others


def test_drugs_of_the_facts_are_shown_and_empty_sections_are_not(system: CodeSystem) -> None:
    texts = [
        write(
            system,
            Section(headings=("Problems",), takes=("problem", "symptom")),
            Section(headings=("Social",), takes=("social",)),
            Section(headings=("Meds",), style="list", shows="medications"),
            seed=seed,
        ).text.lower()
        for seed in range(20)
    ]
    assert sum("allopurinol 100 mg" in text for text in texts) > 10
    assert not any("social" in text for text in texts)


def test_notes_for_codes_mention_each_by_one_of_its_strings(system: CodeSystem) -> None:
    renderer = CodeNoteRenderer(system, 0.0)
    strings = {
        "I50.9": ["heart failure", "CHF"],
        "S52.501A": ["fracture of the right radius"],
        "W18.30XA": ["fall on the same level"],
        "Z59.01": ["lives in a shelter"],
        "R05.9": ["cough"],
        "Z95.0": ["pacemaker"],
    }
    for seed in range(30):
        note = renderer.render("n", strings, random.Random(seed))
        assert [assigned.code for assigned in note.codes] == list(strings)
        for assigned in note.codes:
            quotes = {e.text.lower() for e in assigned.evidence}
            assert quotes
            assert quotes <= {text.lower() for text in strings[assigned.code]}


def test_the_patient_fits_the_codes(system: CodeSystem) -> None:
    renderer = CodeNoteRenderer(system, 0.0)
    for seed in range(10):
        note = renderer.render("n", {"N40.0": ["enlarged prostate"]}, random.Random(seed))
        assert " female" not in note.text
        assert " woman" not in note.text


def test_any_code_can_be_the_only_one(system: CodeSystem) -> None:
    renderer = CodeNoteRenderer(system, 0.0)
    for code in ("Z95.0", "Z86.73", "Z59.01", "W18.30XA", "R05.9", "S52.501A", "P07.30"):
        for seed in range(40):
            note = renderer.render("n", {code: ["mention"]}, random.Random(seed))
            assert note.codes[0].evidence
