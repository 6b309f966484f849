"""Paraphrases of notes by a model, one section at a time, with the evidence found again.

A model that rewrites a whole note loses the details that codes need (arXiv 2605.17775). So each section
is rewritten by itself, and a section whose mentions are lost or changed stays as it was.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.engines import Answer, Engine, Request
from cclearn.notes import CODED_ASSERTIONS, Origin
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.spans import Span
from cclearn.prompts import Message
from data_builders.templates.writer import WrittenNote

INSTRUCTION = (
    "Rewrite this section of a clinical note as another clinician would write it. Keep its meaning, its"
    " tense and its length. Keep every number. Keep the words in the list exactly as they are, each as"
    " often as it is listed. Add no finding, and answer with the section only."
)

LEAST = 80
"""Minimum number of characters of a section that is rewritten."""


@dataclass(frozen=True, slots=True)
class Paraphrase:
    """A note after its sections were rewritten.

    Attributes:
        note: The note, with the mentions at their new places.
        rewritten: Number of sections that were replaced.
        kept: Number of sections whose paraphrase could not be used, by the reason.
    """

    note: WrittenNote
    rewritten: int
    kept: dict[str, int]


class Paraphraser:
    """Rewrites the sections of notes.

    Args:
        engine: Engine of the model.
        system: Code system of the lexicon, which finds conditions that a paraphrase adds.
        origin: Origin of the notes.
    """

    def __init__(self, engine: Engine, system: CodeSystem, origin: Origin = "synthetic") -> None:
        self._engine = engine
        self._lexicon = LexiconCoder(system)
        self._origin = origin

    def rewrite(self, notes: Iterable[tuple[str, WrittenNote]]) -> Iterator[Paraphrase]:
        """Yield a paraphrase of each note, in order and in constant memory.

        Args:
            notes: Notes with their ids.
        """
        waiting: deque[tuple[WrittenNote, list[Span]]] = deque()

        def requests() -> Iterator[Request]:
            for identifier, note in notes:
                spans = [(s, e) for s, e in note.sections if e - s >= LEAST]
                waiting.append((note, spans))
                for start, end in spans:
                    name = f"{identifier} {start}:{end}"
                    yield Request(name, _prompt(note, (start, end)), origin=self._origin)

        answers = self._engine.generate(requests())
        for answer in answers:
            while not waiting[0][1]:
                yield Paraphrase(waiting.popleft()[0], 0, {})
            note, spans = waiting.popleft()
            yield self._replaced(note, spans, [answer, *(next(answers) for _ in spans[1:])])
        for note, _ in waiting:
            yield Paraphrase(note, 0, {})

    def _replaced(
        self, note: WrittenNote, spans: Sequence[Span], answers: Sequence[Answer]
    ) -> Paraphrase:
        rewritten, kept = 0, dict[str, int]()
        # From the last section to the first, so that the offsets of earlier ones stay true.
        for span, answer in sorted(zip(spans, answers, strict=True), key=lambda p: -p[0][0]):
            found = self._rewritten(note, span, answer)
            if isinstance(found, str):
                kept[found] = kept.get(found, 0) + 1
            else:
                note, rewritten = found, rewritten + 1
        return Paraphrase(note, rewritten, kept)

    def _rewritten(self, note: WrittenNote, span: Span, answer: Answer) -> WrittenNote | str:
        """Return the note with one section replaced, or the reason why it is not."""
        start, end = span
        text = answer.text.strip()
        if answer.problem or not answer.complete or not text:
            return "no answer"
        if not 0.4 <= len(text) / (end - start) <= 2.5:
            return "the length changed"
        inside = [s for s in _mentions(note) if start <= s[0] and s[1] <= end]
        places = _find_again([note.text[s:e] for s, e in inside], text)
        if places is None:
            return "a mention is missing"
        moved = {
            old: (start + first, start + last)
            for old, (first, last) in zip(inside, places, strict=True)
        }
        whole = note.text[:start] + text + note.text[end:]
        before, after = AssertionRules(note.text), AssertionRules(whole)
        for old, new in moved.items():
            was, is_now = before.assertion_of(*old), after.assertion_of(*new)
            if (was in CODED_ASSERTIONS) != (is_now in CODED_ASSERTIONS):
                return "an assertion changed"
        known = {f.code for f in self._lexicon.find(note.text[start:end])}
        if any(f.code not in known for f in self._lexicon.find(text)):
            return "a condition was added"
        shift = len(text) - (end - start)

        def place(old: Span) -> Span:
            if old in moved:
                return moved[old]
            return (old[0] + shift, old[1] + shift) if old[0] >= end else old

        sections = [
            (s, e + shift) if (s, e) == span else (s + shift, e + shift) if s >= end else (s, e)
            for s, e in note.sections
        ]
        return WrittenNote(
            whole,
            [[place(s) for s in of_one] for of_one in note.spans],
            [place(s) for s in note.distractors],
            sections,
        )


def _mentions(note: WrittenNote) -> list[Span]:
    """Return the spans of all mentions of a note in their order."""
    return sorted({*note.distractors, *(span for spans in note.spans for span in spans)})


def _prompt(note: WrittenNote, span: Span) -> list[Message]:
    start, end = span
    words = [note.text[s:e] for s, e in _mentions(note) if start <= s and e <= end]
    listed = "\n".join(f"- {word}" for word in words) or "(none)"
    content = f"{INSTRUCTION}\n\nWords:\n{listed}\n\nSection:\n{note.text[start:end]}"
    return [{"role": "user", "content": content}]


def _find_again(words: Sequence[str], text: str) -> list[Span] | None:
    """Return a place for each of the words in a text, no two of which overlap. None if one is missing.

    Longer words are placed first, because shorter ones may be parts of them.
    """
    taken: list[Span] = []
    places: dict[int, Span] = {}
    for index in sorted(range(len(words)), key=lambda i: (-len(words[i]), i)):
        word, at = words[index], 0
        while (at := text.find(word, at)) >= 0:
            span = at, at + len(word)
            if not any(s < span[1] and span[0] < e for s, e in taken):
                break
            at += 1
        if at < 0:
            return None
        taken.append(span)
        places[index] = span
    return [places[index] for index in range(len(words))]
