"""The phrases of codes: strings of the classification, shorter forms, and a table of phrases."""

from __future__ import annotations

import re
from functools import cache, partial

from cclearn.codes import CodeSystem
from cclearn.codes.string_claims import StringClaims
from cclearn.codes.strings import PRECEDENCE, code_strings, short_forms
from cclearn.coding.lexicon.normalise import JOINED, MARK, STOP, TOKEN, WORDING
from cclearn.coding.lexicon.tables import PHRASES, read_table

_UNINFORMATIVE = frozenset(
    f"{JOINED} other not elsewhere classified type left right bilateral all any without no".split()
)

_LESS = tuple(
    (re.compile(pattern), put)
    for pattern, put in (
        (r",? not elsewhere classified$| NEC$", ""),
        (r",? (?:except|excluding) .*$", ""),
        (r",? without [^,]*$", ""),
        (r",? without .*$", ""),
        (r",? (?:not intractable\b.*|uncomplicated|so stated|single episode|acquired)$", ""),
        (r",? nontraumatic$|^(?:Acquired|Nontraumatic) ", ""),
        (r"of unspecified (?:behavior|nature) of", "of"),
        (r"diabetes mellitus", "diabetes"),
    )
)
"""Parts of a title that distinguish a code from others, and that a note omits if they do not apply:
`Unspecified viral hepatitis C without hepatic coma`."""

_MAY_SHORTEN = re.compile(
    r"elsewhere|NEC|except|excluding|without|intractable|uncomplicated|stated|episode|cquired|ontraumatic"
    r"|of unspecified|mellitus"
)
"""Matches strings that the patterns above may shorten."""

_NO_JOINING = r"(?!.*\b(?:of|in|to|by|with|without|due|for|from)\b)"
_AND = re.compile(
    rf"(?P<head>[\w' -]+ of (?:the )?){_NO_JOINING}(?P<one>[\w' -]+?) and (?P<other>[\w' -]+)"
    r"|(?P<word>[\w-]+) and (?P<second>[\w-]+)"
)
"""In a title, "and" means "and" or "or" (ICD-10-CM Official Guidelines, section I.A.14)."""

_NO_PARTS = ("O", "P", "Z")
"""Chapters whose titles depend on context: pregnancy, newborns, and encounters."""


NO_CODE = "-"
"""Code in the table for words that do not name a condition."""


def phrase_words(text: str) -> str:
    """Return the normalised words of a phrase, each once, in order.

    Tokens without meaning between words become `JOINED`. A phrase with a stop becomes empty, because no
    match contains a stop.
    """
    words: list[str] = []
    for token in TOKEN.findall(text.lower()):
        known = WORDING[token]
        if known == (STOP,):
            return ""
        if known in ((), (MARK,)):
            known = (JOINED,) if words and words[-1] != JOINED else ()
        words += [word for word in known if word == JOINED or word not in words]
    return " ".join(words[:-1] if words and words[-1] == JOINED else words)


def same_words(words: str) -> frozenset[str]:
    """Return a key that is equal for phrases that differ only in the order of their words."""
    return frozenset(words.split(" ")) - {JOINED}


def collect_phrases(system: CodeSystem) -> dict[str, str]:
    """Return the words of all phrases of a code system, each with its billable code.

    No two phrases have the same words. If several codes claim a phrase, the strongest claim wins
    (`PRECEDENCE`, then shortened forms), and equal claims cancel each other. The table of phrases
    overrides all claims.
    """
    ordered: dict[frozenset[str], str] = {}

    def key(text: str) -> str:
        words = phrase_words(text)
        return ordered.setdefault(same_words(words), words)

    claims = StringClaims(key)
    for string in code_strings(system):
        claims.add(string.text, string.code, PRECEDENCE.index(string.field))
        if system.traits.icd_conventions:
            for form in _wider_forms(string.text, string.code, string.field == "title"):
                claims.add(form, string.code, len(PRECEDENCE))
    stands_for = cache(partial(_stands_for, system))
    phrases = {}
    for words, codes in claims:
        code, *others = dict.fromkeys(map(stands_for, codes))
        is_informative = not _UNINFORMATIVE.issuperset(words.split(" "))
        if words and code is not None and not others and is_informative:
            phrases[words] = code
    if system.traits.has_phrase_table:
        for code, texts in read_table(PHRASES):
            found = stands_for(code) if code in system else None
            for words in map(key, texts.split("; ")):
                if found is not None:
                    phrases[words] = found
                elif code == NO_CODE:
                    phrases.pop(words, None)
    return phrases


def _stands_for(system: CodeSystem, code: str) -> str | None:
    found = system.unspecified(code)
    # External causes are coded from circumstances, not from a word such as "street" or "bed".
    if found is None or system.chapter(found) == system.traits.external_causes_chapter:
        return None
    return found


def _wider_forms(text: str, code: str, is_title: bool) -> list[str]:
    """Return forms of a string without its restrictions, and the parts of a title with "and".

    `Splenomegaly, not elsewhere classified` → `Splenomegaly`; `Anuria and oliguria` → `Anuria`,
    `oliguria`; `Malignant neoplasm of kidney, except renal pelvis` → `Malignant neoplasm of kidney`.
    """
    found: list[str] = []
    todo = [text]
    while todo:
        form = todo.pop()
        shorter = short_forms(form)
        if _MAY_SHORTEN.search(form):
            shorter += [pattern.sub(put, form).strip(" ,") for pattern, put in _LESS]
        parts = _AND.fullmatch(form) if is_title and not code.startswith(_NO_PARTS) else None
        if parts is not None:
            head = parts["head"] or ""
            shorter += [
                head + part for part in parts.group("one", "other", "word", "second") if part
            ]
        for short in shorter:
            if short and short != text and short not in found:
                found.append(short)
                todo.append(short)
    return found
