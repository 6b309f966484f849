"""Codes of conditions that are past."""

from __future__ import annotations

from functools import cache

from cclearn.codes.clinical_terms.abbreviations import NO_CODE
from cclearn.codes.clinical_terms.tables import HISTORY, read_table
from cclearn.codes.hierarchy import CodeHierarchy


def past_code(code: str, system: CodeHierarchy) -> str | None:
    """Return the code of a condition that is past: personal history, if the table has a code for it.

    A condition without one keeps its code, because "history of" is written of chronic conditions too.
    None if nothing is coded, such as for a symptom that is gone (Official Guidelines, I.C.21.c.4).

    Args:
        code: Code of the condition.
        system: Code system of the code. Without the phrase table of ICD-10-CM, the code is returned.
    """
    if not system.traits.has_phrase_table:
        return code
    stems = _stems()
    found = next((stems[code[:n]] for n in range(len(code), 0, -1) if code[:n] in stems), code)
    if found == NO_CODE:
        return None
    return found if found in system else code


@cache
def _stems() -> dict[str, str]:
    return {stem: code for code, stems in read_table(HISTORY) for stem in stems.split(" ")}
