"""Scores of evidence: MDACE's four, overlap, match classes, and the official ones of CodiEsp-X."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable

import numpy as np

from cclearn.evaluation.metrics.tables import RatioTable
from cclearn.evaluation.scored_notes import Aligned, Facts, Span

_TOKEN = re.compile(r"\w+")
_LARGEST_NUMBER = 10
"""Numbers above are no tokens, as in MDACE's own code."""

_MOST_DIGITS = 100

PROXIMATE = 10
"""Tokens around gold evidence within which predicted tokens are proximate (Beckh et al. 2025)."""

CODIESP_TOLERANCE = 10
"""Characters by which predicted evidence may reach over the gold's on each side (CodiEsp-X)."""

CLASSES = ("exact", "proximate", "partial", "none", "empty")


def add_evidence_scores(table: RatioTable, aligned: Aligned) -> None:
    """Add the scores of evidence.

    `span`, `span_anywhere`, `token` and `token_anywhere` are MDACE's four (Cheng et al. 2023): sets
    of (begin, end, code), of (words, code), of (token, its place, code) and of (token, code) of each
    note, micro over notes. `evidence_iou` is the mean intersection over union of the characters that
    gold and prediction cite for a code, over the codes for which both do. `evidence_overlap_recall` is
    the share of gold spans that a predicted span of the same code overlaps. `evidence_empty` is the
    share of predicted codes without evidence.
    """
    for name, key in _KEYS.items():
        counts = np.array(
            [_compare(_keys(g, key), _keys(p, key)) for g, p in _pairs(aligned)], float
        )
        table.add_counts(f"evidence_{name}", counts[:, 0], counts[:, 1], counts[:, 2])
    overlap = np.array([_overlap(g, p) for g, p in _pairs(aligned)], float)
    table.add("evidence_iou", overlap[:, 0], overlap[:, 1])
    table.add("evidence_overlap_recall", overlap[:, 2], overlap[:, 3])
    predicted = [float(len(facts.codes)) for facts in aligned.predicted]
    bare = [float(len(set(f.codes) - f.supported)) for f in aligned.predicted]
    table.add("evidence_empty", bare, predicted)
    classes = [_classes(g, p) for g, p in _pairs(aligned)]
    judged = [float(sum(counter.values())) for counter in classes]
    for name in CLASSES:
        table.add(f"evidence_class_{name}", [float(counter[name]) for counter in classes], judged)
    official = np.array([_codiesp(g, p) for g, p in _pairs(aligned)], float)
    table.add_counts("codiesp_x", official[:, 0], official[:, 1], official[:, 2])


def _pairs(aligned: Aligned) -> Iterable[tuple[Facts, Facts]]:
    return zip(aligned.gold, aligned.predicted, strict=True)


def _tokens(span: Span) -> Iterable[tuple[int, str]]:
    """Yield the tokens of a span with their place in the note."""
    for match in _TOKEN.finditer(span.text):
        word = match[0]
        if not _is_large(word):
            yield span.start + match.start(), word


def _is_large(word: str) -> bool:
    # Not `isdigit`: a superscript is a digit, and no number that can be read.
    return word.isdecimal() and (len(word) > _MOST_DIGITS or int(word) > _LARGEST_NUMBER)


_KEYS: dict[str, Callable[[Span], Iterable[Hashable]]] = {
    "span": lambda span: [(span.start, span.end, span.code)],
    "span_anywhere": lambda span: [(span.text, span.code)],
    "token": lambda span: [(place, word, span.code) for place, word in _tokens(span)],
    "token_anywhere": lambda span: [(word, span.code) for _, word in _tokens(span)],
}


def _keys(facts: Facts, key: Callable[[Span], Iterable[Hashable]]) -> set[Hashable]:
    return {each for span in facts.spans for each in key(span)}


def _compare(gold: set[Hashable], predicted: set[Hashable]) -> tuple[int, int, int]:
    return len(gold & predicted), len(predicted), len(gold)


def _by_code(facts: Facts) -> dict[str, list[Span]]:
    spans: dict[str, list[Span]] = {}
    for span in facts.spans:
        spans.setdefault(span.code, []).append(span)
    return spans


def _characters(spans: Iterable[Span]) -> set[int]:
    return {place for span in spans for place in range(span.start, span.end)}


def _overlap(gold: Facts, predicted: Facts) -> tuple[float, int, int, int]:
    """Return the sum of IoU, over how many codes, the gold spans that are met, and all of them."""
    right, found = _by_code(gold), _by_code(predicted)
    iou = 0.0
    both = right.keys() & found.keys()
    for code in sorted(both):
        one, two = _characters(right[code]), _characters(found[code])
        iou += len(one & two) / len(one | two)
    met = sum(
        any(span.start < other.end and other.start < span.end for other in found.get(code, ()))
        for code, spans in right.items()
        for span in spans
    )
    return iou, len(both), met, len(gold.spans)


def _classes(gold: Facts, predicted: Facts) -> Counter[str]:
    """Count the match class of every code that both have and for which the gold has evidence.

    See `match_class`.
    """
    counts: Counter[str] = Counter()
    right, found = _by_code(gold), _by_code(predicted)
    for code in predicted.codes:
        if code in right:
            counts[match_class(_places(right[code]), _places(found.get(code, [])))] += 1
    return counts


def _places(spans: Iterable[Span]) -> set[int]:
    return {place for span in spans for place in range(span.first_token, span.end_token)}


def match_class(gold: set[int], predicted: set[int]) -> str:
    """Return the match class of the tokens cited for one code (Beckh et al. 2025).

    `exact` where both cite the same tokens; `proximate` where every run of gold tokens is met and no
    predicted token lies more than ten tokens away from one; `partial` where they share a token;
    else `none`; `empty` where the prediction cites nothing.

    Args:
        gold: The places of the tokens in the note.
        predicted: Likewise.
    """
    if not predicted:
        return "empty"
    if gold == predicted:
        return "exact"
    if not gold & predicted:
        return "none"
    runs = _runs(gold)
    met = all(any(first <= place <= last for place in predicted) for first, last in runs)
    near = all(
        any(first - PROXIMATE <= place <= last + PROXIMATE for first, last in runs)
        for place in predicted
    )
    return "proximate" if met and near else "partial"


def _runs(places: set[int]) -> list[tuple[int, int]]:
    """Return the first and last of each run of places without a gap."""
    runs: list[tuple[int, int]] = []
    for place in sorted(places):
        if runs and place == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], place)
        else:
            runs.append((place, place))
    return runs


def _codiesp(gold: Facts, predicted: Facts) -> tuple[int, int, int]:
    """Count codes as the official script does.

    A code is right where some predicted evidence holds some gold evidence of it and reaches at most ten
    characters further on each side; each code counts once a note.
    """
    right, found = _by_code(gold), _by_code(predicted)
    hits = sum(
        any(
            0 <= span.start - other.start <= CODIESP_TOLERANCE
            and 0 <= other.end - span.end <= CODIESP_TOLERANCE
            for span in spans
            for other in found.get(code, ())
        )
        for code, spans in right.items()
    )
    return hits, len(found), len(right)
