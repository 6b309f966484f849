"""Assigners: from an evidence span to the code that it stands for."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import islice

from cclearn.codes import CodeSystem
from cclearn.coding.base import Usage
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.engines import Answer, Choice, Engine, Request
from cclearn.engines.base import NOT_FINITE
from cclearn.notes import Invalid, Origin
from cclearn.prompts import Template, parse_answer, prompt_hash, span_answer, span_prompt
from cclearn.prompts.grammar import codes_regex, span_grammar
from cclearn.prompts.layout import NOTHING

AT_ONCE = 256
"""Spans whose candidates are looked up together."""


@dataclass(frozen=True, slots=True)
class Mention:
    """An evidence span by itself.

    Attributes:
        id: Of the span, beginning with that of its note.
        text: The words.
        origin: Of the note.
    """

    id: str
    text: str
    origin: Origin = "restricted"


@dataclass(frozen=True, slots=True)
class Assignment:
    """What a span was given.

    Attributes:
        codes: Billable codes, the best first; none where the span stands for no code.
        score: Of the first, between 0 and 1; None where nothing was scored.
        invalid: The code that the model answered and that may not be assigned.
        problem: Why there is no answer, None where there is one.
    """

    codes: Sequence[str] = ()
    score: float | None = None
    invalid: Invalid | None = None
    problem: str | None = None


def is_not_finite(assignment: Assignment) -> bool:
    """Say whether the model's scores of a span were NaN or infinite."""
    return assignment.problem == NOT_FINITE


class Assigner(ABC):
    """Gives codes to spans.

    Attributes:
        prompt_sha256: Hash of the prompts. Empty if the assigner has no prompts.
        grounded: Whether all codes belong to the release by construction.
    """

    prompt_sha256: str = ""
    grounded: bool = True

    @abstractmethod
    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Assign codes to spans as they come: in order, one result a span, in constant memory."""


class RetrievingAssigner(Assigner):
    """Takes the candidates as they are found, without a model.

    Args:
        candidates: Finds them.
        most: How many a span gets.
    """

    def __init__(self, candidates: Candidates, most: int = 10) -> None:
        self._candidates = candidates
        self._most = most

    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Assign the nearest codes."""
        waiting = iter(mentions)
        while batch := list(islice(waiting, AT_ONCE)):
            for codes in self._candidates.of((mention.text for mention in batch), self._most):
                yield Assignment(codes)


class ChoosingAssigner(Assigner):
    """Lets a model choose among the candidates, of which `none` is always one.

    The engine computes the log-likelihood of every candidate's whole answer; the score is the best
    one's share of the probability of all.

    Args:
        engine: One that weighs.
        candidates: Finds what is chosen among.
        template: Layout of span rows that the model has learnt.
        most: Maximum number of candidates for each span, in addition to `none`.
        usage: Counts that the assigner shares with its coder. None creates new ones.
    """

    def __init__(
        self,
        engine: Engine,
        candidates: Candidates,
        template: Template = "paired",
        most: int = 100,
        usage: Usage | None = None,
    ) -> None:
        self._usage = Usage() if usage is None else usage
        self.prompt_sha256 = prompt_hash(candidates.system.name, template)
        self._engine = engine
        self._candidates = candidates
        self._template = template
        self._most = most

    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Assign the likeliest codes."""
        waiting = iter(mentions)
        while batch := list(islice(waiting, AT_ONCE)):
            found = list(self._candidates.of((mention.text for mention in batch), self._most))
            choices = map(self._choice, batch, found)
            for codes, weights in zip(found, self._engine.log_likelihoods(choices), strict=True):
                self._usage.count_span(weights)
                if weights.problem:
                    yield Assignment(problem=weights.problem)
                else:
                    yield choose(codes, weights.log_probabilities)

    def _choice(self, mention: Mention, codes: Sequence[str]) -> Choice:
        system = self._candidates.system.name
        prompt = span_prompt(mention.text, system, self._template)
        answers = [span_answer(mention.text, code, template=self._template) for code in codes]
        return Choice(mention.id, prompt, [*answers, NOTHING], mention.origin)


def choose(codes: Sequence[str], log_probabilities: Sequence[float]) -> Assignment:
    """Return the codes that are likelier than `none`, the likeliest first.

    Args:
        codes: The candidates.
        log_probabilities: The log-probability of the answer of each candidate, and last that of
            `none`. All are finite (`LogLikelihoods`).
    """
    best = max(log_probabilities)
    total = math.fsum(math.exp(each - best) for each in log_probabilities)
    nothing = log_probabilities[-1]
    ranked = sorted(
        (-log, code) for code, log in zip(codes, log_probabilities, strict=False) if log > nothing
    )
    if not ranked:
        return Assignment()
    score = min(1.0, math.exp(-ranked[0][0] - best) / total)
    return Assignment([code for _, code in ranked], score)


class GeneratingAssigner(Assigner):
    """Lets a model write the code, bound to the billable ones where the engine can be bound.

    Args:
        engine: Answers the prompts.
        system: Every code that it holds billable may be assigned.
        template: Layout of span rows that the model has learnt.
        usage: Counts that the assigner shares with its coder. None creates new ones.
    """

    def __init__(
        self,
        engine: Engine,
        system: CodeSystem,
        template: Template = "paired",
        usage: Usage | None = None,
    ) -> None:
        self._usage = Usage() if usage is None else usage
        self.prompt_sha256 = prompt_hash(system.name, template)
        self.grounded = engine.grounded
        self._engine = engine
        self._system = system
        self._template = template

    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Assign the written codes."""
        for answer in self._engine.generate(map(self._request, mentions)):
            self._usage.count_span(answer)
            yield self._read(answer)

    def _request(self, mention: Mention) -> Request:
        grammar = None
        if self._engine.grounded:
            grammar = span_grammar(mention.text, self._codes, self._template)
        prompt = span_prompt(mention.text, self._system.name, self._template)
        return Request(mention.id, prompt, grammar, mention.origin)

    def _read(self, answer: Answer) -> Assignment:
        if answer.problem:
            return Assignment(problem=answer.problem)
        parsed = parse_answer(answer.text, answer.complete)
        if not parsed.lines:
            unreadable = Invalid(code=None, status="unreadable") if parsed.unreadable else None
            return Assignment(invalid=unreadable)
        line = parsed.lines[0]
        code = self._system.canonical(line.code)
        status = self._system.status(code)
        if status != "valid":
            return Assignment(invalid=Invalid(code=code, status=status))
        return Assignment([code], answer.probability(line.code_start, line.code_end))

    @cached_property
    def _codes(self) -> str:
        return codes_regex(self._system.billable_codes())
