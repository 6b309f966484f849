from __future__ import annotations

from pathlib import Path
from typing import get_args

import pytest

from cclearn.codes import CodeSystem
from cclearn.errors import ConfigurationError, DataError
from data_builders.content.reading import Content, read_content, shipped_files
from data_builders.content.schema import (
    ContentFile,
    Fact,
    Form,
    Kind,
    Phrases,
    Policy,
    Section,
    Template,
)
from data_builders.policies.checks import check_content
from tests.data_builders.content.shipped import shipped_content
from tests.source_tree import ROOT


def content_of(tmp_path: Path, text: str, system: CodeSystem) -> Content:
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    return read_content([path], system)


def test_the_shipped_content_is_complete_and_without_a_problem(system: CodeSystem) -> None:
    content = shipped_content(system)
    assert check_content(content, system) == []
    assert len(content.templates) >= 12
    # Any codes can be in a note, of patients of any sex.
    kinds = set(get_args(Kind))
    assert {name for name, t in content.templates.items() if t.kinds != kinds or t.sex} == set()
    assert len(content.policies) >= 60
    codes = {
        code
        for fact in content.facts.values()
        for code in (fact.code, *(form.code for form in fact.forms.values()))
    } | {code for policy in content.policies for code in policy.codes}
    social = [c for c in system.billable_codes() if "Z55" <= c[:3] <= "Z65"]
    assert len(social) > 100
    assert set(social) <= codes
    assert {fact.category for fact in content.facts.values()} == {
        None,
        "advanced_illness",
        "frailty",
        "social",
    }


def test_a_later_file_replaces_entries_of_the_same_name(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text("facts: {gout: {kind: problem, words: [podagra], code: M10.9}}\n")
    content = read_content([*shipped_files(), path], system)
    assert content.facts["gout"].words == ("podagra",)
    assert content.places["facts", "gout"] == f"{path}:1"
    assert shipped_content(system).facts["gout"].words != ("podagra",)


def test_all_errors_are_named_with_file_and_line(tmp_path: Path, system: CodeSystem) -> None:
    text = """\
facts:
  gout:
    kind: disease
    words: ["{man|"]
  asthma:
    kind: problem
    wrods: [asthma]
policies:
  - name: one
    section: chapter 4
    when: [gout]
    codes: [M10.9]
"""
    with pytest.raises(ConfigurationError) as caught:
        content_of(tmp_path, text, system)
    lines = [line.removeprefix(str(tmp_path)) for line in caught.value.lines]
    assert any(line.startswith("/mine.yaml:3: facts.gout.kind: ") for line in lines)
    assert any(line.startswith("/mine.yaml:4: facts.gout.words.0: a brace") for line in lines)
    assert any("unknown key. Did you mean 'words'?" in line for line in lines)
    assert any(line.startswith("/mine.yaml:10: policies.0.section: ") for line in lines)


def test_unknown_names_and_slots_are_named(tmp_path: Path, system: CodeSystem) -> None:
    text = """\
facts:
  gout: {kind: problem, words: [gout], code: M10.9, often_with: [arthritis]}
policies:
  - {name: one, section: I.B.2, when: [gout.acute], codes: [M10.9]}
templates:
  visit:
    setting: outpatient
    sections:
      - {opening: ["{patient} came."], takes: [problem], sentences: {any: ["A {word}."]}}
slots: {empty: []}
"""
    with pytest.raises(ConfigurationError) as caught:
        content_of(tmp_path, text, system)
    message = "\n".join(caught.value.lines)
    for problem in (
        "mine.yaml:2: facts.gout.often_with: no fact is called arthritis",
        "mine.yaml:4: policies.one: no fact is called gout.acute",
        "mine.yaml:9: templates.visit.sections.0: no slot is called patient",
        "mine.yaml:9: templates.visit.sections.0: no slot is called word",
        "mine.yaml:9: templates.visit.sections.0: a sentence has no {fact}",
        "mine.yaml:10: slots.empty: the slot has no words",
    ):
        assert problem in message


def test_a_range_without_codes_is_an_error(tmp_path: Path, system: CodeSystem) -> None:
    with pytest.raises(ConfigurationError, match="no billable code is in Q99-Q98"):
        content_of(tmp_path, "complete: {rare: [Q99-Q98]}\n", system)


@pytest.mark.parametrize("text", ["- a list\n", "", "a: &a [*a]\n"])
def test_other_yaml_is_refused(tmp_path: Path, system: CodeSystem, text: str) -> None:
    with pytest.raises(DataError):
        content_of(tmp_path, text, system)


def test_a_yaml_bomb_is_refused(tmp_path: Path, system: CodeSystem) -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]
    with pytest.raises(DataError, match="expand to more than"):
        content_of(tmp_path, "\n".join(rows), system)


def test_a_folder_without_content_is_refused(tmp_path: Path, system: CodeSystem) -> None:
    with pytest.raises(DataError, match="no YAML file"):
        read_content([tmp_path], system)


def test_the_page_states_what_the_package_contains(system: CodeSystem) -> None:
    content = shipped_content(system)
    by_hand = sum(name not in system for name in content.facts)
    page = (ROOT / "docs" / "synthetic_data.md").read_text(encoding="utf-8")
    assert f"| templates | {len(content.templates)}: " in page
    assert f"| policies | {len(content.policies)}, " in page
    assert f"| facts | {by_hand} written by hand, and {len(content.facts) - by_hand} with" in page


def test_the_page_has_every_key() -> None:
    page = (ROOT / "docs" / "synthetic_data.md").read_text(encoding="utf-8")
    entries = (ContentFile, Fact, Form, Policy, Template, Section, Phrases)
    keys = {(entry.__name__, key) for entry in entries for key in entry.model_fields}
    assert {(entry, key) for entry, key in keys if f"`{key}`" not in page} == {
        # The name and the remark of a policy are in its example.
        ("Policy", "name"),
        ("Policy", "why"),
    }
