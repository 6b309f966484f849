"""Verification, which compares an assigned code with its siblings by their descriptions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from cclearn.codes import CodeSystem
from cclearn.coding.base import Usage
from cclearn.coding.span_loop.assigners import BATCH_SIZE, Assigner, Assignment, Mention, choose
from cclearn.engines import Choice, Engine
from cclearn.prompts import verification_prompt
from cclearn.prompts.layout import NOTHING


class VerifyingAssigner(Assigner):
    """Lets a model choose among an assigned code, its siblings and `none`.

    The prompt contains descriptions and no codes, because small models distinguish descriptions better
    (arXiv 2510.07629). The model needs no training for it, but should follow instructions. The score
    of a code is its share of the total probability of all answers.

    Args:
        assigner: Assigner of the codes to verify.
        engine: Engine that computes log-likelihoods of answers.
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
        stream = iter(mentions)
        while batch := list(islice(stream, BATCH_SIZE)):
            assigned = list(self._assigner.assign(batch))
            near = [self._with_siblings(assignment) for assignment in assigned]
            scored = self._engine.log_likelihoods(
                self._choice(mention, codes)
                for mention, codes in zip(batch, near, strict=True)
                if codes
            )
            for assignment, codes in zip(assigned, near, strict=True):
                if not codes:
                    yield assignment
                    continue
                likelihoods = next(scored)
                self._usage.count_span(likelihoods)
                if likelihoods.problem:
                    yield Assignment(problem=likelihoods.problem)
                else:
                    verified = choose(codes, likelihoods.log_probabilities)
                    # The signals of an assignment are those of its first code.
                    if verified.codes[:1] == assignment.codes[:1]:
                        verified = replace(verified, signals=assignment.signals)
                    yield verified

    def _with_siblings(self, assignment: Assignment) -> list[str]:
        """Return the code and its siblings, in tabular order. Empty if no code was assigned."""
        if not assignment.codes:
            return []
        code = assignment.codes[0]
        return sorted({code, *self._system.neighbours(code)})

    def _choice(self, mention: Mention, codes: list[str]) -> Choice:
        descriptions = [self._system.description(code) for code in codes]
        prompt = verification_prompt(mention.text, descriptions)
        return Choice(mention.id, prompt, [*descriptions, NOTHING], mention.origin, complete=True)
