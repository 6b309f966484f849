"""Codes of conditions that a note mentions as past."""

from __future__ import annotations

from cclearn.codes import CodeSystem
from cclearn.codes.clinical_terms.history import past_code

_HISTORY = ("I25.2", "Z85", "Z86", "Z87")
"""Stems of the codes whose titles say that the condition is past."""

_SAYS = "is the code of this condition once it is past"


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
