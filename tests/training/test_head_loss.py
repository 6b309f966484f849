from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch.nn import functional
from transformers import (
    AutoModelForCausalLM,
    Gemma2Config,
    Gemma3TextConfig,
    GraniteConfig,
    LlamaConfig,
)

from cclearn.training import head_loss
from cclearn.training.head_loss import IGNORED, has_plain_head, summed_loss

SHAPE: dict[str, Any] = {
    "vocab_size": 50,
    "hidden_size": 16,
    "intermediate_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "num_key_value_heads": 1,
    "head_dim": 8,
}


def model_of(config: Any) -> Any:
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(config)


def batch() -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    ids = torch.randint(0, 50, (3, 12), generator=generator)
    labels = ids.clone()
    labels[:, :5] = IGNORED
    labels[2] = IGNORED
    return {"input_ids": ids, "labels": labels, "attention_mask": torch.ones_like(ids)}


def expected_loss(model: Any, inputs: dict[str, torch.Tensor]) -> torch.Tensor:
    """A second implementation, with the logits of all positions."""
    logits = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    return functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), inputs["labels"][:, 1:].flatten(), reduction="sum"
    )


@pytest.mark.parametrize("chunk", [1, 5, 512])
@pytest.mark.parametrize("tied", [True, False])
def test_loss_and_gradients_are_those_of_all_logits(
    monkeypatch: pytest.MonkeyPatch, tied: bool, chunk: int
) -> None:
    monkeypatch.setattr(head_loss, "_CHUNK", chunk)
    model = model_of(Gemma3TextConfig(**SHAPE, tie_word_embeddings=tied))
    inputs = batch()
    expected = expected_loss(model, inputs)
    (0.25 * expected).backward()
    gradients = {name: weight.grad.clone() for name, weight in model.named_parameters()}
    model.zero_grad()
    with summed_loss(model, inputs["labels"]):
        loss = model(input_ids=inputs["input_ids"], attention_mask=inputs["attention_mask"]).logits
    (0.25 * loss).backward()
    assert loss.dtype == torch.float32
    torch.testing.assert_close(loss, expected)
    for name, weight in model.named_parameters():
        torch.testing.assert_close(weight.grad, gradients[name])
    # Outside the block the model has logits again.
    assert model(input_ids=inputs["input_ids"]).logits.shape == (3, 12, 50)


def test_a_bias_has_a_gradient() -> None:
    model = model_of(LlamaConfig(**SHAPE))
    model.lm_head = torch.nn.Linear(16, 50)
    inputs = batch()
    expected_loss(model, inputs).backward()
    expected = model.lm_head.bias.grad.clone()
    model.zero_grad()
    with summed_loss(model, inputs["labels"]):
        model(input_ids=inputs["input_ids"]).logits.backward()
    torch.testing.assert_close(model.lm_head.bias.grad, expected)


def test_in_16_bits_the_gradients_are_close_and_stored_in_32() -> None:
    model = model_of(LlamaConfig(**SHAPE))
    inputs = batch()
    expected = expected_loss(model, inputs)
    expected.backward()
    gradient = model.lm_head.weight.grad.clone()
    model.zero_grad()
    with summed_loss(model, inputs["labels"]), torch.autocast("cpu", torch.bfloat16):
        loss = model(input_ids=inputs["input_ids"]).logits
    loss.backward()
    torch.testing.assert_close(loss, expected, rtol=0.01, atol=0)
    assert model.lm_head.weight.grad.dtype == torch.float32
    torch.testing.assert_close(model.lm_head.weight.grad, gradient, rtol=0.1, atol=0.02)


def test_in_16_bits_a_likely_token_still_has_a_gradient() -> None:
    model = model_of(LlamaConfig(**SHAPE))
    hidden = torch.zeros(1, 16)
    hidden[0, 0] = 1.0
    with torch.no_grad():  # The likelihood of token 3 is 1 / (1 + 49 / e¹²), which is 0.9997.
        model.lm_head.weight.zero_()
        model.lm_head.weight[3, 0] = 12.0
    labels = torch.tensor([[IGNORED, 3]])
    with summed_loss(model, labels), torch.autocast("cpu", torch.bfloat16):
        loss = model.lm_head(torch.stack([hidden, hidden], dim=1))
    loss.backward()
    missing = 1 - 1 / (1 + 49 * math.exp(-12))
    assert loss.item() == pytest.approx(missing, rel=0.01)
    assert model.lm_head.weight.grad[3, 0].item() == pytest.approx(-missing, rel=0.01)


def test_frozen_weights_get_no_gradient() -> None:
    model = model_of(LlamaConfig(**SHAPE))
    model.lm_head.weight.requires_grad_(False)
    inputs = batch()
    with summed_loss(model, inputs["labels"]):
        model(input_ids=inputs["input_ids"]).logits.backward()
    assert model.lm_head.weight.grad is None
    assert model.model.layers[0].mlp.up_proj.weight.grad.abs().sum() > 0


def test_a_batch_without_labels_has_no_loss() -> None:
    model = model_of(LlamaConfig(**SHAPE))
    inputs = batch()
    with summed_loss(model, torch.full_like(inputs["labels"], IGNORED)):
        loss = model(input_ids=inputs["input_ids"]).logits
    loss.backward()
    assert loss == 0
    assert all(weight.grad is None or not weight.grad.any() for weight in model.parameters())


def test_the_head_is_restored_after_an_error() -> None:
    model = model_of(LlamaConfig(**SHAPE))
    with pytest.raises(ZeroDivisionError), summed_loss(model, batch()["labels"]):
        raise ZeroDivisionError
    assert model(input_ids=batch()["input_ids"]).logits.shape == (3, 12, 50)


def test_scaled_logits_are_left_to_trl() -> None:
    assert has_plain_head(model_of(Gemma3TextConfig(**SHAPE)))
    assert not has_plain_head(model_of(Gemma2Config(**SHAPE, final_logit_softcapping=30.0)))
    assert not has_plain_head(model_of(GraniteConfig(**SHAPE, logits_scaling=8.0)))
