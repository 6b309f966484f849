"""Assigners, which map an evidence span to its codes."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import islice

from cclearn.codes import CodeSystem
from cclearn.coding.base import Usage
from cclearn.coding.span_loop.candidates import Candidates
from cclearn.engines import Answer, Choice, Engine, LogLikelihoods, Request
from cclearn.engines.base import NOT_FINITE
from cclearn.notes import Invalid, Origin
from cclearn.prompts import Template, parse_answer, prompt_hash, span_answer, span_prompt
from cclearn.prompts.grammar import codes_regex, span_grammar
from cclearn.prompts.layout import NOTHING

BATCH_SIZE = 256
"""Number of spans whose candidates are retrieved together."""


@dataclass(frozen=True, slots=True)
class Mention:
    """An evidence span without its note.

    Attributes:
        id: Id of the span. In a note, it is the id of the note, `@` and the number of the span.
        text: Text of the span.
        origin: Origin of the note.
        proposed: Codes that the recogniser proposes, best first. They precede other candidates.
    """

    id: str
    text: str
    origin: Origin = "restricted"
    proposed: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Assignment:
    """The codes of a span.

    Attributes:
        codes: Billable codes, best first. Empty if the span has no code.
        score: Score of the first code, between 0 and 1. None if the assigner gives no scores.
        invalid: Code that the model answered, but that may not be assigned.
        problem: Reason why there is no answer. None if there is one.
        signals: Signals of the first code by name (`Finding.signals`).
    """

    codes: Sequence[str] = ()
    score: float | None = None
    invalid: Invalid | None = None
    problem: str | None = None
    signals: Mapping[str, float] = field(default_factory=dict)


def is_not_finite(assignment: Assignment) -> bool:
    """Return whether the scores of a span were NaN or infinite."""
    return assignment.problem == NOT_FINITE


class Assigner(ABC):
    """Assigns codes to spans.

    Attributes:
        prompt_sha256: Hash of the prompts. Empty if the assigner has no prompts.
        grounded: Whether all codes belong to the release by construction.
    """

    prompt_sha256: str = ""
    grounded: bool = True

    @abstractmethod
    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Yield one assignment per span, in order, in constant memory."""


class RetrievingAssigner(Assigner):
    """Assigns the nearest candidates, without a model.

    Args:
        candidates: Retriever of the candidates.
        max_codes: Maximum number of codes for each span.
    """

    def __init__(self, candidates: Candidates, max_codes: int = 10) -> None:
        self._candidates = candidates
        self._max_codes = max_codes

    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Assign the nearest codes."""
        stream = iter(mentions)
        while batch := list(islice(stream, BATCH_SIZE)):
            found = _retrieve(self._candidates, batch, self._max_codes)
            for mention, codes in zip(batch, found, strict=True):
                signals = {}
                if codes:
                    signals = self._candidates.signals(mention.text, codes, codes[0])
                yield Assignment(codes, signals=signals)


class ChoosingAssigner(Assigner):
    """Lets a model choose among the candidates and `none`.

    The engine computes the log-likelihood of the whole answer of each candidate. To it is added the
    logarithm of the share of the code among the pairs with the same string, times `prior`. The score of
    a code is its share of the total of all answers.

    Args:
        engine: Engine that computes log-likelihoods of answers.
        candidates: Retriever of the candidates.
        template: Layout of span rows that the model has learnt.
        max_candidates: Maximum number of candidates for each span, in addition to `none`.
        prior: Weight of the shares of the codes among the pairs and of their ranks
            (`Candidates.log_shares`). 0 ignores them.
        usage: Counts that the assigner shares with its coder. None creates new ones.
    """

    def __init__(
        self,
        engine: Engine,
        candidates: Candidates,
        template: Template = "paired",
        max_candidates: int = 100,
        prior: float = 0.0,
        usage: Usage | None = None,
    ) -> None:
        self._usage = Usage() if usage is None else usage
        self._prior = prior
        self.prompt_sha256 = prompt_hash(candidates.system.name, template)
        self._engine = engine
        self._candidates = candidates
        self._template = template
        self._max_candidates = max_candidates

    def assign(self, mentions: Iterable[Mention]) -> Iterator[Assignment]:
        """Assign the most likely codes."""
        stream = iter(mentions)
        while batch := list(islice(stream, BATCH_SIZE)):
            texts = [mention.text for mention in batch]
            candidates = self.candidates_of(batch)
            choices = map(self._choice, batch, candidates)
            for text, codes, likelihoods in zip(
                texts, candidates, self._engine.log_likelihoods(choices), strict=True
            ):
                self._usage.count_span(likelihoods)
                if likelihoods.problem:
                    yield Assignment(problem=likelihoods.problem)
                else:
                    yield self._chosen(text, codes, likelihoods)

    def candidates_of(self, mentions: Sequence[Mention]) -> list[list[str]]:
        """Return the candidates of each span, best first, without `none`."""
        return _retrieve(self._candidates, mentions, self._max_candidates)

    def _chosen(self, text: str, codes: Sequence[str], likelihoods: LogLikelihoods) -> Assignment:
        assignment = choose(codes, self._with_prior(text, codes, likelihoods))
        if not assignment.codes:
            return assignment
        signals = self._candidates.signals(text, codes, assignment.codes[0])
        return replace(assignment, signals=signals)

    def _with_prior(
        self, text: str, codes: Sequence[str], likelihoods: LogLikelihoods
    ) -> Sequence[float]:
        if not self._prior:
            return likelihoods.log_probabilities
        shares = self._candidates.log_shares(text, codes)
        return [
            value + self._prior * share
            for value, share in zip(likelihoods.log_probabilities, shares, strict=True)
        ]

    def _choice(self, mention: Mention, codes: Sequence[str]) -> Choice:
        system = self._candidates.system.name
        prompt = span_prompt(mention.text, system, self._template)
        answers = [span_answer(mention.text, code, template=self._template) for code in codes]
        return Choice(mention.id, prompt, [*answers, NOTHING], mention.origin)


def _retrieve(candidates: Candidates, mentions: Sequence[Mention], number: int) -> list[list[str]]:
    """Return the candidates of each span: the proposed codes, and then those that are retrieved."""
    retrieved = candidates.retrieve([mention.text for mention in mentions], number)
    return [
        list(dict.fromkeys([*mention.proposed, *codes]))[:number]
        for mention, codes in zip(mentions, retrieved, strict=True)
    ]


def choose(codes: Sequence[str], log_probabilities: Sequence[float]) -> Assignment:
    """Return the assignment of the codes that are more likely than `none`, the most likely first.

    Args:
        codes: The candidates.
        log_probabilities: The log-probability of the answer of each candidate, and last that of
            `none`. All are finite (`LogLikelihoods`).
    """
    best = max(log_probabilities)
    total = math.fsum(math.exp(value - best) for value in log_probabilities)
    none = log_probabilities[-1]
    ranked = sorted(
        (-value, code)
        for code, value in zip(codes, log_probabilities, strict=False)
        if value > none
    )
    if not ranked:
        return Assignment()
    score = min(1.0, math.exp(-ranked[0][0] - best) / total)
    return Assignment([code for _, code in ranked], score)


class GeneratingAssigner(Assigner):
    """Lets a model generate the code, constrained to billable codes if the engine supports it.

    Args:
        engine: Engine that answers the prompts.
        system: Code system whose billable codes may be assigned.
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
        """Assign the generated codes."""
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
