from __future__ import annotations

import math
from collections.abc import Iterable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cclearn.codes import CodeSystem
from cclearn.coding.base import Usage
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.coding.span_loop.assigners import (
    Assignment,
    ChoosingAssigner,
    GeneratingAssigner,
    Mention,
    RetrievingAssigner,
    choose,
)
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.coding.span_loop.verify import VerifyingAssigner
from cclearn.engines import Answer, Choice, Engine, LogLikelihoods, Request
from cclearn.notes import Invalid, SpanPair


class Weighing(Engine):
    """Prefers answers that hold some words."""

    name = "weighing"
    grounded = False
    gives_log_likelihoods = True

    def __init__(self, *preferred: str, problem: str | None = None) -> None:
        self.preferred = preferred
        self.problem = problem
        self.choices: list[Choice] = []

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        raise AssertionError

    def log_likelihoods(self, choices: Iterable[Choice]) -> Iterator[LogLikelihoods]:
        for choice in choices:
            self.choices.append(choice)
            logs = [
                -1.0 if any(words in answer for words in self.preferred) else -9.0
                for answer in choice.answers
            ]
            yield LogLikelihoods(choice.id, [] if self.problem else logs, 10, problem=self.problem)


def test_pairs_of_the_same_string_count_beside_the_model(system: CodeSystem) -> None:
    pairs = [
        SpanPair(id=str(number), text="Dolor", code=code, release="x", grade="gold", source="test")
        for number, code in enumerate(["R52", "R52", "R52", "M54.2"])
    ]
    candidates = Candidates(LexiconCoder(system), pairs=pairs)
    # Three and one of four pairs. One more pair: a third for `none`, the rest divided as 1 to 1/2.
    shares = candidates.log_shares("dolor", ["R52", "M54.2"])
    assert shares == pytest.approx([math.log(x / 45) for x in (31, 11, 3)])
    shares = candidates.log_shares("tos", ["R52", "M54.2"])
    assert shares == pytest.approx([math.log(x / 9) for x in (4, 2, 3)])
    assert candidates.log_shares("tos", []) == [0.0]

    def chosen(prior: float, text: str = "dolor") -> str:
        assigner = ChoosingAssigner(Weighing("M54.2"), candidates, max_candidates=4, prior=prior)
        (assignment,) = assigner.assign([Mention("a", text)])
        return assignment.codes[0]

    assert candidates.signals("dolor", ["R52", "M54.2"], "M54.2") == pytest.approx(
        {"log_pairs": math.log(2), "pair_share": 1 / 4, "log_rank": math.log(2)}
    )
    assert candidates.signals("tos", ["R05.9"], "R05.9") == {
        "log_pairs": 0,
        "pair_share": 0,
        "log_rank": 0,
    }
    (assignment,) = ChoosingAssigner(Weighing("R52"), candidates).assign([Mention("a", "dolor")])
    assert assignment.signals["pair_share"] == 3 / 4

    # The model prefers the rarer code by 8 nats, and the pairs the other one by log(10 / 4).
    assert chosen(0) == chosen(1) == "M54.2"
    assert chosen(10) == "R52"


class Writing(Engine):
    """Writes the answers it was made with."""

    name = "writing"
    grounded = False

    def __init__(self, *answers: Answer) -> None:
        self.answers = answers

    def generate(self, requests: Iterable[Request]) -> Iterator[Answer]:
        for _, answer in zip(requests, self.answers, strict=True):
            yield answer


@pytest.fixture(scope="module")
def candidates(system: CodeSystem) -> Candidates:
    return Candidates(LexiconCoder(system))


@given(st.lists(st.floats(-50, 0), min_size=1, max_size=12))
def test_the_most_likely_code_is_chosen_unless_none_is_more_likely(logs: list[float]) -> None:
    codes = [f"C{number:02}" for number in range(len(logs) - 1)]
    assigned = choose(codes, logs)
    likelier = [code for code, log in zip(codes, logs, strict=False) if log > logs[-1]]
    assert sorted(assigned.codes) == likelier
    if likelier:
        shares = [math.exp(log) / sum(map(math.exp, logs)) for log in logs]
        assert assigned.score == pytest.approx(max(shares))
        assert logs[codes.index(assigned.codes[0])] == max(logs)
    else:
        assert assigned == Assignment()


