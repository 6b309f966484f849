"""Uncertain diagnoses, which are coded for inpatients only, and some for nobody."""

from __future__ import annotations

from typing import Literal

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding
from cclearn.notes import CODED_ASSERTIONS

Encounter = Literal["inpatient", "outpatient"]
"""Setting of a note. None if it is not known."""

_OUTPATIENT = "IV.H"
"""Section of the guidelines on uncertain diagnoses of outpatients."""

FLAGS: dict[Encounter | None, str] = {
    "inpatient": 'uncertain: "code the condition as if it existed" (Section II.H, III.C)',
    None: "uncertain: coded as an inpatient's (Section II.H, III.C); an outpatient's is not coded"
    " (Section IV.H)",
}
"""Flags of codes that only uncertain mentions support."""


def gives_code(finding: Finding, system: CodeSystem, encounter: Encounter | None) -> bool:
    """Return whether a finding is coded in an encounter (Official Guidelines, II.H, III.C, IV.H)."""
    return (
        finding.assertion in CODED_ASSERTIONS and _forbidden_by(finding, system, encounter) is None
    )


def withheld_flag(finding: Finding, system: CodeSystem, encounter: Encounter | None) -> str | None:
    """Return the flag of an uncertain finding that gives no code. None if it gives one."""
    section = _forbidden_by(finding, system, encounter)
    if section is None:
        return None
    why = "in an outpatient encounter" if section == _OUTPATIENT else "unless confirmed"
    span = f"{finding.start}:{finding.end}"
    return f"uncertain: {finding.code} ({span}) is not coded {why} (Section {section})"


def _forbidden_by(finding: Finding, system: CodeSystem, encounter: Encounter | None) -> str | None:
    """Return the section of the guidelines that forbids a code for an uncertain finding, or None."""
    if finding.assertion != "uncertain":
        return None
    for section, stems in system.traits.confirmed_only.items():
        if finding.code.startswith(stems):
            return section
    return _OUTPATIENT if encounter == "outpatient" else None
