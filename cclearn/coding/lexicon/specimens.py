"""Codes of the headers of pathology reports: `Prostate, needle biopsy: adenocarcinoma`."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

_Match = tuple[int, int, str]
"""The offsets and the code of a phrase."""

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
    text: str, matches: Sequence[_Match], read: Callable[[str], list[_Match]]
) -> list[_Match]:
    """Return the phrases of a note, in which neoplasms of specimens have the code of their site.

    The diagnosis is read together with the site. A header is left as it is if that gives no code, or
    the code of anything but a neoplasm.

    Args:
        text: Text of the note.
        matches: Phrases of the note.
        read: Function that returns the phrases of a text.
    """
    found = list(matches)
    for specimen in _SPECIMEN.finditer(text) if ":" in text else ():
        start, end = specimen.span("diagnosis")
        if _OTHERWISE.search(text, start, end) is not None:
            continue
        site = " ".join(re.split(r"[ ,/]+", specimen["site"].strip()))
        codes = {code for _, _, code in read(f"{specimen['diagnosis']} of {site}")}
        within = [match for match in found if match[0] < end and start < match[1]]
        is_inside = all(start <= match[0] and match[1] <= end for match in within)
        if len(codes) == 1 and is_inside and _NEOPLASM.match(code := codes.pop()):
            found = [match for match in found if match not in within]
            found.append((start, end, code))
    return sorted(found)
