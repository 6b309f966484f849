"""Scores of codes: flat, ranked, hierarchical, by chapter, frequency and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cclearn.codes import CodeSystem, Kind
from cclearn.evaluation.metrics.labels import Labels, by_note, labels_of
from cclearn.evaluation.metrics.tables import Array, LabelTable, RatioTable, divide
from cclearn.evaluation.scored_notes import Aligned, Facts

CUTOFFS = (5, 8, 15)
"""The k of precision and recall at k, as the literature has it (Mullenbach et al. 2018)."""

PREFIXES = (3, 4, 5)
"""Characters, the dot not counted, to which codes are cut for the prefix scores."""

STRATA = (("head", 100), ("medium", 10), ("tail", 2), ("ultra_tail", 1), ("unseen", 0))
"""Codes by the training notes that hold them: at least so many, and fewer than the stratum before."""


def add_code_scores(table: RatioTable, aligned: Aligned, labels: Labels) -> LabelTable:
    """Add the flat scores of codes.

    Args:
        table: Gets micro and sample scores and rates.
        aligned: The notes.
        labels: Their codes.

    Returns:
        The table of the scores that are means over codes.
    """
    hits, predicted, gold = (by_note(m) for m in (labels.hits, labels.predicted, labels.gold))
    table.add_counts("micro", hits, predicted, gold)
    notes = len(gold)
    # A note without codes that is given none is right.
    empty = (gold + predicted == 0).astype(float)
    table.add("sample_precision", _each(hits, predicted) + empty, np.ones(notes), 0.0)
    table.add("sample_recall", _each(hits, gold) + empty, np.ones(notes), 0.0)
    table.add("sample_f1", _each(2 * hits, gold + predicted) + empty, np.ones(notes), 0.0)
    union = gold + predicted - hits
    table.add("jaccard", _each(hits, union) + empty, np.ones(notes), 0.0)
    table.add("exact_match", (union == hits).astype(float), np.ones(notes), 0.0)
    table.add("over_coding", predicted, gold)
    _add_ranked(table, aligned, gold)
    _add_supported(table, aligned)
    return LabelTable(labels.hits, labels.predicted, labels.gold)


def _each(part: Array, whole: Array) -> Array:
    return divide(part, whole, 0.0)


def _add_ranked(table: RatioTable, aligned: Aligned, gold: Array) -> None:
    """Add precision and recall at k and mean average precision, over the order of the codes.

    AP = sum over the ranks of right codes of precision at that rank, divided by the gold's codes. Notes
    without gold codes are left out, but for precision at k.
    """
    found = [
        np.isin(answer.codes, reference.codes) if answer.codes else np.zeros(0, bool)
        for reference, answer in zip(aligned.gold, aligned.predicted, strict=True)
    ]
    for k in CUTOFFS:
        top = np.array([float(right[:k].sum()) for right in found])
        table.add(f"precision_at_{k}", top / k, np.ones(len(found)), 0.0)
        table.add(f"recall_at_{k}", _each(top, gold), gold > 0)
    precision = np.array(
        [float((np.cumsum(r)[r] / (np.flatnonzero(r) + 1)).sum()) for r in found] or [0.0]
    )[: len(found)]
    average = _each(precision, gold)
    table.add("map", average, gold > 0)
    # The official script of CodiEsp divides by the notes that have a prediction.
    table.add("codiesp_map", average, np.array([float(len(right) > 0) for right in found]), 0.0)


def _add_supported(table: RatioTable, aligned: Aligned) -> None:
    """Add the recall of gold codes with evidence and of those without."""
    counts = np.zeros((len(aligned.gold), 4))
    for row, (gold, answer) in enumerate(zip(aligned.gold, aligned.predicted, strict=True)):
        supported = gold.supported
        for code in gold.codes:
            side = 0 if code in supported else 2
            counts[row, side] += code in answer.codes
            counts[row, side + 1] += 1
    table.add("supported_recall", counts[:, 0], counts[:, 1])
    table.add("unsupported_recall", counts[:, 2], counts[:, 3])


def add_hierarchical_scores(table: RatioTable, aligned: Aligned, system: CodeSystem) -> None:
    """Add micro scores of chapters, categories and prefixes, and the prefix overlap.

    A set of labels counts each once a note. The prefix overlap is the mean, over gold codes, of the
    longest beginning that a predicted code of the note shares with it, as a share of its characters.
    """
    for name, level in (
        ("chapter", lambda code: chapter_of(system, code)),
        ("category", lambda code: category_of(system, code)),
        *((f"prefix_{n}", lambda code, n=n: code.replace(".", "")[:n]) for n in PREFIXES),
    ):
        labels = labels_of(aligned, level)
        hits, predicted, gold = (by_note(m) for m in (labels.hits, labels.predicted, labels.gold))
        table.add_counts(name, hits, predicted, gold)
    overlap = [
        sum(_longest_shared(code, answer) / len(code.replace(".", "")) for code in right.codes)
        for right, answer in zip(aligned.gold, aligned.predicted, strict=True)
    ]
    table.add("prefix_overlap", overlap, [float(len(facts.codes)) for facts in aligned.gold])


def _longest_shared(code: str, answer: Facts) -> int:
    bare = code.replace(".", "")
    return max((_shared(bare, other.replace(".", "")) for other in answer.codes), default=0)


def _shared(one: str, two: str) -> int:
    length = 0
    for a, b in zip(one, two, strict=False):
        if a != b:
            break
        length += 1
    return length


def chapter_of(system: CodeSystem, code: str) -> str:
    """Return the chapter of a code, `unknown` where the release does not hold it."""
    return system.chapter(code) if code in system else "unknown"


def category_of(system: CodeSystem, code: str) -> str:
    """Return the category of a code; where the release does not hold it, what stands before its dot."""
    if code not in system:
        return code.partition(".")[0]
    for above in (system.canonical(code), *system.ancestors(code)):
        if system[above].kind == Kind.CATEGORY:
            return above
    return system.canonical(code)


def add_grouped_scores(
    table: RatioTable, labels: Labels, groups: Mapping[str, Sequence[bool]]
) -> None:
    """Add micro scores over groups of codes; NaN where a group has none.

    Args:
        table: Gets the scores, `GROUP/micro_f1` and so on.
        labels: The codes.
        groups: By name, whether each label belongs to it.
    """
    if not groups:
        return
    members = np.array(list(groups.values()), float).T
    hits, predicted, gold = (
        np.asarray(matrix @ members) for matrix in (labels.hits, labels.predicted, labels.gold)
    )
    for number, name in enumerate(groups):
        counts = hits[:, number], predicted[:, number], gold[:, number]
        table.add_counts(f"{name}/micro", *counts, undefined=np.nan)


def chapter_groups(labels: Labels, system: CodeSystem) -> dict[str, list[bool]]:
    """Group codes by chapter."""
    chapters = [chapter_of(system, code) for code in labels.names]
    order = sorted(set(chapters), key=lambda name: (not name.isdigit(), name.zfill(3)))
    return {f"chapter/{name}": [chapter == name for chapter in chapters] for name in order}


def frequency_groups(labels: Labels, training: Mapping[str, int]) -> dict[str, list[bool]]:
    """Group codes by how many training notes hold them; those that none holds are also `unseen`.

    Args:
        labels: The codes.
        training: By code, how many training notes hold it.
    """
    counts = [training.get(code, 0) for code in labels.names]
    groups: dict[str, list[bool]] = {"seen": [count > 0 for count in counts]}
    above = None
    for name, least in STRATA:
        groups[f"frequency/{name}" if least else name] = [
            count >= least and (above is None or count < above) for count in counts
        ]
        above = least
    return groups
