"""Grammars during decoding: the tokens that a batch's grammars do not allow next are masked."""

from __future__ import annotations

import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask_par
from transformers import LogitsProcessor

from cclearn.engines.logits import broken_rows


class GrammarGuide(LogitsProcessor):  # type: ignore[misc]
    """Masks the tokens that the grammars of a batch do not allow next, all rows in parallel.

    Args:
        matchers: Matcher of the grammar of each row; None for a row without a grammar.
        executor: Thread pool of llguidance.
        prompt_length: Number of tokens before the first generated one.
        end: Token that ends an answer. It is the only one allowed once a grammar is complete.
        vocabulary: Number of tokens of the grammars, at least that of the scores. A token without a
            score is never generated.

    Attributes:
        log_probabilities: Log-probabilities of each row's generated tokens under the mask, without the
            last token.
        given_up: Whether a row's grammar reached a limit of llguidance, which ended the answer.
        not_finite: Whether a row had broken logits (`broken_rows`), which ended the answer. The tensor
            has the shape (rows,).
    """

    def __init__(
        self,
        matchers: list[LLMatcher | None],
        executor: LLExecutor,
        prompt_length: int,
        end: int,
        vocabulary: int,
    ) -> None:
        self._matchers = matchers
        self._end = end
        self._vocabulary = vocabulary
        self._executor = executor
        self._prompt_length = prompt_length
        self._last = torch.empty(0)
        self.log_probabilities: list[list[float]] = [[] for _ in matchers]
        self.given_up = [False] * len(matchers)
        self.not_finite = torch.zeros(len(matchers), dtype=torch.bool)

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores, with minus infinity for the tokens that are not allowed.

        Args:
            input_ids: Tokens so far, of shape (rows, length).
            scores: Logits of the next token, of shape (rows, vocabulary).
        """
        if input_ids.shape[1] > self._prompt_length:
            self._consume(input_ids[:, -1])
        rows, vocabulary = scores.shape
        self.not_finite = self.not_finite.to(scores.device) | broken_rows(scores)
        bound = [
            (matcher, row) for row, matcher in enumerate(self._matchers) if matcher is not None
        ]
        if bound:
            bits = allocate_token_bitmask(rows, self._vocabulary)
            if active := [(matcher, row) for matcher, row in bound if not matcher.is_stopped()]:
                fill_next_token_bitmask_par(self._executor, active, bits)
            allowed = np.unpackbits(bits.view(np.uint8), axis=1, bitorder="little")[:, :vocabulary]
            for matcher, row in bound:
                if matcher.is_stopped():  # Complete, or stopped at a limit: the answer ends.
                    allowed[row] = 0
                    allowed[row, self._end] = 1
                    self.given_up[row] |= matcher.is_error()
            masked = torch.from_numpy(allowed == 0).to(scores.device)
            scores = scores.masked_fill(masked, float("-inf"))
        if self.not_finite.any():
            scores = scores.clone()
            scores[self.not_finite] = float("-inf")
            scores[self.not_finite, self._end] = 0.0
        self._last = scores
        return scores

    def _consume(self, tokens: torch.Tensor) -> None:
        logs = self._last.float().log_softmax(-1).gather(1, tokens[:, None])[:, 0].tolist()
        for row, token in enumerate(tokens.tolist()):
            matcher = self._matchers[row]
            if matcher is not None:
                if matcher.is_stopped():
                    continue
                matcher.consume_token(token)
            self.log_probabilities[row].append(logs[row])
