from __future__ import annotations

import copy

import pytest
import torch
from torch import nn
from torch.optim import AdamW, Muon
from torch.optim.lr_scheduler import LambdaLR

from cclearn.training.optimizer import MuonWithAdamW, adamw_with_head


class Small(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(11, 8)
        self.hidden = nn.Linear(8, 16)
        self.out = nn.Linear(16, 8, bias=False)
        self.lm_head = nn.Linear(8, 11, bias=False)
        self.head = nn.Linear(8, 8)
        self.head.query = nn.Parameter(torch.randn(3, 8))  # The vectors of three labels.

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        hidden = self.hidden(self.embed_tokens(tokens)).relu()
        hidden = self.out(hidden)
        labels = self.head(hidden) @ self.head.query.T
        return torch.cat([self.lm_head(hidden), labels], dim=-1)


@pytest.fixture
def model() -> Small:
    torch.manual_seed(0)
    return Small()


def backward(model: Small, seed: int) -> None:
    model.zero_grad()
    tokens = torch.randint(11, (4, 6), generator=torch.Generator().manual_seed(seed))
    model(tokens).square().mean().backward()


def weights(model: Small) -> list[torch.Tensor]:
    return [parameter.detach().clone() for parameter in model.parameters()]


def test_every_parameter_is_updated_by_its_optimizer(model: Small) -> None:
    other = copy.deepcopy(model)
    both = MuonWithAdamW(model, lr=0.01, weight_decay=0.1)
    muon = Muon(
        [other.hidden.weight, other.out.weight, other.head.weight],
        lr=0.01,
        weight_decay=0.1,
        adjust_lr_fn="match_rms_adamw",
    )
    decayed = AdamW(
        [other.embed_tokens.weight, other.lm_head.weight, other.head.query],  # type: ignore[list-item]
        lr=0.01,
        weight_decay=0.1,
    )
    plain = AdamW([other.hidden.bias, other.head.bias], lr=0.01, weight_decay=0.0)
    for seed in range(3):
        backward(model, seed)
        both.step()
        backward(other, seed)
        for part in (muon, decayed, plain):
            part.step()
    for ours, theirs in zip(weights(model), weights(other), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_a_scheduler_changes_both_optimizers(model: Small) -> None:
    optimizer = MuonWithAdamW(model, lr=0.01, weight_decay=0.0)
    scheduler = LambdaLR(optimizer, lambda step: 0.0 if step else 1.0)
    backward(model, 0)
    before = weights(model)
    optimizer.step()
    moved = weights(model)
    assert all(not torch.equal(a, b) for a, b in zip(before, moved, strict=True))
    scheduler.step()
    backward(model, 1)
    optimizer.step()
    assert all(torch.equal(a, b) for a, b in zip(moved, weights(model), strict=True))


def test_a_restored_optimizer_continues_identically(model: Small) -> None:
    optimizer = MuonWithAdamW(model, lr=0.01, weight_decay=0.1)
    backward(model, 0)
    optimizer.step()
    twin = copy.deepcopy(model)
    restored = MuonWithAdamW(twin, lr=0.5, weight_decay=0.1)
    restored.load_state_dict(copy.deepcopy(optimizer.state_dict()))
    for module, optimizer_of_module in ((model, optimizer), (twin, restored)):
        backward(module, 1)
        optimizer_of_module.step()
    assert all(torch.equal(a, b) for a, b in zip(weights(model), weights(twin), strict=True))
    scheduler = LambdaLR(restored, lambda _: 0.0)
    assert scheduler.get_last_lr() == [0.0] * len(restored.param_groups)


def test_frozen_parameters_are_left_out(model: Small) -> None:
    model.out.weight.requires_grad_(False)
    optimizer = MuonWithAdamW(model, lr=0.01, weight_decay=0.0)
    optimized = {id(p) for group in optimizer.param_groups for p in group["params"]}
    assert id(model.out.weight) not in optimized
    assert len(optimized) == len(list(model.parameters())) - 1


def test_the_head_has_its_own_learning_rate(model: Small) -> None:
    other = copy.deepcopy(model)
    both = adamw_with_head(model, lr=0.01, weight_decay=0.1, head_lr=0.05)
    groups = [
        ([other.embed_tokens.weight, other.hidden.weight, other.out.weight], 0.01, 0.1),
        ([other.hidden.bias], 0.01, 0.0),
        ([other.lm_head.weight], 0.01, 0.1),
        ([other.head.weight, other.head.query], 0.05, 0.1),
        ([other.head.bias], 0.05, 0.0),
    ]
    apart = [AdamW(list(w), lr=lr, weight_decay=decay) for w, lr, decay in groups]  # type: ignore[arg-type]
    schedules = [LambdaLR(part, lambda step: 1 / (step + 1)) for part in (both, *apart)]
    for seed in range(3):
        backward(model, seed)
        backward(other, seed)
        for part in (both, *apart):
            part.step()
        for schedule in schedules:
            schedule.step()
    for one, two in zip(weights(model), weights(other), strict=True):
        torch.testing.assert_close(one, two)
