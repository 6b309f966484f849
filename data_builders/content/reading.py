"""Reading content files, with all errors at once, each with its file and line."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from cclearn.codes import CodeSystem
from cclearn.codes.patient_limits import patient_of
from cclearn.codes.references import CodeIndex, references
from cclearn.errors import ConfigurationError, DataError, did_you_mean
from cclearn.runtime.files import read_text
from cclearn.runtime.yaml_files import parse_yaml
from cclearn.runtime.yaml_models import describe_problems, lines_of
from data_builders.content.kinds import kind_of
from data_builders.content.pattern import parse_pattern
from data_builders.content.schema import (
    ContentFile,
    Fact,
    Kind,
    Phrases,
    Policy,
    Section,
    Shown,
    Template,
)

_LONGEST_TITLE = 90
"""Maximum number of characters of a string of the code system that becomes the words of a fact. A code
that has only longer strings is named by its shortest one."""


@dataclass(eq=False)
class Content:
    """The content of several files.

    Attributes:
        facts: Facts by name.
        policies: Coding policies in the order of the files.
        templates: Templates by name.
        phrases: Sentences of all templates.
        slots: Words of slots by the name of the slot.
        common: What sections show for patients without facts of their own.
        places: File and line of each entry, such as `file.yaml:12`, by the keys of the entry.
    """

    facts: dict[str, Fact] = field(default_factory=dict)
    policies: tuple[Policy, ...] = ()
    templates: dict[str, Template] = field(default_factory=dict)
    phrases: Phrases = field(default_factory=Phrases)
    slots: dict[str, tuple[str, ...]] = field(default_factory=dict)
    common: dict[Shown, tuple[str, ...]] = field(default_factory=dict)
    places: dict[tuple[str, ...], str] = field(default_factory=dict)


def shipped_files(*folders: str) -> list[Path]:
    """Return the content files that come with the package.

    Args:
        folders: Names of the folders, among `facts`, `phrases`, `policies` and `templates`. Without one,
            all files are returned.
    """
    root = Path(str(files("data_builders.content"))) / "shipped"
    found = (root / name for name in folders) if folders else (root,)
    return [path for folder in found for path in sorted(folder.rglob("*.yaml"))]


@lru_cache(maxsize=4)
def shipped_templates(system: CodeSystem) -> Content:
    """Return the templates that come with the package, and their sentences.

    Args:
        system: Code system of the codes.
    """
    return read_content(shipped_files("templates", "phrases"), system)


def unknown_names(key: str, names: Iterable[str], known: Iterable[str]) -> list[str]:
    """Return a problem for each name of a setting that content does not have.

    Args:
        key: Name of the setting.
        names: Names in the setting.
        known: Names that there are.
    """
    there = list(dict.fromkeys(known))
    return [
        f"{key} ({key} = {name}): not known.{did_you_mean(name, there)}"
        f" There are: {', '.join(there) or 'none'}."
        for name in names
        if name not in there
    ]


def read_content(paths: Sequence[Path], system: CodeSystem) -> Content:
    """Return the content of files. A later entry replaces an earlier one of the same name.

    Args:
        paths: Paths of content files, or of folders with them.
        system: Code system of the codes. It provides the codes and words of `complete`.

    Raises:
        DataError: A file is missing or is not YAML.
        ConfigurationError: Entries are invalid, or name something that no file contains. The error lists
            all of them with their files and lines.
    """
    content = Content()
    problems: list[str] = []
    policies: dict[str, Policy] = {}
    complete: dict[str, tuple[str, ...]] = {}
    for path in _files(paths):
        found = _read_file(path, problems)
        if found is None:
            continue
        file, lines = found
        content.facts.update(file.facts)
        content.templates.update(file.templates)
        content.slots.update(file.slots)
        content.common.update(file.common)
        complete.update(file.complete)
        for index, policy in enumerate(file.policies):
            policies[policy.name] = policy
            place = lines.get(("policies", str(index)), 1)
            content.places["policies", policy.name] = f"{path}:{place}"
        for keys, line in lines.items():
            if keys[0] != "policies":
                content.places[keys] = f"{path}:{line}"
        content.phrases = _merged(content.phrases, file.phrases)
    content.policies = tuple(policies.values())
    if not problems:
        problems += _complete(content, complete, system)
        problems += _unknown_names(content)
    if problems:
        raise ConfigurationError(problems)
    return content


def _files(paths: Iterable[Path]) -> Iterable[Path]:
    for path in paths:
        if path.is_dir():
            found = sorted(path.rglob("*.yaml"))
            if not found:
                raise DataError(path, "no YAML file is in it")
            yield from found
        else:
            yield path


def _read_file(
    path: Path, problems: list[str]
) -> tuple[ContentFile, dict[tuple[str, ...], int]] | None:
    values, node = parse_yaml(read_text(path), path)
    if not isinstance(values, dict):
        raise DataError(path, "not a mapping of keys to values")
    try:
        return ContentFile.model_validate(values), lines_of(node)
    except ValidationError as error:
        problems += describe_problems(path, error, node, ContentFile)
        return None


def _merged(one: Phrases, two: Phrases) -> Phrases:
    """Return phrases with the values of the second that are not empty."""
    values: dict[str, Any] = {}
    for name in Phrases.model_fields:
        first, second = getattr(one, name), getattr(two, name)
        values[name] = {**first, **second} if isinstance(first, Mapping) else second or first
    return Phrases.model_validate(values)


def _complete(
    content: Content, complete: Mapping[str, Sequence[str]], system: CodeSystem
) -> list[str]:
    """Add a fact for each billable code of the ranges that no fact has. Return the problems."""
    problems = []
    written = {
        code
        for fact in content.facts.values()
        for code in (fact.code, *(form.code for form in fact.forms.values()))
        if code is not None
    }
    written |= {code for policy in content.policies for code in policy.codes}
    index = CodeIndex(system.billable_codes())
    for category, ranges in complete.items():
        for text in ranges:
            named = list(references(f"({text})"))
            codes = [code for reference in named for code in index.covered_by(reference)]
            if not codes:
                place = content.places.get(("complete", category), "content")
                problems.append(f"{place}: complete: no billable code is in {text}")
            for code in codes:
                if code not in written:
                    written.add(code)
                    content.facts[code] = fact_of_code(code, system, category)
    return problems


def fact_of_code(code: str, system: CodeSystem, category: str | None = None) -> Fact:
    """Return the fact that a code stands for, in the words of the code system.

    Args:
        code: A billable code.
        system: Code system of the code.
        category: Category of the fact.
    """
    strings = [system.description(code), *system.synonyms(code)]
    short = [text for text in strings if len(text) <= _LONGEST_TITLE]
    words = short or [min(strings, key=len)]
    kind: Kind = kind_of(code, system)
    sex, ages = patient_of([code], system)
    return Fact(
        kind=kind,
        sex=sex,
        age=ages,
        words=tuple(text.replace("{", "(").replace("}", ")") for text in words),
        code=code,
        category=category,
        weight=0 if kind == "cause" else 0.3,
        deniable=kind in ("problem", "symptom"),
    )


def _unknown_names(content: Content) -> list[str]:
    """Return a problem for each name of a fact, form or slot that no file contains."""
    problems: list[str] = []

    def place(*keys: str) -> str:
        while keys and keys not in content.places:
            keys = keys[:-1]
        return content.places.get(keys, "content")

    for name, fact in content.facts.items():
        for key in ("often_with", "needs", "not_with"):
            for other in getattr(fact, key):
                if not is_named(other, content.facts):
                    problems.append(
                        f"{place('facts', name, key)}: facts.{name}.{key}: no fact is called {other}"
                    )
    for policy in content.policies:
        for other in (*flat(policy.when), *policy.unless):
            if not is_named(other, content.facts):
                where = place("policies", policy.name)
                problems.append(f"{where}: policies.{policy.name}: no fact is called {other}")
    known = frozenset((*content.slots, *PATIENT_SLOTS))
    for name, template in content.templates.items():
        for number, section in enumerate(template.sections):
            where = place("templates", name, "sections", str(number))
            problems += [
                f"{where}: templates.{name}.sections.{number}: {problem}"
                for problem in _slot_problems(section, known)
            ]
    for key, patterns, mention in _phrase_patterns(content.phrases):
        for problem in _slots_outside(patterns, known | {mention}, mention):
            problems.append(f"{place('phrases', key)}: phrases.{key}: {problem}")
    for slot, patterns in content.slots.items():
        if not patterns:
            problems.append(f"{place('slots', slot)}: slots.{slot}: the slot has no words")
        for problem in _slots_outside(patterns, frozenset(PATIENT_SLOTS), None):
            problems.append(f"{place('slots', slot)}: slots.{slot}: {problem}")
    return problems


PATIENT_SLOTS = (
    *("age", "sex", "he", "his", "him", "man", "title", "surname", "relative", "vitals"),
    *("date", "earlier", "later", "systolic", "diastolic", "pulse", "respirations"),
    *("temperature", "saturation", "weight", "height", "days"),
)
"""Slots that the patient and the encounter fill."""


def flat(terms: Iterable[str | tuple[str, ...]]) -> list[str]:
    """Return the names in the condition of a policy, without its lists."""
    return [name for term in terms for name in ((term,) if isinstance(term, str) else term)]


def is_named(name: str, facts: Mapping[str, Fact]) -> bool:
    """Return whether a name is that of a fact, or of a form of a fact (`ckd.stage_5`).

    Args:
        name: Name to look up.
        facts: Facts by name. Names of facts may contain a dot too.
    """
    if name in facts:
        return True
    fact, _, form = name.rpartition(".")
    return fact in facts and form in facts[fact].forms


def _slot_problems(section: Section, known: frozenset[str]) -> Iterable[str]:
    plain = (*section.headings, *section.fillers, *section.closing)
    yield from _slots_outside(plain, known, None)
    yield from _slots_outside(section.opening, known | {"principal"}, None)
    yield from _slots_outside(section.joined, known | {"facts"}, "facts")
    for patterns in section.sentences.values():
        yield from _slots_outside(patterns, known | {"fact"}, "fact")


def _slots_outside(
    patterns: Iterable[str], known: frozenset[str], needed: str | None
) -> Iterable[str]:
    """Yield a problem for each slot that is not known, and each pattern without a needed slot."""
    for text in patterns:
        slots = parse_pattern(text).slots
        for slot in sorted(slots - known):
            yield f"no slot is called {slot}"
        if needed is not None and needed not in slots:
            yield f"a sentence has no {{{needed}}}"


def _phrase_patterns(phrases: Phrases) -> Iterable[tuple[str, tuple[str, ...], str]]:
    for name in Phrases.model_fields:
        value = getattr(phrases, name)
        for patterns in value.values() if isinstance(value, Mapping) else (value,):
            yield name, patterns, "fact"
