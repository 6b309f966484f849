"""Scores of evidence: those of MDACE, overlap, match classes, and the official scores of CodiEsp-X."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Hashable, Iterable

import numpy as np

from cclearn.evaluation.metrics.score_tables import RatioTable
from cclearn.evaluation.scored_notes import AlignedNotes, LabelledSpan, ScoredNote

_TOKEN = re.compile(r"\w+")
_LARGEST_NUMBER = 10
"""Larger numbers are not tokens, as in the code of MDACE."""

_MOST_DIGITS = 100

PROXIMATE = 10
"""Maximum distance of a predicted token from gold evidence in a proximate match (Beckh et al. 2025)."""

CODIESP_TOLERANCE = 10
"""Characters by which predicted evidence may exceed gold evidence on each side (CodiEsp-X)."""

CLASSES = ("exact", "proximate", "partial", "none", "empty")


def add_evidence_scores(table: RatioTable, aligned: AlignedNotes) -> None:
    """Add the scores of evidence.

    `span`, `span_anywhere`, `token` and `token_anywhere` are the four scores of MDACE (Cheng et al.
    2023): micro scores over the sets of (start, end, code), of (text, code), of (token, offset, code)
    and of (token, code) of each note. `evidence_iou` is the mean intersection over union of the
    characters that gold and prediction cite for a code, over the codes for which both do.
    `evidence_overlap_recall` is the share of gold spans that a predicted span of the same code overlaps.
    `evidence_empty` is the share of predicted codes without evidence.
    """
    for name, key in _KEYS.items():
        counts = np.array(
            [_compare(_keys(g, key), _keys(p, key)) for g, p in _pairs(aligned)], float
        )
        table.add_counts(f"evidence_{name}", counts[:, 0], counts[:, 1], counts[:, 2])
    overlap = np.array([_overlap(g, p) for g, p in _pairs(aligned)], float)
    table.add("evidence_iou", overlap[:, 0], overlap[:, 1])
    table.add("evidence_overlap_recall", overlap[:, 2], overlap[:, 3])
    predicted = [float(len(note.codes)) for note in aligned.predicted]
    bare = [float(len(set(f.codes) - f.supported)) for f in aligned.predicted]
    table.add("evidence_empty", bare, predicted)
    classes = [_classes(g, p) for g, p in _pairs(aligned)]
    judged = [float(sum(counter.values())) for counter in classes]
    for name in CLASSES:
        table.add(f"evidence_class_{name}", [float(counter[name]) for counter in classes], judged)
    official = np.array([_codiesp(g, p) for g, p in _pairs(aligned)], float)
    table.add_counts("codiesp_x", official[:, 0], official[:, 1], official[:, 2])


def _pairs(aligned: AlignedNotes) -> Iterable[tuple[ScoredNote, ScoredNote]]:
    return zip(aligned.gold, aligned.predicted, strict=True)


def _tokens(span: LabelledSpan) -> Iterable[tuple[int, str]]:
    """Yield the tokens of a span with their offsets in the note."""
    for match in _TOKEN.finditer(span.text):
        word = match[0]
        if not _is_large(word):
            yield span.start + match.start(), word


def _is_large(word: str) -> bool:
    # Not `isdigit`: a superscript is a digit, but `int` cannot read it.
    return word.isdecimal() and (len(word) > _MOST_DIGITS or int(word) > _LARGEST_NUMBER)


_KEYS: dict[str, Callable[[LabelledSpan], Iterable[Hashable]]] = {
    "span": lambda span: [(span.start, span.end, span.code)],
    "span_anywhere": lambda span: [(span.text, span.code)],
    "token": lambda span: [(offset, word, span.code) for offset, word in _tokens(span)],
    "token_anywhere": lambda span: [(word, span.code) for _, word in _tokens(span)],
}


def _keys(note: ScoredNote, key: Callable[[LabelledSpan], Iterable[Hashable]]) -> set[Hashable]:
    return {item for span in note.spans for item in key(span)}


def _compare(gold: set[Hashable], predicted: set[Hashable]) -> tuple[int, int, int]:
    return len(gold & predicted), len(predicted), len(gold)


def _by_code(note: ScoredNote) -> dict[str, list[LabelledSpan]]:
    spans: dict[str, list[LabelledSpan]] = {}
    for span in note.spans:
        spans.setdefault(span.code, []).append(span)
    return spans


def _characters(spans: Iterable[LabelledSpan]) -> set[int]:
    return {offset for span in spans for offset in range(span.start, span.end)}


def _overlap(gold: ScoredNote, predicted: ScoredNote) -> tuple[float, int, int, int]:
    """Return the sum of IoU over codes, the number of codes, of gold spans that a predicted span
    overlaps, and of gold spans."""
    gold_spans, found = _by_code(gold), _by_code(predicted)
    iou = 0.0
    both = gold_spans.keys() & found.keys()
    for code in sorted(both):
        one, two = _characters(gold_spans[code]), _characters(found[code])
        iou += len(one & two) / len(one | two)
    overlapped = sum(
        any(span.start < other.end and other.start < span.end for other in found.get(code, ()))
        for code, spans in gold_spans.items()
        for span in spans
    )
    return iou, len(both), overlapped, len(gold.spans)


def _classes(gold: ScoredNote, predicted: ScoredNote) -> Counter[str]:
    """Count the match classes of the predicted codes for which the gold has evidence (`match_class`)."""
    counts: Counter[str] = Counter()
    gold_spans, found = _by_code(gold), _by_code(predicted)
    for code in predicted.codes:
        if code in gold_spans:
            tokens = _token_indices(gold_spans[code]), _token_indices(found.get(code, []))
            counts[match_class(*tokens)] += 1
    return counts


def _token_indices(spans: Iterable[LabelledSpan]) -> set[int]:
    return {index for span in spans for index in range(span.first_token, span.end_token)}


def match_class(gold: set[int], predicted: set[int]) -> str:
    """Return the match class of the tokens cited for one code (Beckh et al. 2025).

    A match is `exact` if both cite the same tokens. It is `proximate` if every run of gold tokens
    contains a predicted token, and no predicted token is more than ten tokens away from a run. It is
    `partial` if they share a token. Otherwise it is `none`, or `empty` if the prediction cites no token.

    Args:
        gold: Indices of the gold tokens in the note.
        predicted: Indices of the predicted tokens in the note.
    """
    if not predicted:
        return "empty"
    if gold == predicted:
        return "exact"
    if not gold & predicted:
        return "none"
    runs = _runs(gold)
    covered = all(any(first <= index <= last for index in predicted) for first, last in runs)
    near = all(
        any(first - PROXIMATE <= index <= last + PROXIMATE for first, last in runs)
        for index in predicted
    )
    return "proximate" if covered and near else "partial"


def _runs(indices: set[int]) -> list[tuple[int, int]]:
    """Return the first and the last index of each run of consecutive indices."""
    runs: list[tuple[int, int]] = []
    for index in sorted(indices):
        if runs and index == runs[-1][1] + 1:
            runs[-1] = (runs[-1][0], index)
        else:
            runs.append((index, index))
    return runs


def _codiesp(gold: ScoredNote, predicted: ScoredNote) -> tuple[int, int, int]:
    """Return the numbers of correct, predicted and gold codes, as the official script counts them.

    A code is correct if predicted evidence contains gold evidence of the code and exceeds it by at most
    ten characters on each side. A code counts once per note.
    """
    gold_spans, found = _by_code(gold), _by_code(predicted)
    hits = sum(
        any(
            0 <= span.start - other.start <= CODIESP_TOLERANCE
            and 0 <= other.end - span.end <= CODIESP_TOLERANCE
            for span in spans
            for other in found.get(code, ())
        )
        for code, spans in gold_spans.items()
    )
    return hits, len(found), len(gold_spans)
