"""The cues of assertion, read from `cues.tsv`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from itertools import groupby
from typing import NamedTuple, cast

from cclearn.notes.assertion.prefixes import any_of, prefixes
from cclearn.notes.contract import Assertion

PRECEDENCE: tuple[Assertion, ...] = (
    "ruled_out",
    "negated",
    "family",
    "hypothetical",
    "uncertain",
    "historical",
)
"""Kinds of assertion. If cues of several kinds apply to a mention, the first one listed wins."""

BIDIRECTIONAL = re.compile(
    r"ruled out|r/o['’]?d|excluded|denied|resolved|healed|cured|unlikely|prn|vs\.?|versus"
    r"|(?:not|never|\w+n['’]t) (?:seen|present|found|identified|noted|appreciated|observed|detected"
    r"|reported|evident|palpable|palpated|visuali[sz]ed|demonstrated)"
)
"""Cues before mentions that also apply to the mention before them: `Sepsis ruled out`."""

_CONTINUED = r"(?: (?:due|secondary) to| because of| has| have| had)?"
"""Words after a cue of uncertainty that do not end its scope: `likely due to pneumonia`."""


class Found(NamedTuple):
    """A cue in a text.

    Attributes:
        start: Offset of the first code point.
        end: Offset after the last code point.
        role: Scope of the cue (`cues.tsv`).
        kind: Assertion of the cue. None if it asserts nothing.
    """

    start: int
    end: int
    role: str
    kind: Assertion | None


class _Cue(NamedTuple):
    """A line of the table: the role, the assertion and the expanded pattern."""

    role: str
    kind: Assertion | None
    pattern: str


def find_cues(lowered: str, start: int, end: int) -> Iterator[Found]:
    """Yield the cues of a sentence, in order. They do not overlap.

    Args:
        lowered: Text in lower case.
        start: Offset of the sentence.
        end: Offset after the sentence.
    """
    position = start
    for match in _starts().finditer(lowered, start, end):
        at = match.start()
        if at < position:
            continue
        pattern, groups = _beginning_with(match[1])
        found = pattern.match(lowered, at, end)
        if found is not None:
            role, kind = groups[found.lastgroup or ""]
            yield Found(at, found.end(), role, kind)
            position = found.end()


@cache
def _starts() -> re.Pattern[str]:
    """Return a pattern of the prefixes of all cues, at a word or at the mark before a cue."""
    beginnings = any_of(prefix for cue in _read() for prefix in prefixes(cue.pattern))
    # A prefix may extend into the next cue, so that it must not be consumed.
    return re.compile(rf"(?:(?<!\w)|(?=[,(]))(?=({beginnings}))")


_Groups = dict[str, tuple[str, Assertion | None]]


@cache
def _beginning_with(prefix: str) -> tuple[re.Pattern[str], _Groups]:
    """Return a pattern of the cues that may begin with a prefix, with the meaning of its groups."""
    return _pattern(
        cue
        for cue in _read()
        if any(
            known.startswith(prefix) or prefix.startswith(known) for known in prefixes(cue.pattern)
        )
    )


def _pattern(cues: Iterable[_Cue]) -> tuple[re.Pattern[str], _Groups]:
    """Return a pattern of cues, of which an earlier one is preferred."""
    groups: _Groups = {}
    parts = []
    for (role, kind), lines in groupby(cues, key=lambda cue: cue[:2]):
        name = f"cue_{len(groups)}"
        groups[name] = ("after" if role == "marked" else role, kind)
        before = "" if role == "marked" else r"(?<!\w)"
        continued = _CONTINUED if (role, kind) == ("before", "uncertain") else ""
        words = "|".join(line.pattern for line in lines)
        parts.append(f"{before}(?P<{name}>(?:{words}){continued})")
    return re.compile(rf"(?:{'|'.join(parts)})(?!\w)"), groups


@cache
def _read() -> tuple[_Cue, ...]:
    """Return the cues of the table, with the names of parts replaced."""
    text = (files(__package__) / "cues.tsv").read_text(encoding="utf-8")
    rows = [line.split("\t") for line in text.splitlines() if not line.startswith("#")]
    parts: dict[str, list[str]] = {}
    cues = []
    for role, kind, cue in rows:
        pattern = _PART.sub(lambda match: f"(?:{'|'.join(parts[match[1]])})", cue)
        if role == "define":
            parts.setdefault(kind, []).append(pattern)
        else:
            cues.append(_Cue(role, cast("Assertion", kind) if kind else None, pattern))
    return tuple(cues)


_PART = re.compile(r"<(\w+)>")
