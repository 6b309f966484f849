"""Whether a value or a drug in a note is the patient's own and a present one."""

from __future__ import annotations

import re

from cclearn.coding.guidelines.suggestions.names import Names, NoteText
from cclearn.coding.lexicon.drugs import is_taken
from cclearn.notes.assertion import AssertionRules
from cclearn.notes.contract import Assertion
from cclearn.notes.sections import find_sections, find_sentences

_OTHER_SECTIONS = re.compile(
    r"famil|fhx?\b|allerg|adverse|intoleran|goal|target|parameter|instruction|precaution"
    r"|education|discontinued|stopped|reference|normal|past medications?|previous|\bhold|birth"
    r"|donor|mother|maternal"
)
"""Matches headers of sections that are not about the patient's present state."""

_PERIOD = r"(?:years?|yrs?|months?|mos?|weeks?|wks?) (?:ago|prior|earlier|before|back)"
_TIMES = (
    rf"{_PERIOD}|last (?:year|month|summer|winter|spring|fall|visit|time|appointment|admission"
    r"|hospitalization)|(?:in|since|during|of) (?:\w+ )?(?:19|20)\d\d|in the past|as a child"
    r"|at birth|before (?:surgery|treatment|pregnancy|admission)"
)
_PERSONS = (
    r"mother|father|brother|sister|son|daughter|wife|husband|maternal|paternal|donor|fetal"
    r"|foetal|fetus|foetus|fhr|twin"
)
_BEFORE = re.compile(
    rf"\b(?:{_TIMES}"
    rf"|{_PERSONS}"
    r"|goals?|targets?|aim(?:ing)?|keep(?:ing)?|maintain\w*|titrate\w*|until|unless|if|whenever"
    r"|should|thresholds?|cut-?offs?|parameters?|call|notify|transfuse|hold for|reference"
    r"|normal (?:range|values?)|criteria|defined|indicat(?:ion|ed) (?:for|when)|exceed\w*"
    r"|calibrat\w+|warm(?:ed|ing)|water|room temperature)\b"
)
"""Words of a sentence before a value that is a limit, another person's or past."""

_JUST_BEFORE = re.compile(
    r"\b(?:previous(?:ly)?|prior|former(?:ly)?|baseline|usual(?:ly)?|history of|h/o|than|above|below"
    r"|under|over|least|limits?|standard|scale|[lhv]+dl|(?:in)?direct|(?:un)?conjugated|ioni[sz]ed"
    r"|ionic|free|delta|mean|glycated|glycosylated)[ :-]*(?:[\w-]+[ :-]+){0,2}\Z"
)
"""Words at most two words before a value or a drug that is past or a limit, or another quantity."""

_AFTER = re.compile(
    rf"[^.;,(\n]{{0,25}}?\b(?:{_TIMES}|(?:is|as) (?:the |a |her |his )?(?:goal|target)"
    r"|or (?:less|more|above|below|higher|lower|greater)|and (?:above|below|up)|at baseline"
    r"|(?:is|are|was|were|within) normal)\b"
)
"""Words after a value that is a limit or past."""

_SPECIMEN = re.compile(
    r"\b(?:urin\w+|ua|u/a|csf|cerebrospinal|spinal|lumbar|lp|synovial|joint|pleural|ascit\w+"
    r"|peritoneal|stool|fec\w+|dipstick|effusion|aspirat\w+|thoracentesis|paracentesis"
    r"|arthrocentesis|drain\w*|fluid|cord|umbilical|sweat|saliva|sediment|dialysate|pericardial"
    r"|gastric|vaginal|biliary|micro)\b|\bmicro(?:albumin|scop)"
)
"""Specimens other than blood. Their values have other limits."""

