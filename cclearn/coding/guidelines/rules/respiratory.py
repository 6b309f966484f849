"""Combinations of diseases of the lungs: influenza, pneumonia, obstructive pulmonary disease."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.mentions import Mentions, Rule

_IDENTIFIED = re.compile(
    r"(?:influenza|flu) (?:type |virus )?[ab]\b"
    r"|(?:positive|confirmed)[^.;\n]{0,20}\b(?:influenza|flu)\b"
    r"|\b(?:influenza|flu)\b[^.;\n]{0,20}\b(?:positive|confirmed|detected)\b"
)
_LUNG_INFECTIONS = ("J12", "J13", "J14", "J15", "J16", "J17", "J18", "J20", "J21", "J22")


def _identified_influenza(mentions: Mentions, flag: str) -> None:
    found = mentions.of("J11")
    if not found:
        return
    match = _IDENTIFIED.search(mentions.lowered)
    if match is not None and mentions.is_present(*match.span()):
        mentions.recode_each(found, lambda code: f"J10{code[3:]}", flag)


def _influenzal_pneumonia(mentions: Mentions, flag: str) -> None:
    pneumonia = mentions.of("J18.9")
    for category in ("J10", "J11"):
        influenza, both = mentions.of(f"{category}.1"), mentions.of(f"{category}.00")
        if both or (influenza and pneumonia):
            mentions.recode([*influenza, *pneumonia], f"{category}.00", flag)
            return


def _infected_lung_disease(mentions: Mentions, flag: str) -> None:
    infection = mentions.of(*_LUNG_INFECTIONS)
    if not infection:
        return
    mentions.recode(mentions.of("J44.9"), "J44.0", flag)
    mentions.add(mentions.of("J44.1"), "J44.0", flag)


def _failure_with_both(mentions: Mentions, flag: str) -> None:
    for match in _BOTH.finditer(mentions.lowered):
        before = _ACUITY.search(mentions.lowered, max(0, match.start() - 20), match.start())
        first, last = match.span()
        if not mentions.is_present(first, last):
            continue
        acuity = _DIGITS[before["acuity"] if before is not None else None]
        start = before.start() if before is not None else first
        mentions.remove(
            [
                finding
                for finding in mentions.of("J96", "R09.02", "R06.89")
                if start <= finding.start < last
            ]
        )
        for cause in "12":
            mentions.add_span(start, last, f"J96.{acuity}{cause}", flag)


_BOTH = re.compile(
    r"\b(?:hypox\w+(?: and |, |/| & )hyperc\w+|hyperc\w+(?: and |, |/| & )hypox\w+)"
    r" (?:respiratory failure|rf)\b"
    r"|\brespiratory failure with (?:hypoxia and hyperc\w+|hyperc\w+ and hypoxia)\b"
)
_ACUITY = re.compile(r"\b(?P<acuity>acute (?:on|and) chronic|acute|chronic) \Z")
_DIGITS = {
    "acute": "0",
    "chronic": "1",
    "acute on chronic": "2",
    "acute and chronic": "2",
    None: "9",
}

RULES: tuple[Rule, ...] = (
    Rule(
        "I.C.10.b",
        "respiratory failure with hypoxia and hypercapnia has a code of each",
        _failure_with_both,
    ),
    Rule("I.C.10.c", "influenza whose virus the note names is identified", _identified_influenza),
    Rule("I.A.15", "influenza and pneumonia are influenza with pneumonia", _influenzal_pneumonia),
    Rule(
        "I.A.15, I.C.10.a",
        "obstructive pulmonary disease with a lower respiratory infection has a code of both",
        _infected_lung_disease,
    ),
)
"""The rules, in the order in which they are applied."""
