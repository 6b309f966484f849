"""Asking a model for notes, and again for those that cannot be used."""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from cclearn.codes import CodeSystem
from cclearn.engines import Engine, Request
from cclearn.notes import AssignedCode, CodedNote, Evidence, Origin
from data_builders.builder import RejectedRow
from data_builders.rare_codes.answers import ReadAnswer, read_answer
from data_builders.rare_codes.mention_strings import MentionStrings
from data_builders.rare_codes.note_plan import PlannedNote, PlannedOutcome
from data_builders.rare_codes.prompts import NotePrompt, note_prompts
from data_builders.rare_codes.style import StyleNotes

_BATCH = 512
"""Number of notes after which those that cannot be used are asked for again."""


@dataclass(slots=True)
class _Piece:
    """A note, or a section of one, that a model is asked for.

    Attributes:
        id: Id of its first request.
        prompt: Parts of the prompt.
        codes: Codes that must be mentioned.
        origin: Origin of the prompt.
        read: The last answer, None before the first one.
    """

    id: str
    prompt: NotePrompt
    codes: tuple[str, ...]
    origin: Origin
    read: ReadAnswer | None = None


class NoteAsker:
    """Asks a model for notes with given codes.

    Args:
        engine: Engine of the model.
        system: Code system of the codes.
        strings: Strings of the codes, which the model is shown.
        styles: Notes from which one is shown for its style.
        by_section: Whether a note is written section by section.
        tries: Number of times that the model is asked for a note or a section.
        seed: Seed of the patients, the order of the codes, and the choice of strings and styles.

    Attributes:
        asked_again: Number of requests after an answer that could not be used.
        others: Number of codes with a mention in the notes that were not asked for.
    """

    def __init__(
        self,
        engine: Engine,
        system: CodeSystem,
        strings: MentionStrings,
        styles: StyleNotes,
        by_section: bool,
        tries: int,
        seed: int,
    ) -> None:
        self._engine = engine
        self._system = system
        self._strings = strings
        self._styles = styles
        self._by_section = by_section
        self._tries = tries
        self._seed = seed
        self.asked_again = 0
        self.others = 0

    def write(self, plans: Iterable[PlannedNote]) -> Iterator[PlannedOutcome]:
        """Yield each planned note with its text, or with the reason why there is none, in order.

        Args:
            plans: Planned notes. As many as a batch has are in memory.
        """
        unread = iter(plans)
        while batch := list(islice(unread, _BATCH)):
            pieces = [self._pieces(planned) for planned in batch]
            self._ask([piece for of_note in pieces for piece in of_note])
            for planned, of_note in zip(batch, pieces, strict=True):
                yield planned, self._finished(planned, of_note)

    def _ask(self, pieces: list[_Piece]) -> None:
        for attempt in range(self._tries):
            # The engine may read ahead, so that the requests are made before any answer is kept.
            requests = [self._request(piece, attempt) for piece in pieces]
            self.asked_again += len(requests) if attempt else 0
            answers = self._engine.generate(iter(requests))
            for piece, answer in zip(pieces, answers, strict=True):
                piece.read = read_answer(answer, piece.codes, piece.prompt.style, self._system)
            pieces = [p for p in pieces if p.read and p.read.problem and not p.read.final]
            if not pieces:
                return

    def _pieces(self, planned: PlannedNote) -> list[_Piece]:
        rng = random.Random(f"{self._seed} {planned.id} prompt")  # noqa: S311 - reproducible
        codes = planned.code_set.codes
        style = self._styles.similar(codes, rng)
        restricted = style is not None and style.origin == "restricted"
        restricted = restricted or not self._strings.restricted.isdisjoint(codes)
        prompts = note_prompts(
            codes, self._by_section, self._system, self._strings.texts, style, rng
        )
        return [
            _Piece(
                planned.id if not prompt.section else f"{planned.id} {prompt.section}",
                prompt,
                members,
                "restricted" if restricted else "synthetic",
            )
            for prompt, members in prompts
        ]

    def _request(self, piece: _Piece, attempt: int) -> Request:
        problem = ""
        if piece.read is not None:
            problem = piece.read.problem
            problem += f" ({piece.read.detail})" if piece.read.detail else ""
        identifier = f"{piece.id} try {attempt + 1}" if attempt else piece.id

        def request(with_style: bool) -> Request:
            content = piece.prompt.text(problem, with_style)
            return Request(identifier, [{"role": "user", "content": content}], None, piece.origin)

        made = request(with_style=True)
        if piece.prompt.style is None or self._engine.fits(made):
            return made
        return request(with_style=False)

    def _finished(self, planned: PlannedNote, pieces: list[_Piece]) -> CodedNote | RejectedRow:
        """Return a note of the answers to its requests, or the reason why there is none."""
        text = ""
        evidence: dict[str, list[Evidence]] = {code: [] for code in planned.code_set.codes}
        others: set[str] = set()
        for piece in pieces:
            read = piece.read
            if read is None or read.problem:
                return RejectedRow(
                    text=planned.id,
                    code=planned.code_set.anchor,
                    reason=read.problem if read else "",
                    detail=read.detail if read else "",
                )
            heading = f"{piece.prompt.section}:\n" if piece.prompt.section else ""
            text += ("\n\n" if text else "") + heading
            offset = len(text)
            text += read.text
            others |= read.others
            for code, spans in read.spans.items():
                evidence[code] += [
                    Evidence(start=s + offset, end=e + offset, text=text[s + offset : e + offset])
                    for s, e in sorted(spans)
                ]
        # A code that another section was asked for is no further code.
        more = sorted(others.difference(evidence))
        self.others += len(more)
        return CodedNote(
            id=planned.id,
            text=text,
            origin=pieces[0].origin,
            metadata=planned.metadata,
            flags=[f"not asked for: {code}" for code in more],
            codes=[
                AssignedCode(
                    code=code,
                    system=self._system.name,
                    description=self._system.description(code),
                    evidence=pieces_of_code,
                    status=self._system.status(code),
                )
                for code, pieces_of_code in evidence.items()
            ],
        )
