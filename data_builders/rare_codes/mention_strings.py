"""The strings by which the notes mention codes."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key
from data_builders.builder import read_pairs
from data_builders.claims import code_system_claims
from data_builders.noise import VARIANT


@dataclass(frozen=True, slots=True)
class MentionStrings:
    """Strings of codes.

    Attributes:
        texts: Distinct strings of each code.
        restricted: Codes whose strings come from restricted text.
    """

    texts: Mapping[str, Sequence[str]]
    restricted: frozenset[str] = frozenset()


def read_mention_strings(
    paths: Iterable[Path], system: CodeSystem, longest: int = 60
) -> MentionStrings:
    """Return the strings of every billable code that has any.

    Strings of span pairs are used, without their variants. A code without pairs has the strings of the
    code system that no other code claims more strongly.

    Args:
        paths: Paths of span pairs.
        system: Code system of the codes.
        longest: Maximum number of characters. A code that has only longer strings has its shortest one.

    Raises:
        DataError: A file is invalid, or contains pairs of another code system.
    """
    texts: dict[str, dict[str, str]] = defaultdict(dict)
    restricted: set[str] = set()
    for path in paths:
        for pair in read_pairs(path, system):
            code = system.canonical(pair.code)
            if not pair.source.endswith(VARIANT) and system.is_billable(code):
                texts[code].setdefault(string_key(pair.text), pair.text)
                if pair.origin == "restricted":
                    restricted.add(code)
    own: dict[str, list[str]] = {code: list(found.values()) for code, found in texts.items()}
    for code, found in _code_system_strings(system).items():
        own.setdefault(code, found)
    chosen = {
        code: [text for text in found if len(text) <= longest] or [min(found, key=len)]
        for code, found in own.items()
    }
    return MentionStrings(chosen, frozenset(restricted))


@lru_cache(maxsize=1)
def _code_system_strings(system: CodeSystem) -> dict[str, list[str]]:
    """Return the strings of each billable code that it claims most strongly, and alone."""
    strongest: dict[str, tuple[int, set[str]]] = {}
    claims = [
        (text, string_key(text), code, rank) for text, code, rank in code_system_claims(system)
    ]
    for _, key, code, rank in claims:
        best, codes = strongest.get(key, (rank + 1, set()))
        if rank < best:
            strongest[key] = (rank, {code})
        elif rank == best:
            codes.add(code)
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for text, key, code, _ in claims:
        if strongest[key][1] == {code}:
            found[code].setdefault(key, text)
    return {code: list(texts.values()) for code, texts in found.items()}
