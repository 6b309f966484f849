"""The cues of assertion, read from `cues.tsv`."""

from __future__ import annotations

import re
from importlib.resources import files
from itertools import groupby

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


def _read() -> tuple[re.Pattern[str], dict[str, tuple[str, Assertion | None]]]:
    """Return a pattern of all cues, and the role and assertion of each of its named groups."""
    text = (files(__package__) / "cues.tsv").read_text(encoding="utf-8")
    rows = [tuple(line.split("\t")) for line in text.splitlines() if not line.startswith("#")]
    parts: dict[str, str] = {}
    cues: list[str] = []
    marked = ""
    groups: dict[str, tuple[str, Assertion | None]] = {}
    for (role, kind), lines in groupby(rows, key=lambda row: row[:2]):
        words = "|".join(_expanded(cue, parts) for _, _, cue in lines)
        if role == "define":
            parts[kind] = f"(?:{words})"
            continue
        name = f"cue_{len(groups)}"
        groups[name] = ("after" if role == "marked" else role, kind or None)
        if role == "marked":
            marked = f"(?P<{name}>{words})"
        else:
            continued = _CONTINUED if (role, kind) == ("before", "uncertain") else ""
            cues.append(f"(?P<{name}>(?:{words}){continued})")
    return re.compile(rf"(?:(?<!\w)(?:{'|'.join(cues)})|{marked})(?!\w)"), groups


def _expanded(cue: str, parts: dict[str, str]) -> str:
    return re.sub(r"<(\w+)>", lambda match: parts[match[1]], cue)


CUES, GROUPS = _read()
