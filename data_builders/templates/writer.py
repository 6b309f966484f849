"""The writer of notes: which section mentions which fact, and in which sentence."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cclearn.notes.spans import Span
from data_builders.content.reading import Content
from data_builders.content.schema import Section, Shown, Style, Template
from data_builders.noise import WEIGHTS, Noise
from data_builders.templates.page import Page
from data_builders.templates.statements import Patient, Statement

NOISE_WEIGHTS = {
    name: weight for name, weight in WEIGHTS.items() if name not in ("frame", "casing")
}
"""Changes of the spelling of mentions. The sentence determines the case of the first letter."""

_MARKS = ("- ", "- ", "* ", "• ", "{}. ", "{}. ", "{}) ", "# ", "")
"""Marks of the items of a list."""

_GAPS = ("\n", "\n", "\n\n", "\n\n")
"""What stands between sections."""

_JOINED = ((", ", ", and "), (", ", " and "), (", ", ", "), ("; ", "; "))
"""Separators between mentions, and before the last one."""

_JOIN = 0.6
"""Share of the sections with several mentions and a sentence for all of them that use it."""

_Item = int | str | tuple[int, ...] | Statement
"""A piece of a section: the index of a statement, a sentence without a mention, the indices of several
statements, or a distractor."""

_SOME = 0.45
"""Share of the facts that a section of `which: some` mentions."""


_SHOWN = 0.85
"""Share of the facts with drugs, values or findings of which a section shows one."""

_COMMON: dict[Shown, tuple[int, int]] = {
    "medications": (0, 3),
    "labs": (1, 4),
    "findings": (2, 5),
}
"""Smallest and largest number of drugs, values and findings that belong to no fact."""


@dataclass(frozen=True, slots=True)
class WrittenNote:
    """A note with the mentions of its facts.

    Attributes:
        text: Text of the note.
        spans: Spans of the mentions of each statement, at least one each.
        distractors: Spans of the mentions that are no evidence.
        sections: Spans of the sections, without their headings.
    """

    text: str
    spans: list[list[Span]]
    distractors: list[Span]
    sections: list[Span]


class NoteWriter:
    """Writes notes from templates.

    Args:
        content: Phrases, slots and common values.
        noise: Changes of the spelling of mentions.
        share: Share of the mentions that are changed.
    """

    def __init__(self, content: Content, noise: Noise, share: float) -> None:
        self._content = content
        self._noise = noise
        self._share = share

    def write(
        self,
        template: Template,
        patient: Patient,
        statements: Sequence[Statement],
        distractors: Sequence[Statement],
        rng: random.Random,
    ) -> WrittenNote:
        """Return a note that mentions every statement at least once.

        Args:
            template: Template of the note. Its sections must take the kinds of all statements.
            patient: The patient.
            statements: Facts that the note documents. The first one is the reason of the encounter.
            distractors: Facts that it mentions without documenting them.
            rng: Random generator.
        """
        page = Page(rng, patient, statements, self._content.slots, self._noise, self._share)
        plan = _plan(template, statements, rng)
        layout = _Layout(rng)
        waiting = list(distractors)
        sections: list[Span] = []
        for section, mentioned in plan:
            items = self._items(page, section, mentioned, waiting)
            if not items and not section.opening and not section.closing and not section.shows:
                continue
            if not page.at_line_start:
                page.write("\n")
            if page.length:
                page.write(layout.gap[1:])
            if section.headings:
                page.write(layout.heading(page.choice(section.headings), section.style))
            start = page.length
            self._section(page, section, items, layout)
            sections.append((start, page.length))
        page.write("\n")
        return WrittenNote(page.text, page.spans, page.distractors, sections)

    def _items(
        self,
        page: Page,
        section: Section,
        mentioned: Sequence[int],
        waiting: list[Statement],
    ) -> list[_Item]:
        """Return the pieces of a section in a random order.

        Args:
            page: Page of the note.
            section: The section.
            mentioned: Indices of the statements that it mentions.
            waiting: Distractors that no section has yet. Those of this section are removed.
        """
        rng = page.rng
        fillers = rng.sample(
            section.fillers, min(len(section.fillers), page.number(*section.filler_count))
        )
        count = min(len(waiting), page.number(*section.distractors))
        items: list[_Item] = [*fillers, *waiting[:count]]
        del waiting[:count]
        order = list(mentioned)
        rng.shuffle(order)
        if len(order) > 1 and section.joined and page.chance(_JOIN):
            items.append(tuple(order))
        else:
            items += order
        rng.shuffle(items)
        return items

    def _section(
        self, page: Page, section: Section, items: Sequence[_Item], layout: _Layout
    ) -> None:
        """Write a section without its heading."""
        pieces = _Pieces(page, section.style, layout)
        opening = [t for t in section.opening if page.statements or "{principal}" not in t]
        if opening:
            pieces.begin(in_list=False)
            page.sentence(page.choice(opening), _slots(page, "principal", (0,)))
        if section.shows is not None:
            self._show(page, section.shows, pieces)
        for item in items:
            pieces.begin()
            if isinstance(item, int):
                self._mention(page, section, item)
            elif isinstance(item, str):
                page.sentence(item)
            elif isinstance(item, tuple):
                page.sentence(page.choice(section.joined), _slots(page, "facts", item))
            else:
                self._distractor(page, item)
        if section.closing:
            pieces.begin(in_list=False)
            page.sentence(page.choice(section.closing))

    def _mention(self, page: Page, section: Section, number: int) -> None:
        statement, phrases = page.statements[number], self._content.phrases
        own = section.sentences.get(statement.kind) or section.sentences.get("any")
        if statement.uncertain:
            sentences = phrases.uncertain
        elif own:
            sentences = own
        elif section.style == "prose":
            sentences = phrases.prose[statement.kind]
        else:
            sentences = phrases.listed.get(statement.kind) or phrases.listed["any"]
        page.sentence(page.choice(sentences), _slots(page, "fact", (number,)))

    def _distractor(self, page: Page, statement: Statement) -> None:
        phrases = self._content.phrases
        kinds = [phrases.denied, phrases.denied, phrases.family, phrases.hypothetical]

        def slot(name: str) -> None:
            if name == "fact":
                page.mention(statement)
            else:
                page.write_slot(name)

        page.sentence(page.choice(kinds[int(page.rng.random() * len(kinds))]), slot)

    def _show(self, page: Page, shown: Shown, pieces: _Pieces) -> None:
        """Write drugs, values or findings of the facts, and some that patients have in common."""
        common = self._content.common.get(shown, ())
        if shown == "vitals":
            pieces.begin()
            page.sentence(page.choice(common))
            return
        found = [
            page.choice(patterns)
            for statement in page.statements
            if (patterns := getattr(statement, shown)) and page.chance(_SHOWN)
        ]
        extra = page.rng.sample(common, min(len(common), page.number(*_COMMON[shown])))
        first_words = {text.split(maxsplit=1)[0].lower() for text in found}
        found += [t for t in extra if t.split(maxsplit=1)[0].lower() not in first_words]
        for text in dict.fromkeys(found):
            pieces.begin(separator=", " if shown != "findings" else " ")
            page.sentence(text)
        if found and pieces.in_prose and shown != "findings":
            page.write(".")


class _Layout:
    """The layout of a note: how its headings, lists and gaps look.

    Args:
        rng: Random generator of the note.
    """

    def __init__(self, rng: random.Random) -> None:
        self.gap = _GAPS[int(rng.random() * len(_GAPS))]
        self.mark = _MARKS[int(rng.random() * len(_MARKS))]
        self._upper = rng.random() < 0.35
        self._own_line = rng.random() < 0.5

    def heading(self, text: str, style: Style) -> str:
        """Return a heading with what separates it from a section of a style."""
        written = text.upper() if self._upper else text
        if self._own_line:
            return f"{written}\n"
        return f"{written}: " if style == "prose" else f"{written}:\n"


class _Pieces:
    """Writes what stands between the pieces of a section.

    Args:
        page: Page of the note.
        style: Style of the section.
        layout: Layout of the note.

    Attributes:
        in_prose: Whether the pieces are sentences.
    """

    def __init__(self, page: Page, style: Style, layout: _Layout) -> None:
        self._page = page
        self._style = style
        self._mark = layout.mark
        self._count = 0
        self._begun = False
        self.in_prose = style == "prose"

    def begin(self, in_list: bool = True, separator: str = " ") -> None:
        """Begin a piece.

        Args:
            in_list: Whether the piece is an item, if the section is a list.
            separator: Separator from the piece before, if the section is not a list.
        """
        page = self._page
        if self.in_prose:
            if self._begun:
                page.write(separator)
        elif not page.at_line_start:
            page.write("\n")
        if self._style == "list" and in_list:
            self._count += 1
            page.write(self._mark.format(self._count))
        self._begun = True


def _slots(page: Page, mention: str, numbers: Sequence[int]) -> Callable[[str], None]:
    """Return the function that fills the slots of a sentence with mentions.

    Args:
        page: Page of the note.
        mention: Name of the slot that mentions statements.
        numbers: Indices of the statements.
    """
    between, last = _JOINED[int(page.rng.random() * len(_JOINED))]

    def slot(name: str) -> None:
        if name != mention:
            page.write_slot(name)
            return
        for position, number in enumerate(numbers):
            if position:
                page.write(last if position == len(numbers) - 1 else between)
            page.mention(page.statements[number], number)

    return slot


def _plan(
    template: Template, statements: Sequence[Statement], rng: random.Random
) -> list[tuple[Section, list[int]]]:
    """Return the sections of a note in their order, each with the statements that it mentions."""
    sections = template.sections
    present = {index for index, section in enumerate(sections) if rng.random() < section.chance}
    plan: dict[int, list[int]] = {}
    for number, statement in enumerate(statements):
        able = [
            index
            for index, section in enumerate(sections)
            if statement.kind in section.takes
            and section.which != ("others" if number == 0 else "principal")
        ]
        chosen = [
            index
            for index in able
            if index in present and (sections[index].which != "some" or rng.random() < _SOME)
        ]
        opened = number == 0 and any(
            "{principal}" in t for i in present for t in sections[i].opening
        )
        if not chosen and not opened:
            # The checks of content make sure that a section takes the kind. Codes without a reason of
            # the encounter among them may have one that only sections of the others take.
            able = able or [
                i for i, section in enumerate(sections) if statement.kind in section.takes
            ]
            usable = [index for index in able if index in present] or able[:1]
            chosen = [usable[int(rng.random() * len(usable))]]
        for index in chosen:
            plan.setdefault(index, []).append(number)
    return [(sections[index], plan.get(index, [])) for index in sorted(present | plan.keys())]
