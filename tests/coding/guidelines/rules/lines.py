"""The codes of short notes after all rules, for the tests of the rules."""

from __future__ import annotations

from functools import lru_cache

from cclearn import Coder
from cclearn.codes import CodeSystem


@lru_cache(maxsize=1)
def _coder(system: CodeSystem) -> Coder:
    return Coder.lexicon(system, encounter="outpatient")


def codes_of(text: str, system: CodeSystem) -> list[str]:
    """Return the codes of an outpatient's note, sorted."""
    return sorted(assigned.code for assigned in _coder(system).code(text).codes)
