"""The log-probabilities of many answers to one prompt, by one forward pass.

The answers' tokens form a tree, for most begin alike. Each node attends to the prompt, to the nodes
above it and to itself, so that the prompt and every shared beginning are computed once (tree attention,
Miao et al. 2023, SpecInfer, arXiv 2305.09781).
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
    """Token sequences, their common beginnings written once.

    Attributes:
        tokens: Of each node; a node stands behind the one above it.
        parents: The node above, -1 for the first tokens.
        depths: How many nodes are above.
        ends: The last node of each sequence.
    """

    tokens: list[int]
    parents: list[int]
    depths: list[int]
    ends: list[int]

    @classmethod
    def of(cls, sequences: Sequence[Sequence[int]]) -> TokenTree:
        """Return the tree of sequences, none of which is empty."""
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
        """Return which nodes each node attends to, shape (nodes, nodes)."""
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
    """Return the log-probability of each answer behind a prompt: the sum of its tokens'.

    Args:
        model: A causal language model; its attention must take a mask of its own (SDPA, eager).
        prompt: Its tokens, at least one.
        answers: The tokens of each answer, at least one.

    Returns:
        Natural logarithms, one an answer; NaN for an answer that needs a row of broken logits.
    """
    tree = TokenTree.of(answers)
    before, count = len(prompt), len(tree.tokens)
    reach = np.zeros((before + count, before + count), bool)
    reach[:before, :before] = np.tri(before, dtype=bool)
    reach[before:, :before] = True
    reach[before:, before:] = tree.reach()
    # Only what something follows is asked what follows: the prompt's end and the inner nodes.
    inner = sorted({parent for parent in tree.parents if parent >= 0})
    row_of = {-1: 0, **{node: row for row, node in enumerate(inner, start=1)}}
    device = model.device
    places = [*range(before), *(before + depth for depth in tree.depths)]
    barred = torch.from_numpy(~reach).to(device)
    mask = torch.zeros(barred.shape, dtype=model.dtype, device=device)
    mask.masked_fill_(barred, torch.finfo(model.dtype).min)
    with torch.inference_mode():
        logits = model(
            input_ids=torch.tensor([[*prompt, *tree.tokens]], device=device),
            attention_mask=mask[None, None],
            position_ids=torch.tensor([places], device=device),
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
