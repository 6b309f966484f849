from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from cclearn.codes import CodeSystem, conflict
from cclearn.errors import ConfigurationError
from cclearn.notes import CodedNote
from cclearn.notes.jsonl import read_coded_notes
from data_builders.builder import configure, find_builder
from data_builders.output import build
from data_builders.parallel import in_processes
from tests.data_builders.content.shipped import shipped_content


def notes(system: CodeSystem, **settings: object) -> list[CodedNote]:
    builder = find_builder("policies")
    return [
        row
        for row in builder.rows(configure(builder, settings), system)
        if isinstance(row, CodedNote)
    ]


def test_every_code_is_valid_and_cites_its_evidence(system: CodeSystem) -> None:
    built = notes(system, notes=300, seed=5)
    assert [note.id for note in built[:2]] == ["policy-1", "policy-2"]
    for note in built:
        for assigned in note.codes:
            assert assigned.status == "valid"
            assert assigned.evidence
            assert assigned.flags[0].startswith("policy: I")
        found = [assigned.code for assigned in note.codes]
        assert not any(conflict(system, a, b) for a in found for b in found if a < b)
    assert len({note.metadata["template"] for note in built}) == len(
        shipped_content(system).templates
    )
    assert 0 < sum(not note.codes for note in built) < 60


def test_distractors_have_no_code(system: CodeSystem) -> None:
    denied = 0
    for note in notes(system, notes=200, without_codes=1.0, distractors=3, noise=0.0):
        assert note.codes == []
        denied += " denies " in note.text or "Denies" in note.text
    assert denied > 10


@pytest.mark.slow
def test_categories_and_templates_are_chosen(system: CodeSystem) -> None:
    content = shipped_content(system)
    settings = {"categories": ["social"], "templates": ["clinic_visit"], "without_codes": 0}
    built = notes(system, notes=60, **settings)
    social = {
        code
        for fact in content.facts.values()
        if fact.category == "social"
        for code in (fact.code, *(form.code for form in fact.forms.values()))
    }
    with_social = sum(any(a.code in social for a in note.codes) for note in built)
    assert with_social > 50  # A patient may fit none of the facts that were drawn.
    assert {note.metadata["template"] for note in built} == {"clinic_visit"}


@pytest.mark.slow
def test_the_rows_do_not_depend_on_the_processes(tmp_path: Path, system: CodeSystem) -> None:
    builder = find_builder("policies")
    config = configure(builder, {"notes": 600, "seed": 3})
    one = build(builder, config, tmp_path / "one", system)
    two = build(builder, config, tmp_path / "two", system, parallel_map=in_processes(2))
    assert one.data.read_bytes() == two.data.read_bytes()
    assert Counter(n.id for n in read_coded_notes(one.data, system)).most_common(1)[0][1] == 1


def test_unknown_names_are_errors(system: CodeSystem) -> None:
    with pytest.raises(ConfigurationError) as caught:
        notes(system, templates=["clinic_visits"], categories=["fraility"])
    assert caught.value.lines == [
        "templates (templates = clinic_visits): not known. Did you mean 'clinic_visit'? There are: "
        + ", ".join(shipped_content(system).templates)
        + ".",
        "categories (categories = fraility): not known. Did you mean 'frailty'? There are: "
        + ", ".join(
            dict.fromkeys(f.category for f in shipped_content(system).facts.values() if f.category)
        )
        + ".",
    ]


def test_content_with_problems_builds_nothing(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("facts: {odd: {kind: problem, words: [odd], code: E11}}\n")
    with pytest.raises(ConfigurationError, match=r"mine.yaml:1: facts.odd.code: E11 is header"):
        notes(system, content=[str(path)])
