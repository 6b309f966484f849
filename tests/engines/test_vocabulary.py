from __future__ import annotations

from typing import Any

import pytest

from cclearn.engines import Request
from cclearn.engines.local import LocalEngine
from cclearn.errors import ConfigurationError
from cclearn.prompts import document_prompt
from cclearn.prompts.grammar import document_grammar
from cclearn.training.scratch import make_model, make_tokenizer
from tests.models import SHAPE, rows


def made() -> tuple[Any, Any]:
    """Return a model with random weights and a tokenizer that it fits exactly."""
    tokenizer = make_tokenizer(rows(), SHAPE.vocabulary)
    return make_model(SHAPE, tokenizer, max_length=512).eval(), tokenizer


def test_a_tokenizer_may_have_special_tokens_that_the_model_does_not_have() -> None:
    model, tokenizer = made()
    size = model.get_output_embeddings().weight.shape[0]
    # Gemma 3's tokenizer has 262,145 tokens, and its output layer 262,144 rows.
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image_soft_token>"]})
    assert len(tokenizer) == size + 1
    engine = LocalEngine(model, tokenizer, max_new_tokens=24)
    note = "No <image_soft_token>, but asthma."
    request = Request("n", document_prompt(note), document_grammar(note, "J45"))
    for answer in engine.generate([request, Request("free", document_prompt(note))]):
        assert answer.problem is None
        assert answer.answer_tokens > 0


def test_a_model_may_pad_its_vocabulary() -> None:
    model, tokenizer = made()
    model.resize_token_embeddings(len(tokenizer) + 64, mean_resizing=False)
    (answer,) = LocalEngine(model, tokenizer).generate(
        [Request("n", document_prompt("Asthma."), 'start: "- Asthma => J45"')]
    )
    assert answer.text == "- Asthma => J45"


def test_a_tokenizer_of_another_model_is_refused() -> None:
    model, tokenizer = made()
    size = model.get_output_embeddings().weight.shape[0]

    def problem() -> str:
        with pytest.raises(ConfigurationError) as caught:
            LocalEngine(model, tokenizer, name="mine")
        (line,) = caught.value.problems
        assert line.startswith("model (model = mine): its ")
        assert "\n" not in line
        return line

    model.resize_token_embeddings(3 * size, mean_resizing=False)
    assert f"its tokenizer has {size:,} tokens, and the model generates {3 * size:,}" in problem()
    model.resize_token_embeddings(size - 3, mean_resizing=False)
    assert f"tokens up to number {size - 1:,}, the model reads {size - 3:,}." in problem()
    model.resize_token_embeddings(size, mean_resizing=False)
    tokenizer.add_tokens(["asthma"])
    assert f"tokens up to number {size:,}" in problem()
