"""Phrases that name no condition of the patient: places, texts, and the diseases of vaccines."""

from __future__ import annotations

import re

from cclearn.notes.assertion import AssertionRules

_NO_PATIENT = re.compile(
    r"(?i) (?:clinic|ward|team|nurse|specialist|educator|centre|center|registry|association|society"
    r"|foundation|pamphlet|leaflet|brochure|booklet|hand-?out|support group|diet|counsell?or)s?\b"
    r"|:? ?\(?(?:gad-?7|phq-?[29]|epds|c-?ssrs|ham-?[ad])\b"
)
"""Matches the words after a condition that only names a place, a person, a text, a diet or a scale."""

_TRANSPLANTED = re.compile(
    r"(?i)\btransplant\w*[^.;\n]{0,25}\b(?:for|2/2|due to|d/t|secondary to)(?: \w+)? \Z"
)
"""Matches the text before the disease for which an organ was transplanted."""

_ORGANS = ("N18", "K7", "I42", "I50", "J84", "J44", "E84")
"""Stems of diseases of kidneys, livers, hearts and lungs."""

_PAIN = "R52"
_NO_PAIN = re.compile(r"(?i)(?:\brest|\breport|\bmg\b[^.\n]{0,30} for|\b(?:prn|as needed) for) \Z")
_PAIN_SCALE = re.compile(r"(?i):| (?:<|control\b|scale\b|score\b|goal\b|medications?\b|meds\b)")
"""Match the text before and after a pain that is the purpose of a drug, a heading or a goal."""

_SECTION = re.compile(r"immuni[sz]ations?|vaccin(?:es?|ations?)|health maintenance|preventive care")
"""Matches headers of sections that list diseases a patient is protected from."""

_GIVEN = re.compile(
    r"(?i)(?:, ?(?:vit(?:amin)? k|erythromycin|eye ointment))*,? (?:was |were )?"
    r"(?:given|administered|utd|up[- ]to[- ]date|updated|(?:non-?)?immune)\b"
)
_PREVENTED = tuple("A22 A33 A34 A35 A36 A37 A39 A80 A82 A95 B01 B03 B05 B06 B15 B16 B26".split())
"""Stems of diseases that few patients of a note about their vaccine have."""

_OF_VACCINES = (*_PREVENTED, "A15", "B02", "B19.1", "J10", "J11", "J13", "J18", "U07.1")
"""Stems of the diseases that vaccines are named after."""

_VACCINE = re.compile(r"(?i)\b(?:immuni[sz]|vaccin)\w*")
_TETANUS = "A35"
_BOOSTER = re.compile(
    r"(?i)\b(?:last|unknown|status|booster|tdap|td|shots?|given|current|updated|utd|up to date|ago)\b"
)
"""Words of a sentence about the vaccine against tetanus, which hardly any patient has."""

_MOODS = ("F32.A", "F41.9")
_MIND = re.compile(
    r"(?i)(?:\A|[\n.;]|\bexam:) ?(?:(?:psych(?:iatric)?|mse|mental status(?: exam)?|neuro/psych)\s*:"
    r"|(?:mood|affect)\b)[^.\n]*\Z|\b(?:mood|affect|appear(?:s|ed|ing)?)(?: and affect)?(?: is| was|:)? "
    r"(?:\w+,? ){0,2}\Z"
)
"""Matches the text before a mood that an examination finds, which is no diagnosis."""

_BEFORE = 80
"""Length of the text before a phrase that is searched for such words, in code points."""


def is_no_condition(text: str, start: int, end: int, code: str, rules: AssertionRules) -> bool:
    """Return whether a phrase only names a place, a person, a text or a vaccine.

    Args:
        text: Text of the note.
        start: Offset of the phrase.
        end: Offset after the phrase.
        code: Code of the phrase.
        rules: Assertion rules of the note.
    """
    if not code.startswith("Z") and _NO_PATIENT.match(text, end) is not None:
        return True
    before = max(0, start - _BEFORE)
    if code.startswith(_ORGANS) and _TRANSPLANTED.search(text, before, start) is not None:
        return True
    if code == _PAIN:
        is_scale = _PAIN_SCALE.match(text, end) is not None
        return is_scale or _NO_PAIN.search(text, before, start) is not None
    if code in _MOODS and text[start:end].lower() in ("anxious", "depressed"):
        return _MIND.search(text, before, start) is not None
    if not code.startswith(_OF_VACCINES):
        return False
    if code == _TETANUS and _BOOSTER.search(text, *rules.sentence_at(start)) is not None:
        return True
    if _SECTION.fullmatch(rules.section_at(start).name) or _GIVEN.match(text, end):
        return True
    return code.startswith(_PREVENTED) and (
        _VACCINE.search(text, *rules.sentence_at(start)) is not None
    )
