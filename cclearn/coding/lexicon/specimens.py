"""Codes of the headers of pathology reports: `Prostate, needle biopsy: adenocarcinoma`."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence

from cclearn.coding.lexicon.replacements import PhraseMatch, Replacement, replaced

_SPECIMEN = re.compile(
    r"(?im)^(?:[ \t]*(?:[A-Z]|\d{1,2})[.):] ?)?[ \t]*(?P<site>[A-Z][A-Z ,/-]{2,60})[,:]? "
    r"(?:[a-z-]+ ){0,3}(?:biops(?:y|ies)|bx|excision|resection|polypectomy|wedge|lobectomy|turbt|turp"
    r"|core|fna|punch|shave|mastectomy|lumpectomy|hysterectomy|colectomy|nephrectomy|prostatectomy)\b"
    r"[^:\n]{0,40}:[ \t]*\n?[ \t]*(?:[-–*] ?)?(?P<diagnosis>[^.;,:\n(]{4,80}?)[ \t]*(?=[.;,:\n(]|\Z)"
)
_OTHERWISE = re.compile(r"(?i)\b(?:negative|no|not|without|suspicious|metasta\w*)\b")
"""Matches diagnoses that a site must not be added to: negated, uncertain or secondary ones."""

_NEOPLASM = re.compile(r"C|D[0-4]")
"""Matches the beginning of the codes of neoplasms, which need the site that the header names."""


def with_specimens(
    text: str, matches: Sequence[PhraseMatch], read: Callable[[str], list[PhraseMatch]]
) -> list[PhraseMatch]:
    """Return the phrases of a note, in which neoplasms of specimens have the code of their site.

    The diagnosis is read together with the site. A header is left as it is if that gives no code, or
    the code of anything but a neoplasm.

    Args:
        text: Text of the note.
        matches: Phrases of the note.
        read: Function that returns the phrases of a text.
    """
    return replaced(matches, _replacements(text, read)) if ":" in text else list(matches)


def _replacements(text: str, read: Callable[[str], list[PhraseMatch]]) -> Iterator[Replacement]:
    for specimen in _SPECIMEN.finditer(text):
        start, end = specimen.span("diagnosis")
        if _OTHERWISE.search(text, start, end) is not None:
            continue
        site = " ".join(re.split(r"[ ,/]+", specimen["site"].strip()))
        codes = {code for _, _, code in read(f"{specimen['diagnosis']} of {site}")}
        if len(codes) == 1 and _NEOPLASM.match(code := codes.pop()):
            yield Replacement(start, end, [(start, end, code)])
