"""Codes of conditions that are past."""

from __future__ import annotations

from functools import cache

from cclearn.codes.clinical_terms.abbreviations import NO_CODE
from cclearn.codes.clinical_terms.tables import HISTORY, read_table
from cclearn.codes.hierarchy import CodeHierarchy

_SHORT = tuple(
    "A04.7 A40 A41 G45 I21 I22 I26 I46 I60 I61 I62 I63 I82.4 I82.6 I82.90 J12 J13 J14 J15 J16 J17 J18"
    " J69.0 J96.0 J96.9 K35 K37 K56.6 K81.0 K85 K92.0 K92.1 K92.2 L03 N10 N17 N30.0 N39.0"
    " O00 O03 O14 O15 O24.4"
    " S02 S06 S12 S22 S32 S42 S52 S62 S72 S82 S92 U07.1".split()
)
"""Stems of conditions that do not last: in a list of the history they are past."""

_CANCER = ("Z85", "Z86.00")
"""Stems of the codes for cancer that is past, or cancer in situ."""


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


def is_past_in_list(code: str, system: CodeHierarchy) -> bool:
    """Return whether a condition in a list of the history is past: one that does not last, or cancer.

    Args:
        code: Code of the condition.
        system: Code system of the code. Without the phrase table of ICD-10-CM, no condition is past.
    """
    if not system.traits.has_phrase_table:
        return False
    return code.startswith(_SHORT) or is_cancer(code, system)


def is_cancer(code: str, system: CodeHierarchy) -> bool:
    """Return whether a condition is cancer, which has another code once it is past."""
    past = past_code(code, system)
    return past is not None and past != code and past.startswith(_CANCER)


@cache
def _stems() -> dict[str, str]:
    return {stem: code for code, stems in read_table(HISTORY) for stem in stems.split(" ")}
