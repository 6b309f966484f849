from __future__ import annotations

import numpy as np
import pytest
import torch

from cclearn.baselines.losses import consistency_loss, label_loss, sample_labels, similarity_loss
from tests.baselines import reference

LOGITS = torch.tensor([[0.5, -1.0, 2.0, 0.0], [-0.3, 0.2, 0.1, -2.0]])
GOLD = torch.tensor([[1.0, 0, 0, 1], [0, 0, 0, 0]])


def test_the_loss_is_the_mean_over_documents_and_labels() -> None:
    expected = reference.cross_entropy(LOGITS.numpy(), GOLD.numpy())
    assert label_loss(LOGITS, GOLD).item() == pytest.approx(expected, rel=1e-6)


def test_weights_count_labels_several_times() -> None:
    repeated = [0, 1, 1, 1, 2, 3]
    weights = torch.tensor([1.0, 3, 1, 1])
    expected = label_loss(LOGITS[:, repeated], GOLD[:, repeated])
    assert label_loss(LOGITS, GOLD, weights).item() == pytest.approx(expected.item())


def test_the_consistency_is_the_symmetric_divergence_divided_by_the_labels() -> None:
    other = LOGITS.flip(1)
    p, q = reference.softmax(LOGITS.double().numpy()), reference.softmax(other.double().numpy())
    divergence = (p * np.log(p / q) + q * np.log(q / p)).sum(axis=-1) / 2 / LOGITS.shape[1]
    assert consistency_loss(LOGITS, other).item() == pytest.approx(divergence.mean(), rel=1e-5)
    assert consistency_loss(LOGITS, LOGITS).item() == pytest.approx(0, abs=1e-7)


def test_the_similarity_is_that_of_gold_labels() -> None:
    one = torch.tensor([[[1.0, 0], [1, 1], [5, 5]]])
    two = torch.tensor([[[0.0, 2], [2, 2], [-5, 5]]])
    found = similarity_loss(one, two, torch.tensor([[1.0, 1, 0]]))
    assert found.item() == pytest.approx((1.0 + 0.0) / 2, abs=1e-6)
    assert similarity_loss(one, two, torch.zeros(1, 3)).item() == 0.0


def test_sampled_labels_contain_all_gold_labels_and_have_the_expected_loss_of_all() -> None:
    labels = torch.zeros(3, 40)
    labels[0, 5] = labels[1, 5] = labels[2, 33] = 1
    logits = torch.randn(3, 40, generator=torch.Generator().manual_seed(1))
    whole = label_loss(logits, labels).item()
    found = []
    for seed in range(600):
        chosen, weights = sample_labels(labels, 6, torch.Generator().manual_seed(seed))
        assert chosen.tolist() == sorted(set(chosen.tolist()))
        assert len(chosen) == 8
        assert {5, 33} <= set(chosen.tolist())
        assert weights is not None
        assert weights.sum().item() == pytest.approx(40)
        found.append(label_loss(logits[:, chosen], labels[:, chosen], weights).item())
    spread = float(np.std(found)) / len(found) ** 0.5
    assert abs(np.mean(found) - whole) < 4 * spread


def test_all_labels_are_used_if_the_sample_is_as_large() -> None:
    chosen, weights = sample_labels(GOLD, 2, torch.Generator())
    assert chosen.tolist() == [0, 1, 2, 3]
    assert weights is None
