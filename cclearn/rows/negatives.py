"""Sampling of spans that are not evidence. A model learns from them that such spans have no code."""

from __future__ import annotations

import random
import re
from collections.abc import Callable, Container, Iterable, Iterator
from itertools import chain

from cclearn.codes.strings import string_key
from cclearn.notes import CodedNote
from cclearn.notes.contract import INSUFFICIENT
from cclearn.notes.sections import find_sentences
from cclearn.notes.spans import Span

_WORD = re.compile(r"\w+")

_MAX_DRAWS = 10
"""Maximum number of draws per requested span. A note may have too few spans that are not evidence."""


class Negatives:
    """Sampler of spans that are not evidence.

    The evidence of rejected codes is chosen first, then mentions that look like evidence, then sequences
    of words within a sentence, with the lengths of the evidence of all notes. A span never overlaps
    evidence or another span, and never cuts a word. Strings that have a code elsewhere are excluded: a
    model sees a span without its note, and "heart failure" has a code even if this note negates it.

    Args:
        notes: Notes whose evidence gives the distribution of lengths.
        most: Maximum number of spans per note.
        mentions: Function that finds spans that look like evidence in a text.
        coded: Strings that have a code, normalised by `string_key`.
        seed: Seed of the sampling, which also depends on the id of a note.
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
        """Return sampled spans of a note, in order."""
        if not self._most:
            return []
        rng = random.Random(f"{self._seed} {note.id}")  # noqa: S311 - reproducible, not secret
        mentions = list(self._mentions(note.text))
        rng.shuffle(mentions)
        rejected = [
            (e.start, e.end)
            for code in note.rejected
            if INSUFFICIENT not in code.flags
            for e in code.evidence
        ]
        sentences = [
            [match.span() for match in _WORD.finditer(note.text, *sentence)]
            for sentence in find_sentences(note.text)
        ]
        starts = {start for sentence in sentences for start, _ in sentence}
        ends = {end for sentence in sentences for _, end in sentence}
        unclear = [code for code in note.rejected if INSUFFICIENT in code.flags]
        taken = [(e.start, e.end) for code in [*note.codes, *unclear] for e in code.evidence]
        strings: set[str] = set()
        chosen: list[Span] = []
        for start, end in chain(rejected, mentions, self._word_sequences(sentences, rng)):
            if len(chosen) == self._most:
                break
            string = string_key(note.text[start:end])
            is_excluded = string in strings or string in self._coded
            cuts_a_word = start not in starts or end not in ends
            overlaps = any(
                start < other_end and other_start < end for other_start, other_end in taken
            )
            if is_excluded or cuts_a_word or overlaps:
                continue
            strings.add(string)
            taken.append((start, end))
            chosen.append((start, end))
        return sorted(chosen)

    def _word_sequences(self, sentences: list[list[Span]], rng: random.Random) -> Iterator[Span]:
        """Yield random sequences of words, each within a sentence and as long as some evidence.

        Args:
            sentences: Spans of the words of each sentence.
            rng: Generator of the random choices.
        """
        words = [(first, sentence) for sentence in sentences for first in range(len(sentence))]
        if not words or not self._lengths:
            return
        for _ in range(_MAX_DRAWS * self._most):
            first, sentence = rng.choice(words)
            last = first + rng.choice(self._lengths) - 1
            if last < len(sentence):
                yield sentence[first][0], sentence[last][1]
