"""The entries of content files: facts, coding policies, templates and phrases."""

from __future__ import annotations

import re
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from cclearn.codes.patient_limits import Sex
from data_builders.content.pattern import parse_pattern

Kind = Literal["problem", "symptom", "injury", "cause", "history", "status", "social"]
"""Kinds of facts, which decide the sections and the sentences that mention them."""

Style = Literal["prose", "list", "lines"]
"""Styles of sections: sentences, a list with marks, or one line for each mention."""

Shown = Literal["medications", "labs", "findings", "vitals"]
"""Measurements and drugs that a section shows."""

Which = Literal["all", "some", "principal", "others"]
"""Facts that a section mentions: all of its kinds, about a half, the principal one, or all others."""

SECTION = re.compile(r"(I|II|III|IV)(\.[A-Z0-9][a-z0-9]*)*(\.[a-z0-9]+)*")
"""Form of a section of the Official Guidelines, for example `I.C.9.a.2`."""


def _checked_pattern(text: str) -> str:
    parse_pattern(text)
    return text


def _words(text: str) -> str:
    slots = parse_pattern(text).slots
    if slots:
        raise ValueError(f"{{{sorted(slots)[0]}}}: the words of a fact have no slots")
    return text


def _section(text: str) -> str:
    if not SECTION.fullmatch(text):
        raise ValueError("not a section of the guidelines, such as I.C.9.a.2")
    return text


Text = Annotated[str, AfterValidator(_checked_pattern)]
"""A pattern (`data_builders.content.pattern`)."""

Words = Annotated[str, AfterValidator(_words)]
"""A pattern without slots."""

Count = Annotated[tuple[int, int], Field(min_length=2)]
"""Smallest and largest number."""

Share = Annotated[float, Field(ge=0, le=1)]


class Entry(BaseModel):
    """Base class of the entries of content files."""

    model_config = ConfigDict(extra="forbid", frozen=True, coerce_numbers_to_str=True)


class Form(Entry):
    """A more specific form of a fact, such as a stage or a side.

    Attributes:
        words: Patterns of the words that name it in a note.
        code: Code that it has unless a policy replaces it. None for no code.
        weight: Weight in the random choice among the forms of the fact.
    """

    words: tuple[Words, ...] = Field(min_length=1)
    code: str | None = None
    weight: float = Field(default=1, gt=0)


class Fact(Entry):
    """Something that a note can document about a patient.

    Attributes:
        kind: Kind of the fact.
        words: Patterns of the words that name it in a note.
        code: Code that it has unless a policy replaces it. None for no code.
        forms: More specific forms by name. A note documents one of them, or the fact itself if it has
            words.
        category: Category by which results are reported, such as `frailty`.
        section: Section of the guidelines that the code follows.
        sex: Sex of the patients, None for both.
        age: Smallest and largest age in years.
        weight: Weight in the random choice of facts; 0 for facts that only come with others.
        often_with: Facts that often occur with it.
        needs: Facts of which one must be documented too.
        not_with: Facts that are not documented with it.
        deniable: Whether notes may deny it, and ascribe it to relatives.
        uncertain: Whether notes may call it probable.
        medications: Patterns of drugs that are given for it.
        labs: Patterns of laboratory values that go with it.
        findings: Patterns of findings on examination.
        vitals: Patterns of vital signs by name: `systolic`, `diastolic`, `pulse`, `respirations`,
            `temperature`, `saturation`.
    """

    kind: Kind
    words: tuple[Words, ...] = ()
    code: str | None = None
    forms: dict[str, Form] = {}
    category: str | None = None
    section: Annotated[str, AfterValidator(_section)] = "I.B.2"
    sex: Sex | None = None
    age: Count = (18, 99)
    weight: float = Field(default=1, ge=0)
    often_with: tuple[str, ...] = ()
    needs: tuple[str, ...] = ()
    not_with: tuple[str, ...] = ()
    deniable: bool = True
    uncertain: bool = False
    medications: tuple[Words, ...] = ()
    labs: tuple[Words, ...] = ()
    findings: tuple[Words, ...] = ()
    vitals: dict[
        Literal["systolic", "diastolic", "pulse", "respirations", "temperature", "saturation"],
        Words,
    ] = {}

    @model_validator(mode="after")
    def _has_words(self) -> Self:
        if not self.words and not self.forms:
            raise ValueError("words: a fact needs words, or forms with words")
        if self.code is not None and not self.words:
            raise ValueError("code: a fact without words has the codes of its forms only")
        return self


