from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from cclearn.baselines.heads import HEADS, LabelHead
from tests.baselines import reference

WIDTH, LABELS, TOKENS = 4, 5, 7


def head(name: str, label_chunk: int = 0) -> LabelHead:
    """Return a head in double precision, whose weights are far from their initial values."""
    torch.manual_seed(0)
    made = HEADS[name](WIDTH, LABELS, label_chunk).double()
    with torch.no_grad():
        for tensor in made.state_dict().values():
            tensor.copy_(torch.randn_like(tensor))
    return made


def arrays(made: LabelHead) -> dict[str, Any]:
    return {name: tensor.detach().numpy() for name, tensor in made.state_dict().items()}


def documents() -> tuple[torch.Tensor, torch.Tensor]:
    """Return hidden states of three documents with 7, 4 and no tokens, and their mask."""
    torch.manual_seed(1)
    hidden = torch.randn(3, TOKENS, WIDTH, dtype=torch.float64)
    lengths = torch.tensor([TOKENS, 4, 0])
    return hidden, torch.arange(TOKENS) < lengths[:, None]


@pytest.mark.parametrize("name", HEADS)
def test_logits_loss_and_gradients_are_those_of_numpy(name: str) -> None:
    made = head(name)
    hidden, _ = documents()
    hidden = hidden[:1].requires_grad_()
    labels = torch.tensor([[1.0, 0, 0, 1, 0]], dtype=torch.float64)
    logits = made(hidden, torch.ones(1, TOKENS, dtype=torch.bool))
    loss = binary_cross_entropy_with_logits(logits, labels)
    loss.backward()
    weights, plain = arrays(made), hidden.detach().numpy()[0]
    forward, gold = reference.HEADS[name], labels.numpy()[0]
    np.testing.assert_allclose(logits.detach().numpy()[0], forward(plain, weights), atol=1e-9)
    assert loss.item() == pytest.approx(reference.cross_entropy(forward(plain, weights), gold))
    for key, parameter in made.named_parameters():
        expected = reference.gradient(
            lambda value, key=key: reference.cross_entropy(
                forward(plain, {**weights, key: value}), gold
            ),
            weights[key],
        )
        assert parameter.grad is not None
        np.testing.assert_allclose(parameter.grad.numpy(), expected, atol=1e-7, err_msg=key)
    expected = reference.gradient(
        lambda value: reference.cross_entropy(forward(value, weights), gold), plain
    )
    assert hidden.grad is not None
    np.testing.assert_allclose(hidden.grad.numpy()[0], expected, atol=1e-7)


@pytest.mark.parametrize("name", HEADS)
def test_logits_depend_neither_on_padding_nor_on_other_documents(name: str) -> None:
    made = head(name)
    hidden, mask = documents()
    together = made(hidden, mask)
    other = hidden.clone()
    other[~mask] = 1e6
    torch.testing.assert_close(made(other, mask), together)
    for number, length in enumerate(mask.sum(1).tolist()):
        alone = made(
            hidden[number : number + 1, : max(1, length)],
            mask[number : number + 1, : max(1, length)],
        )
        torch.testing.assert_close(alone[0], together[number])
    assert together.isfinite().all()


@pytest.mark.parametrize("name", HEADS)
def test_parts_of_the_labels_have_the_same_logits_and_gradients(name: str) -> None:
    whole, parts = head(name), head(name, label_chunk=2)
    hidden, mask = documents()
    for made in (whole, parts):
        made(hidden, mask).square().sum().backward()
    torch.testing.assert_close(parts(hidden, mask), whole(hidden, mask))
    for (key, one), (_, two) in zip(
        whole.named_parameters(), parts.named_parameters(), strict=True
    ):
        torch.testing.assert_close(one.grad, two.grad, msg=key)
    order = torch.tensor([3, 0, 4])
    with torch.no_grad():
        torch.testing.assert_close(parts(hidden, mask, order), whole(hidden, mask)[:, order])


@pytest.mark.parametrize("name", HEADS)
def test_attention_is_a_distribution_over_the_tokens_of_a_document(name: str) -> None:
    made = head(name)
    hidden, mask = documents()
    found = made.attention(hidden, mask, torch.tensor([1, 2]))
    assert found.shape == (3, 2, TOKENS)
    assert (found[1, :, 4:] == 0).all()
    torch.testing.assert_close(found.sum(-1)[:2], torch.ones(2, 2, dtype=found.dtype))
    assert (found[2] == 0).all()


def test_descriptions_give_labels_their_weights() -> None:
    encodings = torch.randn(LABELS, WIDTH)
    gki = HEADS["gki_icd"](WIDTH, LABELS)
    gki.start_from(encodings)  # type: ignore[operator]
    torch.testing.assert_close(gki.queries(torch.arange(LABELS)), encodings)
    tied = HEADS["descriptions"](WIDTH, LABELS)
    tied.start_from(encodings)  # type: ignore[operator]
    assert "descriptions" in tied.state_dict()
    assert sum(p.numel() for p in tied.parameters()) == sum(
        p.numel() for p in HEADS["descriptions"](WIDTH, 1).parameters()
    )
