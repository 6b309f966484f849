"""Verification: an assigned code beside its siblings, told apart by their descriptions alone."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice

from cclearn.codes import CodeSystem
from cclearn.coding.base import Usage
from cclearn.coding.span_loop.assigners import AT_ONCE, Assigner, Assignment, Mention, choose
from cclearn.engines import Choice, Engine
from cclearn.prompts import verification_prompt
from cclearn.prompts.layout import NOTHING


class VerifyingAssigner(Assigner):
    """Asks a model which sibling of an assigned code the span states, or `none` of them.

    The prompt holds descriptions and no codes, which small models tell apart better (arXiv 2510.07629).
    The model need not have been trained for it, but should follow instructions. The score is the
    answer's share of the probability of all.

    Args:
        assigner: Assigns the codes that are verified.
        engine: One that weighs.
        system: Code system that provides the descriptions and the siblings.
        usage: Counts that the assigner shares with its coder. None creates new ones.
    """

    def __init__(
        self,
        assigner: Assigner,
        engine: Engine,
        system: CodeSystem,
        usage: Usage | None = None,
    ) -> None:
        self._usage = Usage() if usage is None else usage
        self.prompt_sha256 = assigner.prompt_sha256
        self.grounded = assigner.grounded
        self._assigner = assigner
        self._engine = engine
        self._system = system

    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Assign codes, and verify the first of each span."""
        waiting = iter(mentions)
        while batch := list(islice(waiting, AT_ONCE)):
            assigned = list(self._assigner.assign(batch))
            near = [self._near(each) for each in assigned]
            weighed = self._engine.log_likelihoods(
                self._choice(mention, codes)
                for mention, codes in zip(batch, near, strict=True)
                if codes
            )
            for assignment, codes in zip(assigned, near, strict=True):
                if not codes:
                    yield assignment
                    continue
                weights = next(weighed)
                self._usage.count_span(weights)
                if weights.problem:
                    yield Assignment(problem=weights.problem)
                else:
                    yield choose(codes, weights.log_probabilities)

    def _near(self, assignment: Assignment) -> list[str]:
        """Return the code and its siblings, in tabular order; none where no code was assigned."""
        if not assignment.codes:
            return []
        code = assignment.codes[0]
        return sorted({code, *self._system.neighbours(code)})

    def _choice(self, mention: Mention, codes: list[str]) -> Choice:
        descriptions = [self._system.description(code) for code in codes]
        prompt = verification_prompt(mention.text, descriptions)
        return Choice(mention.id, prompt, [*descriptions, NOTHING], mention.origin, whole=True)
