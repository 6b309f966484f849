"""Diagnoses before and after an operation."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import Mentions, Rule

_BEFORE = re.compile(r"\bpre-?op(?:erative)?(?: (?:diagnos[ie]s|dx))?\s*:")
_AFTER = re.compile(r"\bpost-?op(?:erative)?(?: (?:diagnos[ie]s|dx))?\s*:")
_SAME = re.compile(r"\s*(?:the )?same\b")
_NEAR = 600
"""Maximum number of code points between both diagnoses."""


def _operation(mentions: Mentions, flag: str) -> None:
    # A search for a string is faster than one for a pattern, and mostly enough.
    has_before = "preop" in mentions.lowered or "pre-op" in mentions.lowered
    before = _BEFORE.search(mentions.lowered) if has_before else None
    if before is None:
        return
    after = _AFTER.search(mentions.lowered, before.end(), before.end() + _NEAR)
    if after is None or _SAME.match(mentions.lowered, after.end()) is not None:
        return
    mentions.remove(
        found for found in mentions.findings if before.end() <= found.start < after.start()
    )


RULES: tuple[Rule, ...] = (
    Rule("IV.N", "of the diagnoses before and after an operation, the latter counts", _operation),
)
"""The rules, in the order in which they are applied."""
