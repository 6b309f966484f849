"""The coding policies as a deterministic function from documented facts to codes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from data_builders.content.schema import Fact, Policy
from data_builders.templates.statements import Statement

Setting = Literal["inpatient", "outpatient"]

UNCERTAIN_SECTIONS: Mapping[Setting, str] = {"inpatient": "II.H", "outpatient": "IV.H"}
"""Sections about uncertain diagnoses: they are coded for inpatients, and not for outpatients."""


@dataclass(slots=True)
class Assignment:
    """A code that follows from facts.

    Attributes:
        code: The code.
        facts: Indices of the statements that justify it.
        reasons: Sections of the guidelines, each with the name of the policy if there is one.
    """

    code: str
    facts: list[int] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)


class PolicyEngine:
    """Evaluates coding policies.

    A policy applies if its facts are documented. The codes are those of the facts and of the policies
    that apply, without those that a policy that applies replaces. The codes of the first statement come
    first, and policies move codes before others.

    Args:
        policies: The policies.
        facts: Facts by name.
    """

    def __init__(self, policies: Sequence[Policy], facts: Mapping[str, Fact]) -> None:
        self._policies = [_Compiled(policy) for policy in policies]
        self._by_name: dict[str, list[int]] = {}
        for number, compiled in enumerate(self._policies):
            for name in compiled.names:
                self._by_name.setdefault(name, []).append(number)
        self._sections = {name: fact.section for name, fact in facts.items()}

    def assign(self, statements: Sequence[Statement], setting: Setting) -> list[Assignment]:
        """Return the codes of documented facts in their order.

        Args:
            statements: Documented facts.
            setting: Setting of the encounter.
        """
        documented: dict[str, list[int]] = {}
        found: dict[str, Assignment] = {}
        for number, statement in enumerate(statements):
            if statement.uncertain and setting == "outpatient":
                continue
            documented.setdefault(statement.fact, []).append(number)
            if statement.form:
                documented.setdefault(f"{statement.fact}.{statement.form}", []).append(number)
            if statement.code is not None:
                section = self._sections.get(statement.fact, "")
                reason = UNCERTAIN_SECTIONS[setting] if statement.uncertain else section
                _add(found, statement.code, [number], reason)
        coded = frozenset(found)
        applying = []
        for policy in self._possible(documented):
            numbers = policy.matched(documented, setting)
            if numbers is not None:
                applying.append(policy)
                for code in policy.codes:
                    # A code that a fact has by itself keeps that fact as its evidence.
                    own = found[code].facts if code in coded else numbers
                    _add(found, code, own, policy.reason)
        replaced = {
            code
            for policy in applying
            for code in found
            if code.startswith(policy.replaces) and code not in policy.codes
        }
        kept = [found[code] for code in found if code not in replaced]
        kept.sort(key=lambda assignment: min(assignment.facts))
        return _ordered(kept, [policy for policy in applying if policy.before])

    def _possible(self, documented: Iterable[str]) -> list[_Compiled]:
        """Return the policies that have one of their facts documented, in their order."""
        numbers = {number for name in documented for number in self._by_name.get(name, ())}
        return [self._policies[number] for number in sorted(numbers)]


class _Compiled:
    """A policy whose condition is quick to evaluate.

    Attributes:
        names: Names of facts of which one must be documented.
    """

    def __init__(self, policy: Policy) -> None:
        self._terms = [(term,) if isinstance(term, str) else term for term in policy.when]
        self._unless = policy.unless
        self._setting = policy.setting
        self.names = min(self._terms, key=len)
        self.codes = policy.codes
        self.replaces = policy.replaces
        self.before = policy.before
        self.reason = f"{policy.section} {policy.name}"

    def matched(
        self, documented: Mapping[str, Sequence[int]], setting: Setting
    ) -> list[int] | None:
        """Return the indices of the statements that fulfil the condition, None if none do."""
        if self._setting is not None and self._setting != setting:
            return None
        numbers: list[int] = []
        for names in self._terms:
            of_term = [number for name in names for number in documented.get(name, ())]
            if not of_term:
                return None
            numbers += of_term
        if any(name in documented for name in self._unless):
            return None
        return sorted(set(numbers))


def _add(found: dict[str, Assignment], code: str, numbers: Sequence[int], reason: str) -> None:
    assignment = found.setdefault(code, Assignment(code))
    assignment.facts = sorted({*assignment.facts, *numbers})
    if reason and reason not in assignment.reasons:
        assignment.reasons.append(reason)


def _ordered(assignments: list[Assignment], policies: Iterable[_Compiled]) -> list[Assignment]:
    """Return assignments in the order that policies ask for, and otherwise in their own order."""
    after: dict[str, set[str]] = {a.code: set() for a in assignments}
    for policy in policies:
        for first in policy.codes:
            for later in after:
                if first in after and later != first and later.startswith(policy.before):
                    after[later].add(first)
    rest, done, ordered = list(assignments), set[str](), []
    while rest:
        # Policies in a circle are refused by the checks; the first one would be taken.
        ready = next((a for a in rest if after[a.code] <= done), rest[0])
        rest.remove(ready)
        done.add(ready.code)
        ordered.append(ready)
    return ordered
