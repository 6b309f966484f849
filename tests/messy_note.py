"""The tables of `docs/messy_note.md`: what the lexicon reads in `examples/messy_note.txt`, and why.

    python -m tests.messy_note

writes them anew. A code or a mention without a reason here is an error.
"""

from __future__ import annotations

from benchmarks.markdown import filled, table
from cclearn import CodedNote
from cclearn.codes import CodeSystem
from cclearn.coding.lexicon.coder import LexiconCoder
from cclearn.notes import CODED_ASSERTIONS
from tests.source_tree import ROOT

PAGE = ROOT / "docs" / "messy_note.md"
NOTE = ROOT / "examples" / "messy_note.txt"

CODES = {
    "E11.22": "T2DM is an abbreviation; the classification links diabetes and chronic kidney disease",
    "I12.9": "hypertension with chronic kidney disease is hypertensive kidney disease",
    "N18.32": "the stage stands beside the words",
    "J44.0": "pneumonia in chronic obstructive pulmonary disease has a code of both",
    "J44.1": "AECOPD is an abbreviation; the form that is specified stands for both mentions",
    "Z87.891": "two packs a day, until 2015",
    "Z95.1": "a past procedure has the code of its status",
    "R06.02": "an abbreviation; its Excludes1 note is flagged below",
    "I25.2": "an old infarction is not an acute one",
    "Z85.3": "a cancer of the past has the code of its history",
    "Z90.12": "a past procedure, with its side",
    "K21.9": "an abbreviation",
    "M17.0": "an abbreviation with its site, on both sides",
    "Z88.0": "a drug in the section of allergies",
    "Z79.84": "metformin beside diabetes is long-term therapy",
    "Z79.82": "aspirin beside an old infarction is long-term therapy",
    "E11.621": "the classification links diabetes and an ulcer of the foot",
    "L97.519": "the ulcer itself, with its side; its depth is not stated",
    "R91.8": "a finding of the X-ray; a coder may leave it out beside pneumonia",
    "J18.9": 'the plan states it, so it is not only "consistent with" pneumonia',
    "J96.01": "the most specific code whose words are all in the note",
    "Z23": "an immunisation of today",
}
"""Why each code is assigned."""

MENTIONS = {
    "CP": '"denies" reaches it',
    "hemoptysis": '"denies" reaches all items of the list',
    "LE swelling": '"denies" reaches all items of the list',
    "fever": '"no" reaches it, and "but" ends its scope',
    "DM": "the mother's",
    "breast ca": "the sister's",
    "PE": '"neg for" reaches it',
    "syncope": '"return if": it has not happened',
}
"""Why each mention gives no code, by its words."""


def page_with_codes() -> str:
    """Return the page with the present codes, mentions and flags of the note."""
    coder = LexiconCoder(CodeSystem.load(), encounter="outpatient")
    text = NOTE.read_text(encoding="utf-8")
    note = coder.code(text)
    blocks = {
        "note": lambda: f"```text\n{text}```",
        "codes": lambda: _codes(note),
        "mentions without a code": lambda: _mentions(coder, text),
        "flags": lambda: _flags(note),
    }
    return filled(PAGE.read_text(encoding="utf-8"), blocks)


def _codes(note: CodedNote) -> str:
    rows = [
        [
            f"{assigned.code} {assigned.description}",
            "<br>".join(dict.fromkeys(quote.text for quote in assigned.evidence)),
            CODES[assigned.code],
        ]
        for assigned in note.codes
    ]
    return table(["code", "evidence", "why"], rows)


def _mentions(coder: LexiconCoder, text: str) -> str:
    rows = [
        [text[found.start : found.end], found.assertion, MENTIONS[text[found.start : found.end]]]
        for found in coder.find(text)
        if found.assertion not in CODED_ASSERTIONS
    ]
    rows += [[words, "", why] for words, why in NOT_FOUND.items() if words in text]
    return table(["words", "assertion", "why no code"], rows)


NOT_FOUND = {
    "wheezes": "a sign that goes with the disease of the lungs (Section I.B.5)",
    "cough": "a symptom that goes with the disease of the lungs (Section I.B.5)",
    "CVA tenderness": "no disease of a vessel: an angle of the back, and it is denied",
    "SpO2 87%": "a value is not a diagnosis; the plan states the respiratory failure",
    "K 2.9": "a value is not a diagnosis: a suggestion, below",
    "BMI 31": "without a documented disorder of weight: a suggestion, below",
    "stroke": "a risk that was discussed",
}
"""Why words that may look like a condition are none for the lexicon."""


def _flags(note: CodedNote) -> str:
    of_codes = [f"{code.code} {flag}" for code in note.codes for flag in code.flags]
    return "\n".join(["```text", *note.flags, *of_codes, "```"])


if __name__ == "__main__":
    PAGE.write_text(page_with_codes(), encoding="utf-8")
