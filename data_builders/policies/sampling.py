"""Random cases: a patient, and facts that can occur together."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate

from cclearn.codes import CodeSystem
from cclearn.codes.exclusions import conflicts
from cclearn.codes.patient_limits import Sex
from data_builders.content.reading import Content
from data_builders.content.schema import Fact, Kind, Template
from data_builders.noise.context import NO_CONTEXT, Context, context_of
from data_builders.policies.engine import Assignment, PolicyEngine
from data_builders.templates.statements import Patient, Statement

_TRIES = 12
"""Number of facts that are drawn for one place."""

_COMPANION = 0.55
"""Share of the facts that are drawn among those that often occur with an earlier one."""

_UNCERTAIN = 0.12
"""Share of the facts that a note may call probable which it does call so."""


@dataclass(frozen=True, slots=True)
class Case:
    """What a note is about.

    Attributes:
        template: Name of the template.
        patient: The patient.
        statements: Documented facts. The first one is the reason of the encounter.
        assignments: Codes that follow from them.
        distractors: Facts that the note mentions without documenting them.
    """

    template: str
    patient: Patient
    statements: list[Statement]
    assignments: list[Assignment]
    distractors: list[Statement]


class CaseSampler:
    """Draws cases.

    Args:
        content: Facts, policies and templates.
        system: Code system of the codes.
        templates: Names of the templates that are used.
        categories: Categories of which every case with codes has a fact. Empty for no condition.
        without_codes: Share of the cases whose facts are all denied or another person's.
        most_distractors: Largest number of distractors.
    """

    def __init__(
        self,
        content: Content,
        system: CodeSystem,
        templates: Sequence[str],
        categories: Sequence[str] = (),
        without_codes: float = 0.05,
        most_distractors: int = 3,
    ) -> None:
        self._content = content
        self._facts = content.facts
        self._system = system
        self._engine = PolicyEngine(content.policies, content.facts)
        self._templates = [(name, content.templates[name]) for name in templates]
        self._template_weights = list(accumulate(t.weight for _, t in self._templates))
        self._without_codes = without_codes
        self._most_distractors = most_distractors
        self._pools = _Pools(content.facts)
        self._categories = frozenset(categories)
        self._of_categories = [
            name for name, fact in content.facts.items() if fact.category in self._categories
        ]
        self._conflicts = _conflicts(content, system)
        self._deniable = [name for name, fact in content.facts.items() if fact.deniable]
        self._known: dict[tuple[str, str, bool], Statement] = {}

    def draw(self, rng: random.Random) -> Case:
        """Return a case. It depends on the state of the generator only."""
        (chosen,) = rng.choices(self._templates, cum_weights=self._template_weights)
        name, template = chosen
        patient = self._patient(template, rng)
        statements: list[Statement] = []
        if rng.random() >= self._without_codes:
            statements = self._statements(template, patient, rng)
        assignments = self._consistent(statements, template)
        distractors = self._distractors(statements, patient, template, rng)
        return Case(name, patient, statements, assignments, distractors)

    def _patient(self, template: Template, rng: random.Random) -> Patient:
        sex: Sex = template.sex or ("female" if rng.random() < 0.52 else "male")
        return Patient(int(rng.triangular(*template.age, _mode(template.age))), sex)

    def _statements(
        self, template: Template, patient: Patient, rng: random.Random
    ) -> list[Statement]:
        low, high = template.facts
        wanted = low + int(rng.random() * (high - low + 1))
        names: list[str] = []
        kinds = template.kinds
        first = self._first(template, patient, rng)
        if first is None:
            return []
        self._take(first, names, patient, kinds, rng)
        if self._of_categories and not any(n in self._of_categories for n in names):
            for _ in range(_TRIES):
                name = self._of_categories[int(rng.random() * len(self._of_categories))]
                if self._take(name, names, patient, kinds, rng):
                    break
        for _ in range(_TRIES):
            if len(names) >= wanted:
                break
            known = names[int(rng.random() * len(names))]
            often = self._facts[known].often_with
            if often and rng.random() < _COMPANION:
                name = often[int(rng.random() * len(often))]
            else:
                name = self._pools.any(rng)
            self._take(name, names, patient, kinds, rng)
        return [self._statement(name, rng, principal=not i) for i, name in enumerate(names)]

    def _first(self, template: Template, patient: Patient, rng: random.Random) -> str | None:
        for _ in range(4 * _TRIES):
            name = self._pools.of_kinds(template.principal, rng)
            if name is not None and self._fits(self._facts[_fact(name, self._facts)], patient):
                return name
        return None

    def _take(
        self,
        name: str,
        names: list[str],
        patient: Patient,
        kinds: frozenset[Kind],
        rng: random.Random,
    ) -> bool:
        """Add a fact, with one that it needs, if it can stand with the others."""
        key = _fact(name, self._facts)
        fact = self._facts[key]
        taken = {_fact(other, self._facts) for other in names}
        if key in taken or fact.kind not in kinds or not self._fits(fact, patient):
            return False
        if any(self._excluded(key, other) for other in taken):
            return False
        needs = fact.needs
        if needs and not any(_fact(n, self._facts) in taken for n in needs):
            other = needs[int(rng.random() * len(needs))]
            if not self._take(other, names, patient, kinds, rng):
                return False
            if any(self._excluded(key, _fact(n, self._facts)) for n in names):
                return False
        names.append(name)
        return True

    def _excluded(self, one: str, two: str) -> bool:
        first, second = self._facts[one].not_with, self._facts[two].not_with
        return two in first or one in second

    def _fits(self, fact: Fact, patient: Patient) -> bool:
        sex = fact.sex is None or fact.sex == patient.sex
        return sex and fact.age[0] <= patient.age <= fact.age[1]

    def _statement(self, name: str, rng: random.Random, principal: bool = False) -> Statement:
        """Return the statement of a fact. A fact without a form gets a random one."""
        key = _fact(name, self._facts)
        fact = self._facts[key]
        form = name[len(key) + 1 :]
        if not form and fact.forms:
            options = [*([""] if fact.words else []), *fact.forms]
            weights = [1.0] * bool(fact.words) + [f.weight for f in fact.forms.values()]
            (form,) = rng.choices(options, weights)
        uncertain = fact.uncertain and not principal and rng.random() < _UNCERTAIN
        if (key, form, uncertain) not in self._known:
            self._known[key, form, uncertain] = self._new_statement(key, form, uncertain)
        return self._known[key, form, uncertain]

    def _new_statement(self, key: str, form: str, uncertain: bool) -> Statement:
        fact = self._facts[key]
        words, code = fact.words, fact.code
        if form:
            words, code = fact.forms[form].words, fact.forms[form].code
        return Statement(
            fact=key,
            form=form,
            kind=fact.kind,
            words=words,
            code=code,
            uncertain=uncertain,
            medications=fact.medications,
            labs=fact.labs,
            findings=fact.findings,
            vitals={str(name): pattern for name, pattern in fact.vitals.items()},
            context=self._context(code),
        )

    def _context(self, code: str | None) -> Context:
        if code is None or code not in self._system:
            return NO_CONTEXT
        return context_of(self._system, code, framed=False)

    def _consistent(self, statements: list[Statement], template: Template) -> list[Assignment]:
        """Return the codes of statements, after removing those whose codes exclude each other.

        Of two codes that an Excludes1 note separates, the statements of the later one are removed.
        """
        while True:
            assignments = self._engine.assign(statements, template.setting)
            excluded = self._first_conflict(assignments)
            if excluded is None:
                return assignments
            removed = max(excluded.facts)
            if not removed:  # The reason of the encounter stays.
                del statements[1:]
            else:
                del statements[removed]

    def _first_conflict(self, assignments: Sequence[Assignment]) -> Assignment | None:
        for index, later in enumerate(assignments):
            excluded = self._conflicts.get(later.code)
            if excluded is None:
                continue
            for earlier in assignments[:index]:
                if earlier.code in excluded:
                    return max(later, earlier, key=lambda a: max(a.facts))
        return None

    def _distractors(
        self,
        statements: Sequence[Statement],
        patient: Patient,
        template: Template,
        rng: random.Random,
    ) -> list[Statement]:
        """Return facts that no statement is near to, so that denying them contradicts nothing."""
        taken = {statement.fact for statement in statements}
        categories = {statement.code[:3] for statement in statements if statement.code}
        found: list[Statement] = []
        if not self._deniable:
            return []
        for _ in range(int(rng.random() * (self._most_distractors + 1))):
            name = self._deniable[int(rng.random() * len(self._deniable))]
            fact = self._facts[name]
            codes = [fact.code, *(form.code for form in fact.forms.values())]
            near = any(code is not None and code[:3] in categories for code in codes)
            if name in taken or near or not self._fits(fact, patient):
                continue
            if any(name in self._facts[other].often_with for other in taken):
                continue
            found.append(self._statement(name, rng))
        return found


def _conflicts(content: Content, system: CodeSystem) -> dict[str, frozenset[str]]:
    """Return the codes that Excludes1 notes separate from each code of facts and policies."""
    codes = {code for policy in content.policies for code in policy.codes}
    for fact in content.facts.values():
        codes.update(c for c in (fact.code, *(f.code for f in fact.forms.values())) if c)
    found: dict[str, set[str]] = {}
    for one, two, _ in conflicts(system, [code for code in codes if code in system]):
        found.setdefault(one, set()).add(two)
        found.setdefault(two, set()).add(one)
    return {code: frozenset(others) for code, others in found.items()}


def _mode(ages: tuple[int, int]) -> float:
    """Return the most frequent age: most patients are older than the middle of the range."""
    return ages[0] + 0.65 * (ages[1] - ages[0])


def _fact(name: str, facts: Mapping[str, Fact]) -> str:
    """Return the name of the fact of a name, which may be that of one of its forms."""
    return name if name in facts else name.rpartition(".")[0]


class _Pools:
    """Facts by kind, for the random choice by weight."""

    def __init__(self, facts: Mapping[str, Fact]) -> None:
        self._names = [name for name, fact in facts.items() if fact.weight > 0]
        self._weights = list(accumulate(facts[name].weight for name in self._names))
        self._by_kind: dict[Kind, tuple[list[str], list[float]]] = {}
        for kind in dict.fromkeys(fact.kind for fact in facts.values()):
            names = [name for name in self._names if facts[name].kind == kind]
            self._by_kind[kind] = names, list(accumulate(facts[n].weight for n in names))

    def any(self, rng: random.Random) -> str:
        """Return a fact of any kind."""
        (name,) = rng.choices(self._names, cum_weights=self._weights)
        return name

    def of_kinds(self, kinds: Sequence[Kind], rng: random.Random) -> str | None:
        """Return a fact of one of some kinds, None if there is none."""
        able = [kind for kind in kinds if self._by_kind.get(kind, ([], []))[0]]
        if not able:
            return None
        totals = [self._by_kind[kind][1][-1] for kind in able]
        (kind,) = rng.choices(able, totals)
        names, weights = self._by_kind[kind]
        (name,) = rng.choices(names, cum_weights=weights)
        return name