class Policy(Entry):
    """A rule: if facts are documented, codes follow.

    Attributes:
        name: Name of the policy.
        section: Section of the Official Guidelines that it comes from.
        when: Facts that must be documented: names (`ckd`), forms (`ckd.stage_5`), or lists of which one
            is enough.
        unless: Facts of which none may be documented.
        setting: Setting of the encounter that it holds for, None for both.
        codes: Codes that follow. Their evidence are the mentions of the facts in `when`, or of the fact
            alone that has the code by itself.
        replaces: Codes that no longer follow, with all codes below them.
        before: Codes, with all codes below them, that come after those of `codes`.
        why: Remark for readers.
    """

    name: str = Field(pattern=r"^[a-z0-9_]+$")
    section: Annotated[str, AfterValidator(_section)]
    when: tuple[str | tuple[str, ...], ...] = Field(min_length=1)
    unless: tuple[str, ...] = ()
    setting: Literal["inpatient", "outpatient"] | None = None
    codes: tuple[str, ...] = ()
    replaces: tuple[str, ...] = ()
    before: tuple[str, ...] = ()
    why: str = ""

    @model_validator(mode="after")
    def _does_something(self) -> Self:
        if not self.codes and not self.replaces:
            raise ValueError("codes: a policy adds codes, or replaces some")
        if self.before and not self.codes:
            raise ValueError("before: it orders the codes of the policy, which has none")
        return self


class Section(Entry):
    """A section of a template.

    Attributes:
        headings: Patterns of the heading; empty for none.
        chance: Share of the notes that have the section, unless it is needed for a fact.
        style: Style of the mentions.
        opening: Patterns of the first sentence. `{principal}` mentions the principal fact.
        takes: Kinds of facts that the section mentions.
        which: Facts of these kinds that it mentions.
        sentences: Patterns with `{fact}` by kind of fact, or `any`, instead of the shared phrases.
        joined: Patterns with `{facts}`, which mention all facts of the section at once.
        fillers: Patterns of sentences that mention no fact.
        filler_count: Smallest and largest number of fillers.
        distractors: Smallest and largest number of mentions that give no code.
        shows: What the section shows besides, each in a piece of its own.
        closing: Patterns of the last sentence.
    """

    headings: tuple[Text, ...] = ()
    chance: Share = 1.0
    style: Style = "prose"
    opening: tuple[Text, ...] = ()
    takes: tuple[Kind, ...] = ()
    which: Which = "some"
    sentences: dict[Kind | Literal["any"], tuple[Text, ...]] = {}
    joined: tuple[Text, ...] = ()
    fillers: tuple[Text, ...] = ()
    filler_count: Count = (0, 2)
    distractors: Count = (0, 0)
    shows: Shown | None = None
    closing: tuple[Text, ...] = ()


class Template(Entry):
    """The text of an encounter.

    Attributes:
        setting: Setting of the encounter, which decides about uncertain diagnoses.
        weight: Weight in the random choice of templates.
        sex: Sex of the patients, None for both.
        age: Smallest and largest age in years.
        facts: Smallest and largest number of facts.
        principal: Kinds of facts that can be the reason of the encounter.
        sections: Sections in their order.
    """

    setting: Literal["inpatient", "outpatient"]
    weight: float = Field(default=1, gt=0)
    sex: Sex | None = None
    age: Count = (18, 99)
    facts: Count = (2, 7)
    principal: tuple[Kind, ...] = ("problem", "symptom", "injury")
    sections: tuple[Section, ...] = Field(min_length=1)

    @property
    def kinds(self) -> frozenset[Kind]:
        """Kinds of facts that some section mentions."""
        return frozenset(kind for section in self.sections for kind in section.takes)


class Phrases(Entry):
    """Sentences that the sections of all templates share, each with `{fact}`.

    Attributes:
        prose: Sentences by kind of fact.
        listed: Items of lists by kind of fact, or `any`.
        uncertain: Sentences that call a fact probable.
        denied: Sentences that deny it.
        family: Sentences that ascribe it to a relative.
        hypothetical: Sentences that only consider it.
    """

    prose: dict[Kind, tuple[Text, ...]] = {}
    listed: dict[Kind | Literal["any"], tuple[Text, ...]] = {}
    uncertain: tuple[Text, ...] = ()
    denied: tuple[Text, ...] = ()
    family: tuple[Text, ...] = ()
    hypothetical: tuple[Text, ...] = ()


class ContentFile(Entry):
    """A content file. Every part is optional.

    Attributes:
        facts: Facts by name.
        complete: Ranges of codes by category. Every billable code in them that no fact has becomes a
            fact with the strings of the code system.
        policies: Coding policies.
        templates: Templates by name.
        phrases: Sentences of all templates.
        slots: Words of slots by the name of the slot.
        common: What sections show for patients without facts of their own.
    """

    facts: dict[str, Fact] = {}
    complete: dict[str, tuple[str, ...]] = {}
    policies: tuple[Policy, ...] = ()
    templates: dict[str, Template] = {}
    phrases: Phrases = Phrases()
    slots: dict[str, tuple[Text, ...]] = {}
    common: dict[Shown, tuple[Text, ...]] = {}
