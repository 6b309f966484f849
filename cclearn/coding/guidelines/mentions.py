"""The mentions of a note as the combination rules see them, and the form of a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.history import is_history
from cclearn.notes.assertion import AssertionRules
from cclearn.runtime.folding import lower_case

_CATEGORY = 3
"""Length of the code of a category."""


class Mentions:
    """The mentions of a note, by code.

    Args:
        text: Text of the note.
        findings: All findings in the note. Rules combine those of conditions that the patient has now.
        rules: Assertion rules of the note.
        system: Code system, which decides which codes exist.

    Attributes:
        findings: Findings of conditions that the patient has now, also if the note calls them "history
            of". Rules add, change and remove them.
        others: All other findings.
    """

    def __init__(
        self, text: str, findings: Iterable[Finding], rules: AssertionRules, system: CodeSystem
    ) -> None:
        self.text = text
        self.rules = rules
        self.system = system
        self.findings: list[Finding] = []
        self.others: list[Finding] = []
        for finding in findings:
            is_chronic = finding.assertion == "historical" and not is_history(finding.code, system)
            is_now = finding.assertion == "present" or is_chronic
            (self.findings if is_now else self.others).append(finding)

    @cached_property
    def lowered(self) -> str:
        """Text of the note in lower case, with the same offsets."""
        return lower_case(self.text)

    def of(self, *stems: str) -> list[Finding]:
        """Return the findings whose code begins with one of the stems."""
        return [finding for finding in self.findings if finding.code.startswith(stems)]

    def within(self, start: int, end: int) -> list[Finding]:
        """Return the findings that share a code point with a span of the text."""
        return [found for found in self.findings if found.start < end and start < found.end]

    def recode(self, findings: Sequence[Finding], code: str, rule: str) -> None:
        """Give findings another code, which is flagged with a rule. Unknown codes change nothing."""
        if self.system.is_billable(code):
            changed = set(map(id, findings))
            self.findings = [
                replace(finding, code=code, rule=rule) if id(finding) in changed else finding
                for finding in self.findings
            ]

    def add(self, findings: Iterable[Finding], code: str, rule: str) -> None:
        """Add a code with the evidence of findings, unless the note has the code."""
        if self.system.is_billable(code) and not self.of(code):
            self.findings += [replace(finding, code=code, rule=rule) for finding in findings]

    def add_span(self, start: int, end: int, code: str | None, rule: str) -> None:
        """Add a code with its own evidence, unless the note has the code. None and unknown codes add
        nothing."""
        if code and self.system.is_billable(code) and not self.of(code):
            self.findings.append(Finding(code, start, end, rule=rule))

    def remove(self, findings: Iterable[Finding]) -> None:
        """Remove findings that are not coded beside others."""
        removed = set(map(id, findings))
        self.findings = [finding for finding in self.findings if id(finding) not in removed]

    def billable(self, code: str) -> str | None:
        """Return a code of a table, or the code above it that is billable in this release.

        Releases divide codes: `Z91.0110` of FY 2026 was `Z91.011`. None if no such code is billable.
        """
        above = (code[:n] for n in range(len(code), _CATEGORY - 1, -1))
        return next((known for known in above if self.system.is_billable(known)), None)

    def is_present(self, start: int, end: int) -> bool:
        """Return whether the note asserts what is said from `start` to `end` of the patient, now."""
        return self.rules.assertion_of(start, end) == "present"


@dataclass(frozen=True, slots=True)
class Rule:
    """A combination rule.

    Attributes:
        section: Section of the guidelines.
        says: What the rule does, in one sentence.
        apply: Function that changes the mentions of a note.
    """

    section: str
    says: str
    apply: Callable[[Mentions, str], None]
