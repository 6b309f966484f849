from __future__ import annotations

from pathlib import Path

import pytest

from cclearn.codes import CodeSystem
from data_builders.content.reading import read_content, shipped_files
from data_builders.policies.checks import check_content

FACTS = """\
facts:
  diabetes: {kind: problem, words: [diabetes], code: E11.9}
  kidney:
    kind: problem
    words: [CKD]
    code: N18.9
    forms: {stage_5: {words: [CKD 5], code: N18.5}}
  pain: {kind: symptom, words: [pain], code: R52}
policies:
"""


def problems(tmp_path: Path, policies: str, system: CodeSystem, facts: str = FACTS) -> list[str]:
    path = tmp_path / "mine.yaml"
    path.write_text(facts + policies, encoding="utf-8")
    content = read_content([*shipped_files("phrases", "templates"), path], system)
    return [line.removeprefix(f"{path}:") for line in check_content(content, system)]


def policy(name: str, rest: str) -> str:
    return f"  - {{name: {name}, section: I.B.9, {rest}}}\n"


def test_policies_that_agree_have_no_problem(tmp_path: Path, system: CodeSystem) -> None:
    text = policy(
        "both", "when: [diabetes, kidney], codes: [E11.22], replaces: [E11.9], before: [N18]"
    )
    assert problems(tmp_path, text, system) == []


@pytest.mark.parametrize(
    ("policies", "problem"),
    [
        (policy("one", "when: [diabetes], codes: [E11]"), "E11 is header, not a billable code"),
        (policy("one", "when: [diabetes], codes: [E99.9]"), "E99.9 is unknown"),
        (
            policy("one", "when: [diabetes], codes: [E11.65], replaces: [Y7X]"),
            "no code begins with Y7X",
        ),
        (
            policy("one", "when: [diabetes], codes: [E11.65, E10.65]"),
            "an Excludes1 note separates E11.65 and E10.65",
        ),
        (
            policy("one", "when: [diabetes, kidney], codes: [E11.65]")
            + policy("two", "when: [diabetes], codes: [E10.65]"),
            "two and one contradict each other: an Excludes1 note separates E11.65 and E10.65",
        ),
        (
            policy("one", "when: [diabetes], codes: [E11.65]")
            + policy("two", "when: [diabetes], codes: [E11.65]"),
            "two repeats one",
        ),
        (
            policy("one", "when: [kidney], codes: [E11.22]")
            + policy("two", "when: [kidney.stage_5], codes: [E11.22]"),
            "two never matters, because one shadows it",
        ),
        (
            policy("one", "when: [kidney], codes: [E11.22]")
            + policy("two", "when: [kidney], codes: [E11.29], replaces: [E11.22]"),
            "one never matters, because two shadows it",
        ),
        (
            policy("one", "when: [kidney], codes: [E11.22], replaces: [E11.29]")
            + policy("two", "when: [kidney], codes: [E11.29], replaces: [E11.22]"),
            "two and one replace each other's codes",
        ),
        (
            policy("one", "when: [kidney], codes: [E11.22], before: [I12]")
            + policy("two", "when: [pain], codes: [I12.9], before: [E11.2]"),
            "order their codes in a circle",
        ),
    ],
)
def test_a_wrong_policy_is_named(
    tmp_path: Path, system: CodeSystem, policies: str, problem: str
) -> None:
    found = problems(tmp_path, policies, system)
    assert any(problem in line for line in found), found
    assert all(line[0].isdigit() for line in found)  # Each has the number of its line.


def test_facts_that_cannot_be_mentioned_are_named(tmp_path: Path, system: CodeSystem) -> None:
    path = tmp_path / "mine.yaml"
    path.write_text(
        "facts: {slip: {kind: cause, words: [a slip], code: W01.0XXA}}\n"
        "templates: {note: {setting: inpatient, principal: [injury], sections: [{takes: [problem]}]}}\n"
    )
    content = read_content([*shipped_files("phrases"), path], system)
    text = "\n".join(check_content(content, system))
    assert "no template mentions facts of the kind cause" in text
    assert "templates.note.principal: no section mentions the kind injury" in text
