"""The log-probabilities of many answers to one prompt, by one forward pass.

The answers' tokens form a tree, because most answers have a common beginning. Each node attends to the
prompt, to its ancestors and to itself, so that the prompt and every common beginning are computed once
(tree attention, Miao et al. 2023, SpecInfer, arXiv 2305.09781).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from cclearn.engines.logits import broken_rows

if TYPE_CHECKING:
    from transformers import PreTrainedModel


@dataclass(frozen=True, slots=True)
class TokenTree:
    """A prefix tree of token sequences: common beginnings are stored once.

    Attributes:
        tokens: Token of each node. A node comes after its parent.
        parents: Parent of each node, -1 for the first token of a sequence.
        depths: Number of ancestors of each node.
        ends: Last node of each sequence.
    """

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    ends: list[int]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> TokenTree:
        """Return the tree of sequences. No sequence may be empty."""
        tree = cls([], [], [], [])
        known: dict[tuple[int, int], int] = {}
        for sequence in sequences:
            node = -1
            for depth, token in enumerate(sequence):
                below = known.setdefault((node, token), len(tree.tokens))
                if below == len(tree.tokens):
                    tree.tokens.append(token)
                    tree.parents.append(node)
                    tree.depths.append(depth)
                node = below
            tree.ends.append(node)
        return tree

    def reach(self) -> np.ndarray[Any, np.dtype[np.bool_]]:
        """Return which nodes each node attends to, as an array of shape (nodes, nodes)."""
        count = len(self.tokens)
        reach = np.zeros((count, count), bool)
        for node, parent in enumerate(self.parents):
            if parent >= 0:
                reach[node] = reach[parent]
            reach[node, node] = True
        return reach


def score_answers(
    model: PreTrainedModel, prompt: Sequence[int], answers: Sequence[Sequence[int]]
) -> list[float]:
    """Return the log-probability of each answer after a prompt.

    Args:
        model: Causal language model whose attention accepts a custom mask (SDPA, eager).
        prompt: Tokens of the prompt, at least one.
        answers: Tokens of each answer, at least one.

    Returns:
        The natural logarithm for each answer, which is the sum over its tokens. It is NaN for an answer
        that depends on a broken row of logits (`cclearn.engines.logits`).
    """
    tree = TokenTree.of(answers)
    before, count = len(prompt), len(tree.tokens)
    reach = np.zeros((before + count, before + count), bool)
    reach[:before, :before] = np.tri(before, dtype=bool)
    reach[before:, :before] = True
    reach[before:, before:] = tree.reach()
    # Logits are needed only at positions that a token follows: the prompt's end and inner nodes.
    inner = sorted({parent for parent in tree.parents if parent >= 0})
    row_of = {-1: 0, **{node: row for row, node in enumerate(inner, start=1)}}
    device = model.device
    positions = [*range(before), *(before + depth for depth in tree.depths)]
    barred = torch.from_numpy(~reach).to(device)
    mask = torch.zeros(barred.shape, dtype=model.dtype, device=device)
    mask.masked_fill_(barred, torch.finfo(model.dtype).min)
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor([[*prompt, *tree.tokens]], device=device),
            attention_mask=mask[None, None],
            position_ids=torch.tensor([positions], device=device),
            logits_to_keep=torch.tensor([before - 1, *(before + n for n in inner)], device=device),
            use_cache=False,
        ).logits[0]
        rows = torch.tensor([row_of[parent] for parent in tree.parents], device=device)
        chosen = logits[rows, torch.tensor(tree.tokens, device=device)].float()
        totals = logits.float().logsumexp(-1).masked_fill(broken_rows(logits), torch.nan)
        logs = (chosen - totals[rows]).double().tolist()
    sums: list[float] = []
    for node, parent in enumerate(tree.parents):
        sums.append(logs[node] + (sums[parent] if parent >= 0 else 0.0))
    return [sums[end] for end in tree.ends]
