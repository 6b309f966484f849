"""Changes of wording: order of words, number, short forms and omitted words."""

from __future__ import annotations

import random
import re

from data_builders.noise.meaning import PROTECTED, SHORT_FORMS
from data_builders.noise.spelling import lower_first

_PLAIN_WORDS = re.compile(r"[A-Za-z-]+(?: [A-Za-z-]+){1,3}")
_JOINING = frozenset(
    # Words that join two parts of a text, whose order must not change.
    "of with without due to and or in by from for nor not no on at as the a an after against along "
    "among around before behind between beyond causing complicating despite during except excluding "
    "following inside into involving like near off onto out outside over per resulting since than "
    "through toward towards under until upon using versus via when where which while within nos "
    "nec".split()
)
_STOP_WORDS = re.compile(r" (?:the|a|an|of|in) (?=[a-z])")
_COMMA_TAIL = re.compile(r"(?P<head>[A-Za-z-]+(?: [A-Za-z-]+)*), (?P<tail>[a-z-]+)")
_OF_FORM = re.compile(r"(?P<noun>[A-Z]?[a-z]+) of (?P<part>[a-z]+(?: [a-z]+)?)")
_SHORTENED = re.compile(rf"\b(?:{'|'.join(SHORT_FORMS)})\b", re.IGNORECASE)

_ADJECTIVE = re.compile(
    r"[a-z-]{2,}(?:able|al|ar|ary|ed|ent|ible|ic|ile|ior|ive|oid|ous)"
    r"|acute|asthenic|benign|both|chronic|late|left|lower|malignant|mild|moderate|old|open|other"
    r"|right|secondary|severe|single|upper|complete|incomplete|male|female|inner|outer|simple"
)
"""Adjectives, which may precede a noun or follow it after a comma."""

_FREE_NUMBER = frozenset(
    "abnormality allergy anomaly attack complication convulsion cramp deficiency "
    "difficulty disease disorder disturbance hallucination headache hemorrhoid infection "
    "irregularity malformation palpitation problem reaction seizure spasm symptom".split()
)
"""Nouns whose singular and plural are the same diagnosis. Fractures, nodules and sites are not among
them, because codes distinguish one from several."""

_PLURALS = {noun: re.sub("y$", "ie", noun) + "s" for noun in sorted(_FREE_NUMBER)}
_OTHER_NUMBER = _PLURALS | {many: one for one, many in _PLURALS.items()}
_COUNTED = re.compile(rf"\b(?:{'|'.join(_OTHER_NUMBER)})\b", re.IGNORECASE)


def reorder(text: str, rng: random.Random) -> str:
    """Move the noun to the beginning or to the end, as in indexes and problem lists.

    `Closed fracture` → `Fracture, closed`; `Asthma, severe` → `severe asthma`; `Fracture of femur` →
    `femur fracture`. Only adjectives are moved, and only in texts without a joining word.
    """
    tail = _COMMA_TAIL.fullmatch(text)
    if tail is not None:
        if _joins(tail["head"]) or not _is_adjective(tail["tail"]):
            return text
        return f"{tail['tail']} {lower_first(tail['head'])}"
    of_form = _OF_FORM.fullmatch(text)
    if of_form is not None:
        part = of_form["part"]
        if of_form["noun"].lower() in PROTECTED or _joins(part) or not _is_noun(part.split()[-1]):
            return text
        return f"{part} {lower_first(of_form['noun'])}"
    *before, noun = text.split(" ")
    if not _PLAIN_WORDS.fullmatch(text) or _joins(text) or not _is_noun(noun):
        return text
    if not all(map(_is_adjective, before)):
        return text
    return f"{noun[0].upper()}{noun[1:]}, {lower_first(' '.join(before))}"


def _joins(text: str) -> bool:
    return not _JOINING.isdisjoint(text.lower().split(" "))


def _is_adjective(word: str) -> bool:
    return _ADJECTIVE.fullmatch(word.lower()) is not None


def _is_noun(word: str) -> bool:
    if len(word) < 3 or word in PROTECTED or _is_adjective(word):
        return False
    return not word.endswith(("ing", "ly"))


def plural(text: str, rng: random.Random) -> str:
    """Change the number of a noun whose singular and plural are the same diagnosis."""
    matches = [match for match in _COUNTED.finditer(text) if not _has_name(text[: match.start()])]
    if not matches:
        return text
    match = matches[int(rng.random() * len(matches))]
    other = _OTHER_NUMBER[match[0].lower()]
    return text[: match.start()] + match[0][0] + other[1:] + text[match.end() :]


def _has_name(before: str) -> bool:
    """Return whether a text ends with a proper name, as in Lyme disease and Crohn's disease."""
    word = before.rstrip().rpartition(" ")[2]
    return "'" in word or not (word.islower() or not word or _is_adjective(word))


def drop_stop_words(text: str, rng: random.Random) -> str:
    """Omit an article or a short preposition: `Fracture neck of femur`.

    `with`, `without`, `due to`, `by`, `not` and the like are never omitted.
    """
    matches = list(_STOP_WORDS.finditer(text))
    if not matches:
        return text
    match = matches[int(rng.random() * len(matches))]
    return f"{text[: match.start()]} {text[match.end() :]}"


def shorten(text: str, rng: random.Random) -> str:
    """Replace a side, an ordinal or a joining word by its short form: `rt`, `2nd`, `w/o`."""
    matches = list(_SHORTENED.finditer(text))
    if not matches:
        return text
    match = matches[int(rng.random() * len(matches))]
    shorts = SHORT_FORMS[match[0].lower()]
    short = shorts[int(rng.random() * len(shorts))]
    return text[: match.start()] + short + text[match.end() :]
