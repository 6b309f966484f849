"""The mentions of a note as the combination rules see them, and the form of a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

from cclearn.codes import CodeSystem
from cclearn.coding.findings import Finding
from cclearn.coding.guidelines.history import is_history
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.spans import Span
from cclearn.runtime.folding import lower_case

MOST = 200
"""Maximum number of sentences or findings that a rule judges one by one. It limits the time for a long
note, because each of them may be compared with all findings."""

CATEGORY = 3
"""Length of the code of a category."""

WITH_7TH = 8
"""Length of a code with a 7th character."""


class Mentions:
    """The mentions of a note, by code.

    Args:
        text: Text of the note.
        findings: All findings in the note. Rules combine those of conditions that the patient has now.
        rules: Assertion rules of the note.
        system: Code system, which decides which codes exist.

    Attributes:
        others: Findings that are not among `findings`.
    """

    def __init__(
        self, text: str, findings: Iterable[Finding], rules: AssertionRules, system: CodeSystem
    ) -> None:
        self.text = text
        self.rules = rules
        self.system = system
        found = list(findings)
        self.findings = [finding for finding in found if _is_now(finding, system)]
        self.others = [finding for finding in found if not _is_now(finding, system)]

    @property
    def findings(self) -> list[Finding]:
        """Findings of conditions that the patient has now, also if the note calls them "history of".

        Assign a new list instead of changing it.
        """
        return self._findings

    @findings.setter
    def findings(self, findings: list[Finding]) -> None:
        self._findings = findings
        self._categories = frozenset(finding.code[:CATEGORY] for finding in findings)

    @cached_property
    def lowered(self) -> str:
        """Text of the note in lower case, with the same offsets."""
        return lower_case(self.text)

    def of(self, *stems: str) -> list[Finding]:
        """Return the findings whose code begins with one of the stems."""
        categories = _categories_of(stems)
        if categories is not None and self._categories.isdisjoint(categories):
            return []  # Most rules have nothing to combine in a note.
        return [finding for finding in self.findings if finding.code.startswith(stems)]

    def within(self, start: int, end: int) -> list[Finding]:
        """Return the findings that share a code point with a span of the text."""
        return [found for found in self.findings if found.start < end and start < found.end]

    def said_by(self, finding: Finding) -> str:
        """Return the evidence of a finding in lower case."""
        return self.lowered[finding.start : finding.end]

    def sentence_of(self, finding: Finding) -> str:
        """Return the sentence in which a finding begins, in lower case."""
        return self.lowered[slice(*self.rules.sentence_at(finding.start))]

    def recode(self, findings: Sequence[Finding], code: str, rule: str) -> None:
        """Give findings another code, which is flagged with a rule. Unknown codes change nothing."""
        changed = set(map(id, findings))
        if changed and self.system.is_billable(code):
            self.findings = [
                replace(finding, code=code, rule=rule) if id(finding) in changed else finding
                for finding in self.findings
            ]

    def recode_each(
        self, findings: Iterable[Finding], change: Callable[[str], str | None], rule: str
    ) -> None:
        """Give all findings that share a code with some findings another code.

        Args:
            findings: Findings whose codes change.
            change: Function that returns the new code of a code, or None to keep it.
            rule: Flag of the rule.
        """
        for code in sorted({finding.code for finding in findings}):
            changed = change(code)
            if changed is not None:
                self.recode([found for found in self.findings if found.code == code], changed, rule)

    def add(self, findings: Iterable[Finding], code: str, rule: str) -> None:
        """Add a code with the evidence of findings, unless the note has the code."""
        if self.system.is_billable(code) and not self.of(code):
            self.findings += [replace(finding, code=code, rule=rule) for finding in findings]

    def add_span(self, start: int, end: int, code: str | None, rule: str) -> None:
        """Add a code with its own evidence, unless the note has the code. None and unknown codes add
        nothing."""
        if code and self.system.is_billable(code) and not self.of(code):
            self.findings = [*self.findings, Finding(code, start, end, rule=rule)]

    def remove(self, findings: Iterable[Finding]) -> None:
        """Remove findings that are not coded beside others."""
        removed = set(map(id, findings))
        if removed:
            self.findings = [finding for finding in self.findings if id(finding) not in removed]

    def billable(self, code: str) -> str | None:
        """Return a code of a table, or the code above it that is billable in this release.

        Releases divide codes: `Z91.0110` of FY 2026 was `Z91.011`. None if no such code is billable.
        """
        above = (code[:n].rstrip(".") for n in range(len(code), CATEGORY - 1, -1))
        return next((known for known in above if self.system.is_billable(known)), None)

    def sentences_with(self, words: Iterable[str]) -> list[Span]:
        """Return the sentences that contain one of some words, in order.

        A search for strings is faster than one for a pattern, which then reads a few sentences only.

        Args:
            words: Words, or parts of them, in lower case.
        """
        found = set()
        for word in words:
            at = self.lowered.find(word)
            while at >= 0:
                sentence = self.rules.sentence_at(at)
                found.add(sentence)
                at = self.lowered.find(word, sentence[1])
        return sorted(found)

    def is_present(self, start: int, end: int) -> bool:
        """Return whether the note asserts what is said from `start` to `end` of the patient, now."""
        return self.rules.assertion_of(start, end) == "present"

    def is_of_patient(self, start: int, end: int) -> bool:
        """Return whether the note asserts what is said from `start` to `end` of the patient, now or
        before."""
        return self.rules.assertion_of(start, end) in ("present", "historical")


def _is_now(finding: Finding, system: CodeSystem) -> bool:
    """Return whether a finding is present, or of a chronic condition whose history the note names."""
    return finding.assertion == "present" or (
        finding.assertion == "historical" and not is_history(finding.code, system)
    )


@lru_cache(maxsize=1 << 10)
def _categories_of(stems: tuple[str, ...]) -> frozenset[str] | None:
    """Return the categories of stems. None if a stem is shorter than a category."""
    if any(len(stem) < CATEGORY for stem in stems):
        return None
    return frozenset(stem[:CATEGORY] for stem in stems)


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
