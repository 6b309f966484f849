"""Flags for anomalies of a note's text, such as HTML or control characters. The note is coded anyway."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")
"""Control characters other than white space, and the replacement character that decoders write."""

# Zero-width characters, direction marks and tags. A byte order mark may begin a file; joiners are part
# of emojis and are therefore not listed.
_HIDDEN = r"\u200b\u2060\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\ufeff"
_INVISIBLE = re.compile(rf"[{_HIDDEN}](?<!\A\ufeff)")
_UNSEEN = re.compile(rf"{CONTROL.pattern[:-1]}{_HIDDEN}]")
"""Control or invisible characters, so that one search is enough for most notes."""
_BASE64 = re.compile(r"[a-z0-9+/=]{1000}")
_RTF = re.compile(r"\s*\{\\rtf")
_HTML = re.compile(
    r"<!doctype html|<html\b|<!--|<br\s*/?>|</(?:a|b|body|div|em|font|h[1-6]|head|i|li|ol|p|pre|script"
    r"|span|strong|style|table|td|th|tr|u|ul)>",
    re.IGNORECASE,
)
_CHAT_MARKS = re.compile(
    r"<(?:\|\w{1,40}\|?|\w{1,40}\|)>|<(?:start|end)_of_turn>|\[/?INST\]|<</?SYS>>"
)

_ENGLISH = frozenset(
    "the of and with was is for to on that this has had are were from at by which or not who been be as"
    " an it patient history pain left right blood disease chronic daily twice tablets day days week"
    " weeks year years old pt pts hx yo y/o pmh hpi w/ s/p f/u c/o rx dx meds exam denies".split()
)
"""Common function words, and words and short forms that are frequent in lists."""

_FEWEST_WORDS = 40
"""The language of a note with fewer words is not checked, because it may be a list."""

_NOT_PROSE = frozenset({"binary", "HTML", "RTF"})
"""Flags of texts with so many words of their own that the language is not checked."""


def text_flags(text: str) -> set[str]:
    """Return flags for the properties of a note's text that plain English text does not have.

    - `empty`: The text has nothing but white space.
    - `binary`: More than one in ten characters is a control character, or the text contains base64.
    - `control characters`: The text contains control characters or invisible characters.
    - `HTML`, `RTF`: The text contains the markup of these formats.
    - `chat marks`: The text contains the special tokens of chat models, spelled out.
    - `not English`: Fewer than one word in fifty is a common English word.
    """
    found = set()
    words = text.lower().split()
    unseen = _UNSEEN.search(text) is not None
    control = len(CONTROL.findall(text)) if unseen else 0
    if 10 * control > len(text) or _BASE64.search(max(words, key=len, default="")):
        found.add("binary")
    elif control or (unseen and _INVISIBLE.search(text)):
        found.add("control characters")
    if not words:
        found.add("empty")
    if _RTF.match(text):
        found.add("RTF")
    if "<" in text and _HTML.search(text):
        found.add("HTML")
    if ("<" in text or "[" in text) and _CHAT_MARKS.search(text):
        found.add("chat marks")
    checks_language = len(words) > _FEWEST_WORDS and found.isdisjoint(_NOT_PROSE)
    if checks_language and 50 * sum(map(_ENGLISH.__contains__, words)) < len(words):
        found.add("not English")
    return {f"text: {anomaly}" for anomaly in found}
