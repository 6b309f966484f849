from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cclearn.engines import Choice, Engine
from cclearn.engines.cache import CachedEngine
from cclearn.engines.tree_scoring import TokenTree, score_answers
from cclearn.errors import CclearnError
from cclearn.prompts import span_answer, span_prompt
from tests.models import random_engine

ENGINE = random_engine(3)

tokens = st.lists(st.integers(5, 40), min_size=1, max_size=6)


@given(st.lists(tokens, min_size=1, max_size=12))
def test_a_tree_holds_each_sequence_and_each_beginning_once(sequences: list[list[int]]) -> None:
    tree = TokenTree.of(sequences)
    paths = []
    for node in range(len(tree.tokens)):
        path = []
        while node >= 0:
            path.append(tree.tokens[node])
            node = tree.parents[node]
        paths.append(tuple(reversed(path)))
    assert [paths[end] for end in tree.ends] == [tuple(sequence) for sequence in sequences]
    assert len(set(paths)) == len(paths)
    assert tree.depths == [len(path) - 1 for path in paths]
    reach = tree.reach()
    for node, path in enumerate(paths):
        seen = {paths[other] for other in reach[node].nonzero()[0]}
        assert seen == {path[: length + 1] for length in range(len(path))}


@given(tokens, st.lists(tokens, min_size=1, max_size=8))
def test_weights_are_those_of_each_answer_by_itself(
    prompt: list[int], answers: list[list[int]]
) -> None:
    scores = score_answers(ENGINE.model, prompt, answers)
    for answer, score in zip(answers, scores, strict=True):
        with torch.inference_mode():
            logits = ENGINE.model(torch.tensor([prompt + answer])).logits[0].log_softmax(-1)
        alone = sum(
            float(logits[len(prompt) + position - 1, token])
            for position, token in enumerate(answer)
        )
        assert score == pytest.approx(alone, abs=1e-3)


def test_the_model_weighs_what_it_would_write() -> None:
    # All one-token answers together are certain.
    vocabulary = ENGINE.model.config.vocab_size
    scores = score_answers(ENGINE.model, [7, 8, 9], [[token] for token in range(vocabulary)])
    assert math.fsum(map(math.exp, scores)) == pytest.approx(1, abs=1e-4)


def test_choices_are_weighed_in_order_and_long_ones_are_told() -> None:
    answers = [span_answer("Sugar", code) for code in ("E11.9", "E11.65", "I10")] + ["none"]
    choices = [
        Choice(str(number), span_prompt(text), answers)
        for number, text in enumerate(["Sugar", "a b c d " * 600, "Pressure"])
    ]
    first, long, last = ENGINE.log_likelihoods(iter(choices))
    assert [first.id, long.id, last.id] == ["0", "1", "2"]
    assert (long.problem, long.log_probabilities) == ("exceeds_context", [])
    assert len(first.log_probabilities) == 4
    assert all(score < 0 for score in first.log_probabilities)
    assert first.log_probabilities != last.log_probabilities


def test_weights_are_kept(tmp_path: Path) -> None:
    engine = random_engine(3)
    engine._model_sha256 = "this one"
    cached = CachedEngine(engine, tmp_path / "answers.sqlite")
    choice = Choice("a", span_prompt("Sugar"), ["none", span_answer("Sugar", "E11.9")])
    (first,) = cached.log_likelihoods([choice])
    (again,) = cached.log_likelihoods([choice])
    assert (cached.hits, again) == (1, first)
    (other,) = cached.log_likelihoods([Choice("a", choice.prompt, ["none"])])
    assert cached.hits == 1
    assert other.log_probabilities[0] == pytest.approx(first.log_probabilities[0], abs=1e-4)
    cached.close()


def test_an_engine_that_cannot_weigh_says_so() -> None:
    class Mute(Engine):
        name = "mute"
        grounded = False

        def generate(self, requests: object) -> object:  # type: ignore[override]
            return iter(())

    with pytest.raises(CclearnError, match="mute"):
        next(Mute().log_likelihoods([]))
