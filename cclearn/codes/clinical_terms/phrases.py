"""The phrases of codes: strings of the classification, shorter forms, and a table of phrases."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator
from functools import cache, partial
from typing import NamedTuple

from cclearn.codes.clinical_terms.abbreviations import NO_CODE, meanings
from cclearn.codes.clinical_terms.normalise import (
    BOUNDARY,
    JOINED,
    MARK,
    NEGATIONS,
    UNKNOWN,
    read_words,
)
from cclearn.codes.clinical_terms.tables import PHRASES, PROCEDURES, read_table, tables_sha256
from cclearn.codes.hierarchy import CodeHierarchy
from cclearn.codes.string_claims import StringClaims
from cclearn.codes.strings import PRECEDENCE, code_strings, short_forms
from cclearn.runtime.caches import cache_file, read_sealed, write_sealed
from cclearn.runtime.garbage_collection import paused_garbage_collection

PHRASES_VERSION = 31
"""Version of the selection of phrases. Increase it to rebuild older caches."""

_UNINFORMATIVE = frozenset(
    f"{JOINED} other not elsewhere classified type left right bilateral all any without no".split()
)

_RESTRICTIONS = tuple(
    (re.compile(pattern), replacement)
    for pattern, replacement in (
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
"""Patterns of restrictions in titles, and their replacements. Notes omit the restrictions, for example
"without hepatic coma" in `Unspecified viral hepatitis C without hepatic coma`."""

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
"""First letters of the codes of pregnancy, newborns and encounters. Their titles are not divided at
"and", because a part would lose its context."""


IF_PAST = "~"
"""Mark of the code of a procedure, which is only assigned if the procedure is past."""


def phrase_words(text: str, *, defaults: bool = False, expand: bool = True) -> str:
    """Return the normalised words of a phrase, each once, in order.

    Tokens without meaning between words become `JOINED`. A phrase with a boundary becomes empty, because
    no match contains a boundary. So does one with an abbreviation whose meaning cannot be told.

    Args:
        text: Text of the phrase.
        defaults: Whether an ambiguous abbreviation has its default meaning if no context is near. In the
            classification, it may have another one: "PCP" is phencyclidine.
        expand: Whether abbreviations are read in full.
    """
    words: list[str] = []
    for known in read_words(text, defaults=defaults, expand=expand).words:
        if known in ((BOUNDARY,), (UNKNOWN,)):
            return ""
        if known in ((), (MARK,)):
            known = (JOINED,) if words and words[-1] != JOINED else ()
        for word in known:
            if word == JOINED or word not in words:
                words.append(word)
    return " ".join(words[:-1] if words and words[-1] == JOINED else words)


def word_set(words: str) -> frozenset[str]:
    """Return the set of the words of a phrase, which does not depend on their order.

    Words after a negation are marked, because "nausea without vomiting" and "vomiting without nausea"
    are different phrases.
    """
    found = [word for word in words.split(" ") if word != JOINED]
    negation = next((n for n, word in enumerate(found) if word in NEGATIONS), len(found))
    return frozenset(found[: negation + 1]) | {f"{word}!" for word in found[negation + 1 :]}


class Phrase(NamedTuple):
    """A phrase that stands for a code.

    Attributes:
        code: Billable code, after `IF_PAST` if it is that of a procedure. `NO_CODE` if the phrase names
            no condition.
        text: The phrase as a source of phrases spells it.
    """

    code: str
    text: str


def collect_phrases(system: CodeHierarchy) -> dict[str, Phrase]:
    """Return all phrases of a code system by their words.

    No two phrases have the same words. If several codes claim a phrase, the strongest claim wins
    (`PRECEDENCE`, then shortened forms), and equal claims cancel each other. The table of phrases
    overrides all claims. A phrase of several words that names no condition has the code `NO_CODE`, so
    that no part of it is found.
    """
    ordered: dict[frozenset[str], str] = {}
    texts: dict[str, str] = {}

    def key(text: str) -> str:
        words = phrase_words(text, expand=system.traits.has_phrase_table)
        words = ordered.setdefault(word_set(words), words)
        texts.setdefault(words, text)
        return words

    claims = StringClaims(key)
    for string in code_strings(system):
        claims.add(string.text, string.code, PRECEDENCE.index(string.field))
        if system.traits.icd_conventions:
            for form in _wider_forms(string.text, string.code, string.field == "title"):
                claims.add(form, string.code, len(PRECEDENCE))
    billable_code = cache(partial(_billable_code, system))
    phrases: dict[str, str] = {}
    for words, codes in claims:
        code, *others = dict.fromkeys(map(billable_code, codes))
        is_informative = not _UNINFORMATIVE.issuperset(words.split(" "))
        if words and code is not None and not others and is_informative:
            phrases[words] = code
    if system.traits.has_phrase_table:
        removed: set[str] = set()

        def reordered_key(text: str) -> str:
            """Return the words of a phrase of the table, in whose order notes write them."""
            words = phrase_words(text)
            known = ordered.get(word_set(words), words)
            if known != words:
                phrases.pop(known, None)
            ordered[word_set(words)] = words
            texts.setdefault(words, text)
            return words

        for code, written in read_table(PHRASES):
            found = billable_code(code) if code in system else None
            for words in filter(None, map(reordered_key, written.split("; "))):
                if found is not None:
                    phrases[words] = found
                elif code == NO_CODE and " " in words:
                    phrases[words] = NO_CODE
                elif code == NO_CODE:
                    phrases.pop(words, None)
                    removed.add(words)
        for code, written in read_table(PROCEDURES):
            for words in filter(None, map(key, written.split("; "))):
                if code in system:
                    phrases[words] = IF_PAST + code
        for meaning in meanings():
            words = key(meaning.words)
            found = billable_code(meaning.code) if meaning.code in system else None
            if found is not None and words and words not in removed:
                phrases.setdefault(words, found)
    return {words: Phrase(code, texts[words]) for words, code in phrases.items()}


def phrase_rows(system: CodeHierarchy) -> Iterator[tuple[str, str, str]]:
    """Yield the words, the code and the text of each phrase of a code system (`collect_phrases`).

    A file in the cache folder keeps them.
    """
    source = f"{system.source} phrases {PHRASES_VERSION} {tables_sha256()}"
    path = cache_file(system.name, source, "phrases.tsv")
    content = read_sealed(path, source)
    if content is None:
        with paused_garbage_collection():
            collected = collect_phrases(system).items()
        lines = (f"{words}\t{code}\t{' '.join(text.split())}" for words, (code, text) in collected)
        content = "\n".join(lines).encode()
        # If the cache cannot be written, only the next start takes longer.
        with contextlib.suppress(OSError):
            write_sealed(path, content, source)
    # A code system whose titles contain no word has no phrases.
    for line in content.decode().split("\n") if content else []:
        words, code, text = line.split("\t")
        yield words, code, text


def _billable_code(system: CodeHierarchy, code: str) -> str | None:
    """Return the billable code for the phrases of a code. None if they are not used."""
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
    pending = [text]
    while pending:
        form = pending.pop()
        shorter = short_forms(form)
        if _MAY_SHORTEN.search(form):
            shorter += [
                pattern.sub(replacement, form).strip(" ,") for pattern, replacement in _RESTRICTIONS
            ]
        parts = _AND.fullmatch(form) if is_title and not code.startswith(_NO_PARTS) else None
        if parts is not None:
            head = parts["head"] or ""
            shorter += [
                head + part for part in parts.group("one", "other", "word", "second") if part
            ]
        for short in shorter:
            if short and short != text and short not in found:
                found.append(short)
                pending.append(short)
    return found
