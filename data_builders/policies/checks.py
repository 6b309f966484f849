"""Checks of content: codes that cannot be billed, and policies that contradict or shadow each other."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from graphlib import CycleError, TopologicalSorter

from cclearn.codes import CodeSystem, conflict
from data_builders.content.reading import Content
from data_builders.content.schema import Policy


def check_content(content: Content, system: CodeSystem) -> list[str]:
    """Return the problems of content in the form `file:line: entry: problem`.

    Args:
        content: Content whose names are known (`read_content`).
        system: Code system of the codes.
    """
    return [
        *_codes(content, system),
        *_policies(content, system),
        *_circles(content),
        *_kinds(content),
    ]


def _codes(content: Content, system: CodeSystem) -> Iterator[str]:
    """Yield a problem for each code that is not billable, and for each replaced code that is unknown."""
    known = sorted(system)
    for name, fact in content.facts.items():
        named = {"code": fact.code} | {f"forms.{n}": form.code for n, form in fact.forms.items()}
        for key, code in named.items():
            status = "valid" if code is None else system.status(code)
            if status != "valid":
                place = _place(content, "facts", name, *key.split("."))
                yield f"{place}: facts.{name}.{key}: {code} is {status}, not a billable code"
    for policy in content.policies:
        place = _place(content, "policies", policy.name)
        for code in policy.codes:
            if (status := system.status(code)) != "valid":
                yield f"{place}: {policy.name}.codes: {code} is {status}, not a billable code"
        for key in ("replaces", "before"):
            for code in getattr(policy, key):
                at = bisect_left(known, code)
                if at == len(known) or not known[at].startswith(code):
                    yield f"{place}: {policy.name}.{key}: no code begins with {code}"


def _policies(content: Content, system: CodeSystem) -> Iterator[str]:
    """Yield the pairs of policies that contradict, repeat or shadow each other."""
    for policy in content.policies:
        place = _place(content, "policies", policy.name)
        for index, code in enumerate(policy.codes):
            for other in policy.codes[:index]:
                if _conflict(code, other, system):
                    yield f"{place}: {policy.name}: an Excludes1 note separates {other} and {code}"
    policies = content.policies
    for number, one in enumerate(policies):
        for two in policies[number + 1 :]:
            place = _place(content, "policies", two.name)
            first, second = _implies(one, two, content), _implies(two, one, content)
            together = first or second
            if first and second and _does_as_much(one, two):
                yield f"{place}: {two.name} repeats {one.name}"
                continue
            if together and _replaces(one, two) and _replaces(two, one):
                yield f"{place}: {two.name} and {one.name} replace each other's codes"
                continue
            for shadow, shadowed, implied in ((one, two, second), (two, one, first)):
                if implied and (_shadows(shadow, shadowed) or _does_as_much(shadow, shadowed)):
                    where = _place(content, "policies", shadowed.name)
                    yield f"{where}: {shadowed.name} never matters, because {shadow.name} shadows it"
            if together:
                for code in one.codes:
                    for other in two.codes:
                        kept = not (_covered(code, two.replaces) or _covered(other, one.replaces))
                        if kept and code != other and _conflict(code, other, system):
                            yield (
                                f"{place}: {two.name} and {one.name} contradict each other: an"
                                f" Excludes1 note separates {code} and {other}"
                            )


def _circles(content: Content) -> Iterator[str]:
    """Yield the circles of policies, each of which moves its codes before those of the next one."""
    graph: TopologicalSorter[str] = TopologicalSorter()
    for one in content.policies:
        for two in content.policies:
            if one is not two and any(_covered(code, one.before) for code in two.codes):
                graph.add(two.name, one.name)
    try:
        graph.prepare()
    except CycleError as error:
        names: Sequence[str] = error.args[1]
        place = _place(content, "policies", names[0])
        yield f"{place}: the policies {' < '.join(names)} order their codes in a circle"


def _kinds(content: Content) -> Iterator[str]:
    """Yield the facts that no template mentions, and the kinds without a sentence."""
    kinds = frozenset(kind for t in content.templates.values() for kind in t.kinds)
    if not content.templates:
        yield "content: there are no templates"
        return
    for name, fact in content.facts.items():
        if fact.kind not in kinds:
            place = _place(content, "facts", name)
            yield f"{place}: facts.{name}: no template mentions facts of the kind {fact.kind}"
    phrases = content.phrases
    for kind in sorted(kinds - phrases.prose.keys()):
        yield f"content: phrases.prose: no sentence mentions facts of the kind {kind}"
    if kinds and "any" not in phrases.listed:
        for kind in sorted(kinds - phrases.listed.keys()):
            yield f"content: phrases.listed: no item mentions facts of the kind {kind}"
    for key in ("uncertain", "denied", "family", "hypothetical"):
        if not getattr(phrases, key):
            yield f"content: phrases.{key}: there are no sentences"
    for name, template in content.templates.items():
        place = _place(content, "templates", name)
        for kind in template.principal:
            if not any(kind in s.takes and s.which != "others" for s in template.sections):
                yield f"{place}: templates.{name}.principal: no section mentions the kind {kind}"
        for kind in sorted(template.kinds):
            if not any(kind in s.takes and s.which != "principal" for s in template.sections):
                yield f"{place}: templates.{name}: only the principal fact may be of the kind {kind}"
        for section in template.sections:
            if section.shows is not None and not content.common.get(section.shows):
                yield f"{place}: templates.{name}: common.{section.shows} has no words"


def _implies(one: Policy, two: Policy, content: Content) -> bool:
    """Return whether the second policy applies whenever the first one does."""

    def met_by(name: str, names: frozenset[str]) -> bool:
        fact = name.rpartition(".")[0]
        return name in names or (name not in content.facts and fact in names)

    terms = [_alternatives(term) for term in one.when]
    met = all(
        any(all(met_by(name, _alternatives(other)) for name in term) for term in terms)
        for other in two.when
    )
    setting = two.setting is None or two.setting == one.setting
    return met and setting and set(two.unless) <= set(one.unless)


def _alternatives(term: str | tuple[str, ...]) -> frozenset[str]:
    """Return the names of a term."""
    names = (term,) if isinstance(term, str) else term
    return frozenset(names)


def _replaces(one: Policy, two: Policy) -> bool:
    """Return whether a policy replaces all codes of another one."""
    return bool(two.codes) and all(
        _covered(code, one.replaces) and code not in one.codes for code in two.codes
    )


def _does_as_much(one: Policy, two: Policy) -> bool:
    """Return whether the first policy has all codes, replaced codes and orders of the second one."""
    parts = ("codes", "replaces", "before")
    return all(set(getattr(two, part)) <= set(getattr(one, part)) for part in parts)


def _shadows(one: Policy, two: Policy) -> bool:
    return _replaces(one, two) and set(two.replaces) <= {*one.replaces, *two.codes}


def _covered(code: str, prefixes: tuple[str, ...]) -> bool:
    return code.startswith(prefixes)


def _conflict(one: str, two: str, system: CodeSystem) -> bool:
    known = one in system and two in system
    return known and conflict(system, one, two) is not None


def _place(content: Content, *keys: str) -> str:
    """Return the file and line of an entry, or of the nearest one that contains it."""
    while keys and keys not in content.places:
        keys = keys[:-1]
    return content.places.get(keys, "content")
