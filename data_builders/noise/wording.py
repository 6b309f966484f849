"""Other ways of putting the same words: order, number, short forms, words left out."""

from __future__ import annotations

import random
import re

from data_builders.noise.meaning import PROTECTED, SHORT_FORMS
from data_builders.noise.spelling import lower_first

_PLAIN_WORDS = re.compile(r"[A-Za-z-]+(?: [A-Za-z-]+){1,3}")
_JOINING = frozenset(
    "of with without due to and or in by from for nor not no on at as the a an".split()
)
_STOP_WORDS = re.compile(r" (?:the|a|an|of|in|by) (?=[a-z])")
_COMMA_TAIL = re.compile(r"(?P<head>[^,]+), (?P<tail>[a-z-]+)")
_OF_FORM = re.compile(r"(?P<noun>[A-Z]?[a-z]+) of (?P<part>[a-z]+(?: [a-z]+)?)")
_SHORTENED = re.compile(rf"\b(?:{'|'.join(SHORT_FORMS)})\b", re.IGNORECASE)


def reorder(text: str, order: random.Random) -> str:
    """Put the noun first or last, as indexes and problem lists do.

    `Closed fracture` → `Fracture, closed`; `Asthma, severe` → `severe asthma`; `Fracture of femur` →
    `femur fracture`. Only where no joining word could change sides.
    """
    tail = _COMMA_TAIL.fullmatch(text)
    if tail is not None:
        return f"{tail['tail']} {lower_first(tail['head'])}"
    of_form = _OF_FORM.fullmatch(text)
    if of_form is not None:
        if of_form["noun"].lower() in PROTECTED or _JOINING.intersection(
            of_form["part"].split(" ")
        ):
            return text
        return f"{of_form['part']} {lower_first(of_form['noun'])}"
    words = text.split(" ")
    if not _PLAIN_WORDS.fullmatch(text) or _JOINING.intersection(map(str.lower, words)):
        return text
    *rest, noun = words
    return f"{noun[0].upper()}{noun[1:]}, {lower_first(' '.join(rest))}"


def plural(text: str, order: random.Random) -> str:
    """Put the last word in the plural, or take it out of it, where that is regular."""
    head, blank, word = text.rpartition(" ")
    if len(word) < 5 or not word.isalpha() or not word.islower():
        return text
    if word.endswith(("is", "us", "ss", "a", "x", "ed", "ing", "y", "al", "ic", "ous", "ive", "h")):
        return text
    return f"{head}{blank}{word[:-1] if word.endswith('s') else word + 's'}"


def drop_stop_words(text: str, order: random.Random) -> str:
    """Leave out an article or a small preposition: `Fracture neck of femur`.

    `with`, `without`, `due to`, `not` and the like are never left out.
    """
    places = list(_STOP_WORDS.finditer(text))
    if not places:
        return text
    place = places[int(order.random() * len(places))]
    return f"{text[: place.start()]} {text[place.end() :]}"


def shorten(text: str, order: random.Random) -> str:
    """Write a side, a number or a joining word in its short form: `rt`, `2nd`, `w/o`."""
    places = list(_SHORTENED.finditer(text))
    if not places:
        return text
    place = places[int(order.random() * len(places))]
    shorts = SHORT_FORMS[place[0].lower()]
    short = shorts[int(order.random() * len(shorts))]
    return text[: place.start()] + short + text[place.end() :]
