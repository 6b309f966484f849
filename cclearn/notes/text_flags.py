"""What is odd about the text of a note, for its reviewer. It is coded as it is all the same."""

from __future__ import annotations

import re

CONTROL = re.compile(r"[\x00-\x08\x0e-\x1f\x7f-\x84\x86-\x9f\ufffd]")
"""Control characters that are no white space, and what decoders write for bytes that are no text."""

# Zero-width marks, marks of direction, tags; a byte order mark may begin a file, a joiner makes emojis.
_HIDDEN = r"\u200b\u2060\u202a-\u202e\u2066-\u2069\U000e0000-\U000e007f\ufeff"
_INVISIBLE = re.compile(rf"[{_HIDDEN}](?<!\A\ufeff)")
_UNSEEN = re.compile(rf"{CONTROL.pattern[:-1]}{_HIDDEN}]")
"""Any of both, for one search instead of two."""
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
    " weeks year years old".split()
)
"""Function words, and words of lists."""
_FEWEST_WORDS = 40
"""A shorter note may be a list."""

_NOT_PROSE = frozenset({"binary", "HTML", "RTF"})
"""What has so many words of its own that the language cannot be told."""


def text_flags(text: str) -> set[str]:
    """Return flags for what a note's text is besides, or instead of, plain English.

    `binary`: more than one in ten characters is a control character, or base64 stands in it ·
    `control characters`: it holds some, or others that cannot be seen · `HTML`, `RTF`: it has the marks
    of these · `chat marks`: it spells marks by which chats with models are written · `not English`:
    fewer than one word in fifty is one of the commonest English ones.
    """
    found = set()
    words = text.lower().split()
    unseen = _UNSEEN.search(text) is not None
    control = len(CONTROL.findall(text)) if unseen else 0
    if 10 * control > len(text) or _BASE64.search(max(words, key=len, default="")):
        found.add("binary")
    elif control or (unseen and _INVISIBLE.search(text)):
        found.add("control characters")
    if _RTF.match(text):
        found.add("RTF")
    if "<" in text and _HTML.search(text):
        found.add("HTML")
    if ("<" in text or "[" in text) and _CHAT_MARKS.search(text):
        found.add("chat marks")
    told = len(words) > _FEWEST_WORDS and found.isdisjoint(_NOT_PROSE)
    if told and 50 * sum(map(_ENGLISH.__contains__, words)) < len(words):
        found.add("not English")
    return {f"text: {each}" for each in found}
