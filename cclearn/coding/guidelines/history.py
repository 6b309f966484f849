"""Codes of conditions that a note mentions as past."""

from __future__ import annotations

from functools import cache

from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.abbreviations import NO_CODE
from cclearn.coding.lexicon.tables import HISTORY, read_table

_HISTORY = ("I25.2", "Z85", "Z86", "Z87")
"""Stems of the codes whose titles say that the condition is past."""

_SAYS = "is the code of this condition once it is past"


def past_code(code: str, system: CodeSystem) -> str | None:
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


def is_history(code: str, system: CodeSystem) -> bool:
    """Return whether a code itself says that the condition is past, such as an old infarction."""
    return system.traits.has_phrase_table and code.startswith(_HISTORY)


def history_flag(code: str, system: CodeSystem) -> str | None:
    """Return the flag of a code that only past mentions support. None if it needs none."""
    past = past_code(code, system)
    if past == code:
        return None
    does = "a symptom that is past is not coded" if past is None else f"{past} {_SAYS}"
    return f"history: {does} (Section I.C.21.c.4)"


@cache
def _stems() -> dict[str, str]:
    return {stem: code for code, stems in read_table(HISTORY) for stem in stems.split(" ")}
