"""Grammars during decoding: the tokens that a batch's grammars do not allow next are masked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher, LLTokenizer
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask_par
from transformers import LogitsProcessor

from cclearn.engines.lines import LineCounter
from cclearn.engines.logits import broken_rows

_BITS = np.arange(32, dtype=np.uint32)


@dataclass(slots=True)
class GuidedAnswer:
    """An answer while it is generated.

    Attributes:
        matcher: Matcher of the answer's grammar. None for an answer without a grammar.
        limit: Maximum number of tokens of the answer.
        lines: Counter of the answer's lines, which ends the answer if a line is repeated too often. None
            if lines may be repeated.
        log_probabilities: Log-probabilities of the tokens so far under the grammar, without the token
            that ends the answer.
        given_up: Whether the answer was ended at its maximum number of tokens, or because its grammar
            reached a limit of llguidance.
        not_finite: Whether the logits were broken (`broken_rows`), which ended the answer.
        ended: Whether the token that ends the answer was generated.
    """

    matcher: LLMatcher | None
    limit: int
    lines: LineCounter | None
    log_probabilities: list[float] = field(default_factory=list)
    given_up: bool = False
    not_finite: bool = False
    ended: bool = False


class GrammarGuide(LogitsProcessor):  # type: ignore[misc]
    """Masks the tokens that the grammars of a batch do not allow next, all rows in parallel.

    It is made for greedy decoding, which takes the token with the highest score.

    Args:
        answers: Answer of each row, which the guide keeps up to date.
        executor: Thread pool of llguidance.
        spelling: Tokenizer of the grammars, which spells tokens.
        prompt_length: Number of tokens before the first generated one.
        end: Token that ends an answer. It is the only one allowed once an answer must end.
        vocabulary: Number of tokens of the grammars, at least that of the scores. A token without a
            score is never generated.
    """

    def __init__(
        self,
        answers: Sequence[GuidedAnswer],
        executor: LLExecutor,
        spelling: LLTokenizer,
        prompt_length: int,
        end: int,
        vocabulary: int,
    ) -> None:
        self._answers = answers
        self._end = end
        self._vocabulary = vocabulary
        self._executor = executor
        self._spelling = spelling
        self._prompt_length = prompt_length
        self._logs: list[float] = []

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Set the scores of the tokens that are not allowed to minus infinity, in place.

        Args:
            input_ids: Tokens so far, of shape (rows, length).
            scores: Logits of the next token, of shape (rows, vocabulary).

        Returns:
            The scores.
        """
        written = input_ids.shape[1] - self._prompt_length
        if written:
            self._consume(input_ids[:, -1].tolist())
        broken = broken_rows(scores).tolist()
        ending: list[int] = []
        bound: list[int] = []
        for row, answer in enumerate(self._answers):
            if not answer.ended:
                answer.not_finite |= broken[row]
            if self._must_end(answer, written):
                ending.append(row)
            elif answer.matcher is not None:
                bound.append(row)
        rows, tokens = self._allowed(bound, scores.shape[1])
        if missing := set(bound).difference(rows.tolist()):
            # The grammar allows only tokens that the model does not have.
            for row in missing:
                self._answers[row].given_up = True
            ending += sorted(missing)
        places = (
            torch.from_numpy(rows).to(scores.device),
            torch.from_numpy(tokens).to(scores.device),
        )
        kept = scores[places]
        self._logs = self._log_probabilities(scores, bound, ending, places[0], kept)
        if len(bound) + len(ending) >= len(self._answers):
            scores.fill_(float("-inf"))
        elif masked := sorted({*bound, *ending}):
            scores[masked] = float("-inf")
        scores[places] = kept
        if ending:
            scores[ending, self._end] = 0.0
        return scores

    def _must_end(self, answer: GuidedAnswer, written: int) -> bool:
        if answer.ended or answer.not_finite:
            return True
        if answer.lines is not None and answer.lines.kept is not None:
            return True
        if written >= answer.limit:
            answer.given_up = True
            return True
        if answer.matcher is not None and answer.matcher.is_stopped():
            answer.given_up |= answer.matcher.is_error()
            return True
        return False

    def _allowed(
        self, bound: list[int], vocabulary: int
    ) -> tuple[np.ndarray[tuple[int], np.dtype[np.int64]], ...]:
        """Return the rows and the tokens of all scores that the grammars allow.

        Few tokens of a large vocabulary are allowed, so that their numbers take less time than a mask.

        Args:
            bound: Rows with a grammar.
            vocabulary: Number of tokens that have a score.
        """
        bits = allocate_token_bitmask(len(bound), self._vocabulary)
        matchers = [(self._answers[row].matcher, number) for number, row in enumerate(bound)]
        if matchers:
            fill_next_token_bitmask_par(self._executor, matchers, bits)
        numbers, words = np.nonzero(bits)
        found, offsets = np.nonzero((bits[numbers, words].view(np.uint32)[:, None] >> _BITS) & 1)
        rows = np.array(bound, dtype=np.int64)[numbers[found]]
        tokens = words[found] * 32 + offsets
        has_score = tokens < vocabulary
        return rows[has_score], tokens[has_score]

    def _log_probabilities(
        self,
        scores: torch.Tensor,
        bound: list[int],
        ending: list[int],
        rows: torch.Tensor,
        kept: torch.Tensor,
    ) -> list[float]:
        """Return the log-probability of the most likely token of each row under the grammars.

        Args:
            scores: Logits of shape (rows, vocabulary).
            bound: Rows with a grammar.
            ending: Rows that must end, whose value is zero.
            rows: Row of each allowed score.
            kept: The allowed scores.
        """
        kept = kept.float()
        best = kept.new_full((len(scores),), float("-inf")).scatter_reduce(0, rows, kept, "amax")
        sums = kept.new_zeros(len(scores)).index_add(0, rows, (kept - best[rows]).exp())
        logs: list[float] = (-sums.log()).tolist()
        free = sorted(set(range(len(scores))).difference(bound, ending))
        if free:
            unmasked = scores[free].float()
            values = (unmasked.amax(-1) - unmasked.logsumexp(-1)).tolist()
            for row, value in zip(free, values, strict=True):
                logs[row] = value
        for row in ending:
            logs[row] = 0.0
        return logs

    def _consume(self, tokens: list[int]) -> None:
        for answer, token, log in zip(self._answers, tokens, self._logs, strict=True):
            if answer.ended or token == self._end:
                answer.ended = True
                continue
            if answer.matcher is not None:
                answer.matcher.consume_token(token)
            if answer.lines is not None:
                answer.lines.add(self._spelling.decode_bytes([token]))
            answer.log_probabilities.append(log)
