"""The codes of short notes after all rules, for the tests of the rules."""

from __future__ import annotations

from cclearn import Coder
from cclearn.codes import CodeSystem


def codes_of(text: str, system: CodeSystem) -> list[str]:
    """Return the codes of an outpatient's note, sorted."""
    coded = Coder.lexicon(system, encounter="outpatient").code(text)
    return sorted(assigned.code for assigned in coded.codes)
