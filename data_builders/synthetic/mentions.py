"""The strings of span pairs as mentions, which the builders of synthetic text use in their sentences."""

from __future__ import annotations

import typing
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated

from pydantic import Field

from cclearn.codes import CodeSystem
from cclearn.notes.contract import Grade
from data_builders.builder import BuilderConfig, RejectedRow, read_pairs
from data_builders.noise import VARIANT

GRADES: tuple[Grade, ...] = typing.get_args(Grade)

Share = Annotated[float, Field(ge=0, le=1)]


class MentionSettings(BuilderConfig):
    """Settings of the builders that write text with the strings of span pairs.

    Attributes:
        pairs: File of span pairs, whose strings are used.
        grades: Grades of the pairs that are used.
        codes: Codes that the text is about. With None, all codes of the pairs.
        longest_mention: Number of characters of the longest string that is used. A code that has only
            longer strings is named by its shortest one. Real evidence is short: 31 characters at the
            90th percentile of MDACE.
        noise: Share of mentions that are misspelt, abbreviated or otherwise changed.
    """

    pairs: Path
    grades: tuple[Grade, ...] = GRADES
    codes: tuple[str, ...] | None = None
    longest_mention: int = Field(default=60, ge=1)
    noise: Share = 0.1


def read_mentions(settings: MentionSettings, system: CodeSystem) -> dict[str, list[str]]:
    """Return the strings of each code that the settings select.

    Variants are left out, because the builders of text change spellings themselves.

    Raises:
        DataError: The file of pairs is invalid, or contains pairs of another code system.
    """
    strings: dict[str, list[str]] = defaultdict(list)
    for pair in read_pairs(settings.pairs, system):
        if pair.grade in settings.grades and not pair.source.endswith(VARIANT):
            strings[system.canonical(pair.code)].append(pair.text)
    longest = settings.longest_mention
    return {
        code: [text for text in texts if len(text) <= longest] or [min(texts, key=len)]
        for code, texts in strings.items()
    }


def select_codes(
    codes: Iterable[str] | None, strings: dict[str, list[str]], system: CodeSystem
) -> tuple[list[str], list[RejectedRow]]:
    """Return the requested codes that have a string, and a rejected row for each of the others.

    Args:
        codes: Requested codes. With None, all codes that have a string.
        strings: Strings of each code.
        system: Code system of the codes.
    """
    requested = [system.canonical(code) for code in (strings if codes is None else codes)]
    rejected = [
        RejectedRow(text="", code=code, reason="no string for this code in the pairs")
        for code in requested
        if code not in strings
    ]
    return [code for code in requested if code in strings], rejected
