from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from cclearn.baselines.evidence import attributions, evidence_spans, word_shares, words_of
from cclearn.baselines.model import PlmModel
from tests.baselines import test_model


@pytest.fixture(params=["bert", "modernbert"])
def model(request: pytest.FixtureRequest) -> PlmModel:
    made = test_model.model(request.param, "plm_icd")
    with torch.no_grad():  # The initial attention is almost the same for all tokens.
        for weight in made.parameters():
            weight.copy_(weight * 5)
    return made


def tokens(number: int) -> torch.Tensor:
    return test_model.batch(number)[0][0]


def test_gradients_are_those_of_the_whole_document(model: PlmModel) -> None:
    ids = tokens(2 * model.config.chunk + 3)
    chosen = torch.tensor([2, 0])
    found = attributions(model, ids, chosen, "attingrad")
    embedded: list[torch.Tensor] = []

    def keep(module: object, inputs: object, output: torch.Tensor) -> torch.Tensor:
        embedded.append(output.detach().requires_grad_())
        return embedded[-1]

    handle = model.encoder.embeddings.register_forward_hook(keep)
    mask = torch.ones(1, len(ids), dtype=torch.long)
    logits = model(ids[None], mask).logits[0]
    handle.remove()
    hidden = model.hidden_states(ids[None], mask)
    attention = model.head.attention(hidden, mask.bool(), chosen)[0]
    for row, label in enumerate(chosen.tolist()):
        (gradient,) = torch.autograd.grad(logits[label], embedded[0], retain_graph=True)
        norms = (gradient * embedded[0]).norm(dim=-1).flatten()[: len(ids)]
        expected = attention[row] * norms
        torch.testing.assert_close(found[row], expected / expected.sum(), rtol=1e-4, atol=1e-6)


def test_shares_are_positive_and_add_up_to_one(model: PlmModel) -> None:
    for method in ("attention", "attingrad"):
        found = attributions(model, tokens(25), torch.tensor([0, 1, 2]), method)
        assert (found >= 0).all()
        torch.testing.assert_close(found.sum(dim=-1), torch.ones(3))


def test_evidence_does_not_depend_on_the_batches_of_chunks(model: PlmModel) -> None:
    ids, chosen = tokens(45), torch.tensor([0, 1])
    expected = attributions(model, ids, chosen, "attingrad")
    model.config.encode_batch = 1
    torch.testing.assert_close(attributions(model, ids, chosen, "attingrad"), expected)


def test_the_tokens_of_a_word_are_added_up() -> None:
    text = "Acute pain, knee"
    words = words_of(text)
    assert [text[start:end] for start, end in words] == ["Acute", "pain", "knee"]
    offsets = [(0, 0), (0, 3), (3, 5), (5, 10), (10, 11), (11, 16), (0, 0)]
    shares = np.array([[0.1, 0.2, 0.3, 0.1, 0.1, 0.1, 0.1]])
    np.testing.assert_allclose(word_shares(words, offsets, shares), [[0.5, 0.1, 0.1]])
    assert word_shares([], offsets, shares).shape == (1, 0)


def test_neighbouring_words_of_a_line_are_one_span() -> None:
    text = "severe chest pain\nsince noon today"
    words = words_of(text)
    spans = evidence_spans(text, words, np.array([0.1, 0.3, 0.3, 0.2, 0.0, 0.2]), 0.2)
    assert [text[start:end] for start, end in spans] == ["chest pain", "since", "today"]


@given(st.text(max_size=60), st.data())
def test_spans_are_words_above_the_threshold(text: str, data: st.DataObject) -> None:
    words = words_of(text)
    shares = np.array([data.draw(st.sampled_from([0.0, 0.5, 1.0])) for _ in words])
    spans = evidence_spans(text, words, shares, 0.5)
    inside = {
        index
        for index, (start, end) in enumerate(words)
        if any(first <= start and end <= last for first, last in spans)
    }
    assert inside == set(np.flatnonzero(shares >= 0.5).tolist())
    assert all(a[1] <= b[0] for a, b in itertools.pairwise(spans))