_EXERTION = re.compile(
    r"\b(?:exercis\w+|stress test\w*|treadmill|exertion\w*|peak|maxim\w+|max|bruce|mets"
    r"|predicted|ambulat\w+|walking|walk|running|climbing|stimulat\w+|paced?|pacing|pacemaker"
    r"|set|dobutamine|adenosine|lower rate|upper rate|nadir|sleep(?:ing)?|polysomno\w+|nocturnal"
    r"|overnight|ahi|apne\w+|cuff|tourniquet|pulmonary art\w+|ventricular|pap|rvsp|pasp"
    r"|arterial line|ankle)\b"
)
"""Circumstances in which a vital sign is expected to be abnormal, and pressures in other places."""

_DRUG_BEFORE = re.compile(
    rf"\b(?:{_TIMES}"
    rf"|{_PERSONS}"
    r"|not (?:taking|on|using|getting|receiving|been)|no longer|used to|had been on|tried|failed"
    r"|if|risks?|could|may|might|discuss\w*|allergic|reaction"
    r"|trial|study|studies|placebo|instead|(?:switch|chang)\w* from|ran out|overdos\w+|ingest\w+"
    r"|bottle|whether|consider\w*|either|recommend\w*|interact\w*|such as|until)\b"
)
"""Words of a sentence before a drug that is not, or not certainly, the patient's present one."""

_DRUG_AFTER = re.compile(
    r"[ -](?:levels?|resist\w+|sensitiv\w+|antibod\w+|allerg\w+|toxicity|overdose|assay|test\w*"
    r"|was (?:stopped|discontinued|held|withdrawn|suspended)|secret\w+|dependen\w+|requir\w+"
    r"|growth|like|tolerance|clamp|intoxication|poisoning|prior to|before|\(?(?:stopped"
    r"|discontinued|held))"
)
"""Words after a drug's name that make it something else than a drug that is taken."""

_REACH = 200
"""Number of code points before a mention in which a note says what it is about."""

_SECTION_REACH = 1_500
"""Number of code points before a mention in which the header of its section is searched."""


def is_current_value(note: NoteText, start: int, end: int, *, vital: bool) -> bool:
    """Return whether a value is one of the patient's blood or a vital sign at rest, and is present.

    Args:
        note: Text of the note.
        start: Offset of the name of the quantity.
        end: Offset after the value.
        vital: Whether the value is a vital sign, which depends on what the patient does, instead of one
            that depends on the specimen.
    """
    before = _sentence_before(note, start)
    return not (
        _BEFORE.search(before)
        or _JUST_BEFORE.search(before)
        or _AFTER.match(note.lowered, end)
        or (_EXERTION if vital else _SPECIMEN).search(before + note.lowered[start : end + 30])
        or _is_of_another_section(note, start)
    )


def is_current_drug(note: NoteText, start: int, end: int) -> bool:
    """Return whether a drug is one that the patient takes.

    Args:
        note: Text of the note.
        start: Offset of the drug.
        end: Offset after the drug.
    """
    before = _sentence_before(note, start)
    return is_taken(note.lowered, start, end) and not (
        _DRUG_BEFORE.search(before)
        or _JUST_BEFORE.search(before)
        or _DRUG_AFTER.match(note.lowered, end)
        or _is_of_another_section(note, start)
        or _assertion(note, start, end) != "present"
    )


def is_considered(note: NoteText, words: Names) -> bool:
    """Return whether a note names a condition of its patient, in whatever assertion.

    Args:
        note: Text of the note.
        words: Words of the condition.
    """
    return any(
        _assertion(note, start, end) not in ("family", "hypothetical")
        for start, end in note.find(words)
    )


def _sentence_before(note: NoteText, start: int) -> str:
    first = max(0, start - _REACH)
    begin, _ = find_sentences(note.text[first : start + 1])[-1]
    return note.lowered[first + begin : start]


def _is_of_another_section(note: NoteText, start: int) -> bool:
    section = find_sections(note.text[max(0, start - _SECTION_REACH) : start + 1])[-1]
    return _OTHER_SECTIONS.search(section.name) is not None


def _assertion(note: NoteText, start: int, end: int) -> Assertion:
    first = max(0, start - _REACH)
    rules = AssertionRules(note.text[first : end + _REACH // 2])
    return rules.assertion_of(start - first, end - first)
