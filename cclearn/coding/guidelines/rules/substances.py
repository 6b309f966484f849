"""One code for each substance: dependence before abuse, and abuse before use."""

from __future__ import annotations

from cclearn.coding.guidelines.mentions import Mentions, Rule

_SUBSTANCES = ("F10", "F11", "F12", "F13", "F14", "F15", "F16", "F18", "F19")
_DEPENDENCE, _ABUSE, _USE = "2", "1", "9"


def _one_pattern(mentions: Mentions, flag: str) -> None:
    for category in _SUBSTANCES:
        found = mentions.of(category)
        patterns = {finding.code[_PATTERN] for finding in found}
        # Dependence in remission says nothing of a later use.
        if len(patterns) > 1 and not mentions.of(f"{category}.21"):
            first = _DEPENDENCE if _DEPENDENCE in patterns else _ABUSE
            for code in sorted({finding.code for finding in found}):
                mentions.recode(mentions.of(code), _as(code, first, mentions), flag)
            found = mentions.of(category)
        plain = [finding for finding in found if finding.code[_COMPLICATION:] == _NONE]
        further = [f for f in found if f.code[_COMPLICATION:] not in (_NONE, _REMISSION)]
        if plain and further:
            mentions.recode(plain, further[0].code, flag)


_PATTERN = 4
"""Index of the character of a code that tells use, abuse and dependence apart."""

_COMPLICATION = 5
"""Index of the characters of a code that name the complication."""

_NONE, _REMISSION = "0", "1"


def _as(code: str, pattern: str, mentions: Mentions) -> str:
    """Return a code with another pattern of use: with its complication, if there is such a code."""
    changed = f"{code[:_PATTERN]}{pattern}{code[_PATTERN + 1 :]}"
    is_known = mentions.system.is_billable(changed)
    return changed if is_known else f"{code[:_PATTERN]}{pattern}0"


RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.5.b.2",
        "of use, abuse and dependence of one substance, only the last in this order is coded",
        _one_pattern,
    ),
)
"""The rules, in the order in which they are applied."""
