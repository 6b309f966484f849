"""The texts that describe the labels of a model: their descriptions, and guidelines of code sets."""

from __future__ import annotations

import random
from collections.abc import Iterable

from cclearn.codes import CodeSystem


def label_texts(codes: Iterable[str], system: CodeSystem) -> list[str]:
    """Return the description of each code, the code itself if it has none."""
    return [_title(code, system) for code in codes]


def guideline(codes: Iterable[str], system: CodeSystem, rng: random.Random) -> str:
    """Return a text that has the given codes (guideline synthesis of GKI-ICD, arXiv 2505.18708).

    Each code has the titles of its chapter, block and category, as far as the code system has them, and
    one of its strings. The parts of the codes are in random order.

    Args:
        codes: Codes of a document.
        system: Code system that provides the hierarchy and the strings.
        rng: Source of the choices.
    """
    parts = []
    for code in codes:
        above = [system.description(ancestor) for ancestor in _three_levels(code, system)]
        strings = [_title(code, system), *(system.synonyms(code) if code in system else ())]
        parts.append(", ".join(dict.fromkeys([*filter(None, above), rng.choice(strings)])))
    rng.shuffle(parts)
    return ". ".join(parts)


def _three_levels(code: str, system: CodeSystem) -> list[str]:
    """Return the chapter, the block and the category of a code, as far as they exist."""
    if code not in system:
        return []
    above = list(reversed(system.ancestors(code)))
    return above[:3]


def _title(code: str, system: CodeSystem) -> str:
    return (system.description(code) if code in system else "") or code
