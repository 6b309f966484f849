"""What a note states: documented facts, and the patient that they are about."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from cclearn.codes.patient_limits import Sex
from data_builders.content.schema import Kind
from data_builders.noise.context import NO_CONTEXT, Context


@dataclass(frozen=True, slots=True)
class Statement:
    """A fact as a note documents it.

    Attributes:
        fact: Name of the fact.
        form: Name of its form, empty for the fact itself.
        kind: Kind of the fact.
        words: Patterns of the words that name it.
        code: Code that it has by itself, None for no code.
        uncertain: Whether the note calls it probable.
        medications: Patterns of drugs that are given for it.
        labs: Patterns of laboratory values that go with it.
        findings: Patterns of findings on examination.
        vitals: Patterns of vital signs by name.
        context: Context of its code, for changes of spelling.
    """

    fact: str
    kind: Kind
    words: tuple[str, ...]
    form: str = ""
    code: str | None = None
    uncertain: bool = False
    medications: tuple[str, ...] = ()
    labs: tuple[str, ...] = ()
    findings: tuple[str, ...] = ()
    vitals: Mapping[str, str] | None = None
    context: Context = NO_CONTEXT


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient of a note.

    Attributes:
        age: Age in years.
        sex: Sex, which decides the pronouns.
    """

    age: int
    sex: Sex
