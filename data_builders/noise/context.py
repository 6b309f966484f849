"""What a code says of itself: it decides what may be done to the texts that stand for it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings
from data_builders.noise.frames import frames_for
from data_builders.noise.meaning import words_of


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of the code that a text stands for.

    Attributes:
        frames: Pieces of sentences that the text may be put into.
        words: The words of the code's own strings and of those above it, in small letters.
    """

    frames: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


NO_CONTEXT = Context()
"""Of a text whose code is not known: no frame, and no abbreviation is read."""


@lru_cache(maxsize=1_000)
def context_of(system: CodeSystem, code: str, framed: bool = True) -> Context:
    """Return what is known of a code.

    Args:
        system: The code system.
        code: A code of it.
        framed: Whether texts for it may be put into frames.

    Raises:
        UnknownCodeError: The release holds no such code.
    """
    return Context(frames_for(system, code) if framed else (), _words(system, code))


@lru_cache(maxsize=1_000)
def _words(system: CodeSystem, code: str) -> frozenset[str]:
    said = (system.description(code), *system.synonyms(code), *system.includes(code))
    own = frozenset(words_of(" ".join(said)))
    above = system.parent(code)
    return own if above is None else own | _words(system, above)


@lru_cache(maxsize=4)
def vocabulary(system: CodeSystem) -> frozenset[str]:
    """Return all words of a code system in small letters: no typing error may make one of another."""
    return frozenset(word for string in code_strings(system) for word in words_of(string.text))