def test_a_model_chooses_among_candidates(candidates: Candidates) -> None:
    engine = Weighing("E11.8")
    usage = Usage()
    assigner = ChoosingAssigner(engine, candidates, max_candidates=30, usage=usage)
    mentions = [Mention("a", "type 2 diabetes", "public"), Mention("b", "fracture of rib")]
    first, second = assigner.assign(mentions)
    assert first.codes[0] == "E11.8"
    assert first.score == pytest.approx(math.exp(-1) / (math.exp(-1) + 30 * math.exp(-9)), rel=1e-3)
    # None of the others is likelier than nothing.
    assert second == Assignment()
    assert [choice.origin for choice in engine.choices] == ["public", "restricted"]
    assert all(choice.answers[-1] == "none" for choice in engine.choices)
    assert len(engine.choices[0].answers) == 31
    assert "- type 2 diabetes => E11.9" in engine.choices[0].answers
    assert usage.prompt_tokens == 20


def test_a_span_without_log_likelihoods_has_the_problem_of_the_engine(
    candidates: Candidates,
) -> None:
    engine = Weighing(problem="exceeds_context")
    (assigned,) = ChoosingAssigner(engine, candidates).assign([Mention("a", "fever")])
    assert assigned == Assignment(problem="exceeds_context")


def test_spans_without_an_answer_are_counted(candidates: Candidates, system: CodeSystem) -> None:
    usage = Usage()
    engine = Weighing(problem="exceeds_context")
    verifying = VerifyingAssigner(RetrievingAssigner(candidates), engine, system, usage)
    choosing = ChoosingAssigner(engine, candidates, usage=usage)
    generating = GeneratingAssigner(
        Writing(Answer("1", "", problem="timeout")), system, usage=usage
    )
    for assigner in (verifying, choosing, generating):
        (assigned,) = assigner.assign([Mention("a", "type 2 diabetes")])
        assert assigned.problem
    assert usage.problems == {"exceeds_context": 2, "timeout": 1}
    assert usage.prompt_tokens == 20


def test_a_model_generates_the_code(system: CodeSystem) -> None:
    answers = [
        Answer("1", "- Sugar => E11.9 Type 2 diabetes mellitus"),
        Answer("2", "- Sugar => E11"),
        Answer("3", "none"),
        Answer("4", "I cannot help with that."),
        Answer("5", "", problem="timeout"),
    ]
    assigner = GeneratingAssigner(Writing(*answers), system)
    found = list(assigner.assign(Mention(str(n), "Sugar") for n in range(5)))
    assert found == [
        Assignment(["E11.9"]),
        Assignment(invalid=Invalid(code="E11", status="header")),
        Assignment(),
        Assignment(invalid=Invalid(code=None, status="unreadable")),
        Assignment(problem="timeout"),
    ]


def test_the_nearest_candidates_are_assigned_without_a_model(candidates: Candidates) -> None:
    (assigned,) = RetrievingAssigner(candidates).assign([Mention("a", "Anxiety disorder")])
    assert assigned.codes[0] == "F41.9"
    assert assigned.score is None


def test_siblings_are_distinguished_by_their_descriptions(
    candidates: Candidates, system: CodeSystem
) -> None:
    engine = Weighing("with hyperglycemia")
    inner = RetrievingAssigner(candidates)
    assigner = VerifyingAssigner(inner, engine, system)
    mentions = [Mention("a", "Type 2 diabetes mellitus with hypoglycemia without coma")]
    assert next(inner.assign(mentions)).codes[0] == "E11.649"
    (assigned,) = VerifyingAssigner(inner, Weighing("without coma"), system).assign(mentions)
    assert assigned.codes[0] == "E11.649"
    # Not a sibling of the code: none is left.
    (assigned,) = assigner.assign(mentions)
    assert assigned == Assignment()
    (choice,) = engine.choices
    assert choice.complete
    assert "E11" not in str(choice.prompt)
    assert choice.answers[-1] == "none"
    assert len(choice.answers) == len(system.neighbours("E11.649")) + 2
