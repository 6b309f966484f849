"""Words of notes that are no evidence, to learn that they have no code."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import chain

from cclearn.codes.strings import string_key
from cclearn.notes import CodedNote
from cclearn.notes.sections import find_sentences
from cclearn.notes.spans import Span

_WORD = re.compile(r"\w+")

_TRIES = 10
"""Draws for each span that is wanted; a note that is all evidence has none."""


class Negatives:
    """Draws spans of notes that are no evidence.

    First come mentions that look like evidence and are none, then runs of words within a sentence,
    which have so many words as the evidence of all the notes has. No span overlaps an evidence or
    another span, or cuts a word. None is a string that has a code elsewhere: the model is shown a span
    without its note, and "heart failure" has a code though this note denies it.

    Args:
        notes: All of them, for the lengths of their evidence.
        most: Spans of a note.
        mentions: Finds what looks like evidence in a text.
        coded: Strings that have a code, as `string_key` spells them.
        seed: Of the draw, which follows from it, a note's id and those lengths.
    """

    def __init__(
        self,
        notes: Iterable[CodedNote],
        most: int,
        mentions: Callable[[str], Iterable[Span]],
        coded: Container[str],
        seed: int = 0,
    ) -> None:
        self._lengths = [
            max(1, len(_WORD.findall(evidence.text)))
            for note in notes
            for code in note.codes
            for evidence in code.evidence
        ]
        self._most = most
        self._mentions = mentions
        self._coded = coded
        self._seed = seed

    def sample(self, note: CodedNote) -> list[Span]:
        """Return spans of a note, in their order, as half-open code-point offsets."""
        if not self._most:
            return []
        draw = random.Random(f"{self._seed} {note.id}")  # noqa: S311 - reproducible, not secret
        mentions = list(self._mentions(note.text))
        draw.shuffle(mentions)
        sentences = [
            [match.span() for match in _WORD.finditer(note.text, *sentence)]
            for sentence in find_sentences(note.text)
        ]
        starts = {start for sentence in sentences for start, _ in sentence}
        ends = {end for sentence in sentences for _, end in sentence}
        taken = [(e.start, e.end) for code in note.codes for e in code.evidence]
        strings: set[str] = set()
        chosen: list[Span] = []
        for start, end in chain(mentions, self._runs(sentences, draw)):
            if len(chosen) == self._most:
                break
            string = string_key(note.text[start:end])
            known = string in strings or string in self._coded
            cuts_a_word = start not in starts or end not in ends
            overlaps = any(start < last and first < end for first, last in taken)
            if known or cuts_a_word or overlaps:
                continue
            strings.add(string)
            taken.append((start, end))
            chosen.append((start, end))
        return sorted(chosen)

    def _runs(self, sentences: list[list[Span]], draw: random.Random) -> Iterator[Span]:
        words = [(place, sentence) for sentence in sentences for place in range(len(sentence))]
        if not words or not self._lengths:
            return
        for _ in range(_TRIES * self._most):
            place, sentence = draw.choice(words)
            last = place + draw.choice(self._lengths) - 1
            if last < len(sentence):
                yield sentence[place][0], sentence[last][1]
