"""Changes to a mention that leave its meaning: how the same words are really written.

A model that has met every mention in a single spelling learns the mentions by heart; one that has met
them in many learns to read and to quote what stands there.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator

from cclearn.notes import SpanPair

VARIANT = "+variant"
"""Ends the `source` of a pair that a variant was made for."""

PROTECTED = frozenset(
    "no not non without with left right bilateral upper lower acute chronic type history of old "
    "other unspecified primary secondary".split()
)
"""Words that are never misspelt: a reader could take them for another, or they carry the meaning."""

_LONG_WORD = re.compile(r"[A-Za-z]{6,}")
_PLAIN_WORDS = re.compile(r"[A-Za-z-]+(?: [A-Za-z-]+){1,3}")
_JOINING = frozenset("of with without due to and or in by from for nor not no".split())


def typo(text: str, order: random.Random) -> str:
    """Swap two neighbouring letters, or drop one, inside one long word.

    First and last letters stay, and so do digits, abbreviations and the protected words.
    """
    words = [m for m in _LONG_WORD.finditer(text) if m[0].lower() not in PROTECTED]
    if not words:
        return text
    word = order.choice(words)
    place = order.randrange(word.start() + 1, word.end() - 2)
    if order.random() < 0.5:
        return text[:place] + text[place + 1] + text[place] + text[place + 2 :]
    return text[:place] + text[place + 1 :]


def lower_first(text: str) -> str:
    """Begin with a small letter, as inside a sentence, unless the first word is an abbreviation."""
    word = text.split(maxsplit=1)[0] if text.strip() else ""
    # "ST elevation", "Q wave" and "A-V block" keep their capitals.
    if len(word) < 2 or not word[1:].replace("-", "").islower():
        return text
    return text[0].lower() + text[1:]


def comma_inversion(text: str) -> str:
    """Put the noun first, as indexes and problem lists do: `Fracture, closed` for `Closed fracture`.

    Only plain runs of two to four words without a joining word among them.
    """
    words = text.split(" ")
    if not _PLAIN_WORDS.fullmatch(text) or _JOINING.intersection(map(str.lower, words)):
        return text
    *rest, noun = words
    return f"{noun[0].upper()}{noun[1:]}, {lower_first(' '.join(rest))}"


def noise(text: str, order: random.Random) -> str:
    """Change a string by one or more makers drawn at random; typing errors are the most frequent."""
    if order.random() < 0.15:
        text = comma_inversion(text)
    for _ in range(order.choice((1, 1, 2))):
        text = typo(text, order)
    return lower_first(text) if order.random() < 0.5 else text


def variants(pair: SpanPair, count: int, seed: int) -> Iterator[SpanPair]:
    """Yield up to `count` pairs of the same code with changed strings, no two alike.

    They depend on the pair's id and the seed alone, and keep its grade: the code is as certain.
    """
    order = random.Random(f"{seed} {pair.id}")  # noqa: S311 - reproducible, not secret
    seen = {pair.text}
    for number in range(1, count + 1):
        text = noise(pair.text, order)
        if text not in seen:
            seen.add(text)
            changed = {
                "id": f"{pair.id}-variant-{number}",
                "text": text,
                "source": f"{pair.source}{VARIANT}",
            }
            yield pair.model_copy(update=changed)
