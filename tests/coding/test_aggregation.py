from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.coding.aggregation import aggregate
from cclearn.coding.findings import Finding

TEXT = "abcdefghij" * 3
findings = st.builds(
    Finding,
    code=st.sampled_from(["I21.4", "I10", "E11.9"]),
    start=st.integers(0, 9),
    end=st.integers(10, 30),
    score=st.none() | st.floats(0, 1),
    assertion=st.sampled_from(["present", "negated", "family", "historical"]),
)


@given(st.lists(findings, max_size=12), st.randoms())
def test_order_and_repetition_do_not_matter(found: list[Finding], order: random.Random) -> None:
    system = CodeSystem.load()
    once = aggregate(TEXT, found, system)
    again = [*found, *order.sample(found, len(found) // 2)]
    order.shuffle(again)
    assert aggregate(TEXT, again, system) == once
    assert len({assigned.code for assigned in once}) == len(once)


def test_a_code_keeps_all_its_evidence_and_its_best_score(system: CodeSystem) -> None:
    assigned = aggregate(
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


def test_a_code_seen_only_as_history_says_so(system: CodeSystem) -> None:
    past = Finding("I10", 1, 3, assertion="historical")
    assert aggregate(TEXT, [past], system)[0].assertion == "historical"
    assert aggregate(TEXT, [past, Finding("I10", 5, 8)], system)[0].assertion == "present"
