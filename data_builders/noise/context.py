"""The context of a code, which determines the changes that its strings may undergo."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from cclearn.codes import CodeSystem
from cclearn.codes.strings import code_strings
from data_builders.noise.frames import frames_for
from data_builders.noise.meaning import words_of


@dataclass(frozen=True, slots=True)
class Context:
    """Context of the code that a text is a string of.

    Attributes:
        frames: Sentence frames that the text may be inserted into.
        words: Lower-case words of the strings of the code and of its ancestors.
    """

    frames: tuple[str, ...] = ()
    words: frozenset[str] = frozenset()


NO_CONTEXT = Context()
"""Context of a text whose code is unknown: it has no frames, and no abbreviation is expanded."""


@lru_cache(maxsize=1_000)
def context_of(system: CodeSystem, code: str, framed: bool = True) -> Context:
    """Return the context of a code.

    Args:
        system: Code system of the code.
        code: The code.
        framed: Whether the texts may be inserted into sentence frames.

    Raises:
        UnknownCodeError: The release does not contain the code.
    """
    return Context(frames_for(system, code) if framed else (), _words(system, code))


@lru_cache(maxsize=1_000)
def _words(system: CodeSystem, code: str) -> frozenset[str]:
    strings = (system.description(code), *system.synonyms(code), *system.includes(code))
    own = frozenset(words_of(" ".join(strings)))
    parent = system.parent(code)
    return own if parent is None else own | _words(system, parent)


@lru_cache(maxsize=4)
def vocabulary(system: CodeSystem) -> frozenset[str]:
    """Return the lower-case words of all strings of a code system."""
    return frozenset(word for string in code_strings(system) for word in words_of(string.text))
