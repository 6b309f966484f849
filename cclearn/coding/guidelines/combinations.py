"""Combination rules of the guidelines that need no judgement, as codes with a flag.

Sections are those of the ICD-10-CM Official Guidelines for Coding and Reporting, FY 2025. A rule
applies where a note documents all of its parts. The evidence of the parts is cited for the combination.
"""

from __future__ import annotations

from collections.abc import Sequence

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.mentions import Mentions, Rule
from cclearn.coding.guidelines.rules import (
    adverse_effects,
    allergies,
    cancers,
    courses,
    delivery,
    digestive,
    diseases,
    exposures,
    fractures,
    immunisation,
    infections,
    injuries,
    manifestations,
    newborns,
    operations,
    pregnancy,
    respiratory,
    sequelae,
    sides,
    substances,
    symptoms,
    titles,
    tobacco,
)
from cclearn.notes.assertion import AssertionRules

RULES: tuple[Rule, ...] = (
    *operations.RULES,
    *courses.RULES,
    *infections.RULES,
    *diseases.RULES,
    *respiratory.RULES,
    *manifestations.RULES,
    *digestive.RULES,
    *substances.RULES,
    *sequelae.RULES,
    *sides.RULES,
    *fractures.RULES,
    *injuries.RULES,
    *cancers.RULES,
    *adverse_effects.RULES,
    *titles.RULES,
    *tobacco.RULES,
    *pregnancy.RULES,
    *delivery.RULES,
    *newborns.RULES,
    *allergies.RULES,
    *exposures.RULES,
    *immunisation.RULES,
    *symptoms.RULES,
)
"""The rules, in the order in which they are applied."""


def combine(
    text: str, findings: Sequence[Finding], rules: AssertionRules, system: CodeSystem
) -> list[Finding]:
    """Return the findings of a note after all combination rules.

    Args:
        text: Text of the note.
        findings: All findings. Those whose assertion gives no certain code are returned unchanged.
        rules: Assertion rules of the note.
        system: Code system of the codes. Other systems than ICD-10-CM have no rules.
    """
    if not system.traits.has_phrase_table:
        return list(findings)
    mentions = Mentions(text, findings, rules, system)
    for rule in RULES:
        rule.apply(mentions, f"combination: {rule.says} (Section {rule.section})")
    return [*mentions.findings, *mentions.others]
