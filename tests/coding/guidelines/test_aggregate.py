from __future__ import annotations

import random
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding, NoteFindings
from cclearn.coding.guidelines.aggregate import aggregate, aggregate_findings
from cclearn.coding.guidelines.flags import add_rule_flags
from cclearn.coding.guidelines.uncertain import Encounter
from cclearn.notes import Invalid, Note

TEXT = "abcdefghij" * 3
findings = st.builds(
    Finding,
    code=st.sampled_from(["I21.4", "I10", "E11.9", "E10.9", "F02.80", "G30.9", "U07.1", "N40.0"]),
    start=st.integers(0, 9),
    end=st.integers(10, 30),
    score=st.none() | st.floats(0, 1),
    assertion=st.sampled_from(["present", "negated", "family", "historical", "uncertain"]),
)
headers = st.builds(
    Finding,
    code=st.sampled_from(["I21", "E11", "F02", "E08-E13", "9"]),
    start=st.integers(0, 9),
    end=st.integers(10, 30),
    assertion=st.sampled_from(["present", "negated", "uncertain"]),
)
encounters = st.sampled_from(["inpatient", "outpatient", None])


@given(st.lists(findings, max_size=12), st.randoms())
def test_order_and_repetition_do_not_matter(found: list[Finding], order: random.Random) -> None:
    system = CodeSystem.load()
    once = aggregate_findings(TEXT, found, system)
    again = [*found, *order.sample(found, len(found) // 2)]
    order.shuffle(again)
    assert aggregate_findings(TEXT, again, system) == once
    assert len({assigned.code for assigned in once}) == len(once)


def test_a_code_keeps_all_its_evidence_and_its_best_score(system: CodeSystem) -> None:
    assigned = aggregate_findings(
        TEXT,
        [
            Finding("I10", 5, 8, 0.2),
            Finding("I10", 1, 3, 0.9),
            Finding("I10", 1, 3, 0.4),
            Finding("E11.9", 0, 1, None),
            Finding("I21.4", 2, 4, 0.9, "negated"),
            Finding("I21.4", 6, 9, 0.9, "family"),
        ],
        system,
    )
    assert [(a.code, a.score) for a in assigned] == [("E11.9", None), ("I10", 0.9)]
    assert [(e.start, e.end, e.text) for e in assigned[1].evidence] == [
        (1, 3, "bc"),
        (5, 8, "fgh"),
    ]
    assert assigned[1].description == "Essential (primary) hypertension"
    assert assigned[1].status == "valid"


def test_a_code_with_only_historical_mentions_is_historical(system: CodeSystem) -> None:
    past = Finding("I10", 1, 3, assertion="historical")
    assert aggregate_findings(TEXT, [past], system)[0].assertion == "historical"
    assert aggregate_findings(TEXT, [past, Finding("I10", 5, 8)], system)[0].assertion == "present"


@given(st.lists(findings, max_size=12), st.lists(headers, max_size=4), encounters, st.randoms())
def test_rules_do_not_depend_on_order_or_repetition(
    found: list[Finding], above: list[Finding], encounter: Encounter | None, order: random.Random
) -> None:
    system = CodeSystem.load()
    note = Note(id="n", text=TEXT)
    once = add_rule_flags(
        aggregate(NoteFindings(note, found, headers=above), system, encounter), system
    )
    again = [*found, *order.sample(found, len(found) // 2)]
    twice = [*above, *order.sample(above, len(above) // 2)]
    order.shuffle(again)
    order.shuffle(twice)
    assert (
        add_rule_flags(
            aggregate(NoteFindings(note, again, headers=twice), system, encounter), system
        )
        == once
    )
    # What was concluded, read again, concludes the same.
    cited = [
        Finding(a.code, e.start, e.end, a.score, a.assertion)
        for a in once.codes
        for e in a.evidence
    ]
    codes = aggregate(NoteFindings(note, cited), system, encounter).codes
    assert [(a.code, a.evidence, a.assertion) for a in codes] == [
        (a.code, a.evidence, a.assertion) for a in once.codes
    ]
    headed = {a.code for a in once.codes if any(flag.startswith("header: ") for flag in a.flags)}
    assert headed <= {finding.code for finding in found}


def test_certain_mentions_decide_before_uncertain_ones(system: CodeSystem) -> None:
    uncertain = Finding("I10", 1, 3, assertion="uncertain")
    past = Finding("I10", 5, 8, assertion="historical")
    (assigned,) = aggregate_findings(TEXT, [uncertain], system)
    assert (assigned.assertion, len(assigned.flags)) == ("uncertain", 1)
    (assigned,) = aggregate_findings(TEXT, [uncertain, past], system)
    assert (assigned.assertion, assigned.flags, len(assigned.evidence)) == ("historical", [], 2)
    (assigned,) = aggregate_findings(TEXT, [uncertain, past], system, "outpatient")
    assert [(e.start, e.end) for e in assigned.evidence] == [(5, 8)]


def test_a_header_gives_way_to_the_one_cited_code_below_it(system: CodeSystem) -> None:
    note = Note(id="n", text=TEXT)
    header = Finding("I21", 1, 3, 0.9)
    answered = [Invalid(code="I21", status="header")]

    def concluded(*found: Finding, heads: tuple[Finding, ...] = (header,)) -> list[object]:
        note_findings = NoteFindings(note, list(found), headers=list(heads), invalid=answered)
        coded = aggregate(note_findings, system)
        assert coded.invalid == answered  # It was answered, whatever became of it.
        return [
            (a.code, a.score, [(e.start, e.end) for e in a.evidence], len(a.flags))
            for a in coded.codes
        ]

    child = Finding("I21.4", 5, 8, 0.4)
    assert concluded(child) == [("I21.4", 0.4, [(1, 3), (5, 8)], 1)]
    assert concluded(child, heads=(replace(header, assertion="negated"),)) == [
        ("I21.4", 0.4, [(5, 8)], 0)
    ]
    # None is cited below it, or two, or it is a block: nothing is guessed.
    assert concluded() == []
    assert len(concluded(child, Finding("I21.9", 6, 9))) == 2
    assert (1, 3) not in concluded(child, Finding("I21.9", 6, 9))[0][2]  # type: ignore[index]
    assert concluded(child, heads=(replace(header, code="I20-I25"),))[0] == (
        "I21.4",
        0.4,
        [(5, 8)],
        0,
    )
