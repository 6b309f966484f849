"""Rendering of code sets by templates, in one process or in several."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice

from cclearn.codes import CodeSystem
from cclearn.notes import CodedNote
from data_builders.builder import RejectedRow
from data_builders.parallel import ParallelMap
from data_builders.rare_codes.mention_strings import MentionStrings
from data_builders.rare_codes.note_plan import PlannedNote, PlannedOutcome
from data_builders.templates.code_notes import CodeNoteRenderer

_TASK = 500
"""Number of notes that a process receives at once."""


def rendered_notes(
    plans: Iterable[PlannedNote],
    system: CodeSystem,
    strings: MentionStrings,
    noise: float,
    seed: int,
    parallel_map: ParallelMap,
) -> Iterator[PlannedOutcome]:
    """Yield each planned note with the note that the templates make of it, in order.

    A note depends on the seed and its id only, so that it is the same in every process.

    Args:
        plans: Planned notes.
        system: Code system of the codes.
        strings: Strings that mention the codes.
        noise: Share of mentions that are changed.
        seed: Seed of the templates and the strings.
        parallel_map: Map that renders the notes.
    """
    make = partial(_TemplateRenderer, system, strings, noise, seed)
    for outcomes in parallel_map(make, _batches(plans)):
        yield from outcomes


def _batches(plans: Iterable[PlannedNote]) -> Iterator[list[PlannedNote]]:
    iterator = iter(plans)
    while batch := list(islice(iterator, _TASK)):
        yield batch


class _TemplateRenderer:
    """Function from planned notes to notes."""

    def __init__(
        self, system: CodeSystem, strings: MentionStrings, noise: float, seed: int
    ) -> None:
        self._renderer = CodeNoteRenderer(system, noise)
        self._strings = strings
        self._seed = seed

    def __call__(self, plans: Sequence[PlannedNote]) -> list[PlannedOutcome]:
        """Return planned notes with their notes."""
        return [(planned, self._rendered(planned)) for planned in plans]

    def _rendered(self, planned: PlannedNote) -> CodedNote | RejectedRow:
        codes, anchor = planned.code_set.codes, planned.code_set.anchor
        without = [code for code in codes if code not in self._strings.texts]
        if without:
            reason, detail = "no string for a code", ", ".join(without)
            return RejectedRow(text=planned.id, code=anchor, reason=reason, detail=detail)
        strings = {code: self._strings.texts[code] for code in codes}
        rng = random.Random(f"{self._seed} {planned.id} text")  # noqa: S311 - reproducible
        restricted = not self._strings.restricted.isdisjoint(codes)
        note = self._renderer.render(
            planned.id, strings, rng, "restricted" if restricted else "synthetic"
        )
        return note.model_copy(update={"metadata": planned.metadata})
