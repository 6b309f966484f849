"""The strings of span pairs as mentions: what builders of text put into their sentences."""

from __future__ import annotations

import typing
from collections import defaultdict
from collections.abc import Collection, Iterable
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.notes.contract import Grade
from data_builders.builder import Rejected, read_pairs
from data_builders.noise import VARIANT

GRADES: tuple[Grade, ...] = typing.get_args(Grade)


def read_mentions(
    pairs: Path, longest: int, system: CodeSystem, grades: Collection[Grade] = GRADES
) -> dict[str, list[str]]:
    """Return the strings of each code; of one that has no string so short, the shortest.

    Variants are left out: what writes text changes spellings itself.

    Args:
        pairs: Span pairs.
        longest: How many characters a string may have.
        system: The code system.
        grades: Pairs of other grades are left out.

    Raises:
        DataError: The file is not what it should be, or its pairs are of another code system.
    """
    strings: dict[str, list[str]] = defaultdict(list)
    for pair in read_pairs(pairs, system):
        if pair.grade in grades and not pair.source.endswith(VARIANT):
            strings[system.canonical(pair.code)].append(pair.text)
    return {
        code: [text for text in texts if len(text) <= longest] or [min(texts, key=len)]
        for code, texts in strings.items()
    }


def wanted_codes(
    codes: Iterable[str] | None, strings: dict[str, list[str]], system: CodeSystem
) -> tuple[list[str], list[Rejected]]:
    """Return the codes that are asked for, all where it is None, and those that have no string."""
    wanted = [system.canonical(code) for code in (strings if codes is None else codes)]
    rejected = [
        Rejected(text="", code=code, reason="no string for this code in the pairs")
        for code in wanted
        if code not in strings
    ]
    return [code for code in wanted if code in strings], rejected
