"""Conditions that are acute and chronic at once, and cancers of the blood in remission."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import MOST, Mentions, Rule

_BOTH = re.compile(
    r"\bacute (?:on|and|over)[- ](?:top of )?chronic (?P<condition>[a-z]+(?: [a-z]+)?)"
)
_SIGNS = ("acute on", "acute and", "acute over")
_CONDITIONS = (
    (r"ckd|(?:kidney|renal) (?:disease|failure|injury|insufficiency)", "N17.9", "N18.9"),
    (r"(?:liver|hepatic) failure", "K72.00", "K72.10"),
    ("pancreatitis", "K85.90", "K86.1"),
    ("gastritis", "K29.00", "K29.50"),
    ("sinusitis", "J01.90", "J32.9"),
    ("bronchitis", "J20.9", "J42"),
    ("tonsillitis", "J03.90", "J35.01"),
)
"""Patterns of conditions, and their codes where they are acute and where they are chronic."""

_STEM = 5
"""Length of the stem that another code of the same condition shares, without `.9`."""

_REMISSION = re.compile(
    r"(?<!not )(?<!no )\bin (?:complete |full |partial |first |second )*remission\b"
)
_RELAPSE = re.compile(r"\b(?:in relapse|relapsed|relapsing)\b")
_BLOOD = ("C90", "C91", "C92", "C93", "C94", "C95")


def _acute_on_chronic(mentions: Mentions, flag: str) -> None:
    for start, end in mentions.sentences_with(_SIGNS)[:MOST]:
        for match in _BOTH.finditer(mentions.lowered, start, end):
            for pattern, *codes in _CONDITIONS:
                if re.match(rf"(?:{pattern})\b", match["condition"]) and mentions.is_present(
                    *match.span()
                ):
                    for code in codes:
                        if not mentions.of(code.removesuffix(".9")[:_STEM]):
                            mentions.add_span(*match.span(), code, flag)


def _remission(mentions: Mentions, flag: str) -> None:
    for finding in mentions.of(*_BLOOD)[:MOST]:
        if not finding.code.endswith("0"):
            continue
        sentence = mentions.sentence_of(finding)
        if _REMISSION.search(sentence):
            mentions.recode([finding], f"{finding.code[:-1]}1", flag)
        elif _RELAPSE.search(sentence):
            mentions.recode([finding], f"{finding.code[:-1]}2", flag)


RULES: tuple[Rule, ...] = (
    Rule("I.B.8", "a condition that is acute and chronic has both codes", _acute_on_chronic),
    Rule("I.C.2.n", "leukemia and myeloma have the code of their remission or relapse", _remission),
)
"""The rules, in the order in which they are applied."""
