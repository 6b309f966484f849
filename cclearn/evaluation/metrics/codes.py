"""Scores of codes: flat, ranked and hierarchical, and by chapter, frequency and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from cclearn.codes import CodeSystem, Kind
from cclearn.evaluation.metrics.labels import Labels, count_by_note, labels_of
from cclearn.evaluation.metrics.score_tables import Array, LabelTable, RatioTable, divide
from cclearn.evaluation.scored_notes import AlignedNotes, ScoredNote

CUTOFFS = (5, 8, 15)
"""Values of k for precision and recall at k, as in the literature (Mullenbach et al. 2018)."""

PREFIXES = (3, 4, 5)
"""Lengths of the prefixes of codes, without the dot, for the prefix scores."""

STRATA = (("head", 100), ("medium", 10), ("tail", 2), ("ultra_tail", 1), ("unseen", 0))
"""Strata of codes by the number of training notes that contain them: at least this number, and fewer
than the stratum before."""


def add_code_scores(table: RatioTable, aligned: AlignedNotes, labels: Labels) -> LabelTable:
    """Add the flat scores of codes.

    Args:
        table: Table to which micro and sample scores and rates are added.
        aligned: The notes.
        labels: Codes of the notes.

    Returns:
        Table of the scores that are means over codes.
    """
    hits, predicted, gold = (count_by_note(m) for m in (labels.hits, labels.predicted, labels.gold))
    table.add_counts("micro", hits, predicted, gold)
    notes = len(gold)
    # A note without gold codes and without predicted codes is correct.
    empty = (gold + predicted == 0).astype(float)
    table.add("sample_precision", _ratio(hits, predicted) + empty, np.ones(notes), 0.0)
    table.add("sample_recall", _ratio(hits, gold) + empty, np.ones(notes), 0.0)
    table.add("sample_f1", _ratio(2 * hits, gold + predicted) + empty, np.ones(notes), 0.0)
    union = gold + predicted - hits
    table.add("jaccard", _ratio(hits, union) + empty, np.ones(notes), 0.0)
    table.add("exact_match", (union == hits).astype(float), np.ones(notes), 0.0)
    table.add("over_coding", predicted, gold)
    _add_ranked(table, aligned, gold)
    _add_supported(table, aligned)
    return LabelTable(labels.hits, labels.predicted, labels.gold)


def _ratio(numerator: Array, denominator: Array) -> Array:
    return divide(numerator, denominator, 0.0)


def _add_ranked(table: RatioTable, aligned: AlignedNotes, gold: Array) -> None:
    """Add precision and recall at k, and mean average precision, which depend on the order of the codes.

    The average precision of a note is the sum of the precisions at the ranks of its correct codes,
    divided by the number of its gold codes. Notes without gold codes count for precision at k only.
    Rejected codes with a score follow the assigned ones, because they have been ranked too.
    """
    ranked = [(*answer.codes, *answer.further) for answer in aligned.predicted]
    correct = [
        np.isin(codes, reference.codes) if codes else np.zeros(0, bool)
        for reference, codes in zip(aligned.gold, ranked, strict=True)
    ]
    for k in CUTOFFS:
        top = np.array([float(hits[:k].sum()) for hits in correct])
        table.add(f"precision_at_{k}", top / k, np.ones(len(correct)), 0.0)
        table.add(f"recall_at_{k}", _ratio(top, gold), gold > 0)
    precision = np.array(
        [float((np.cumsum(r)[r] / (np.flatnonzero(r) + 1)).sum()) for r in correct] or [0.0]
    )[: len(correct)]
    average = _ratio(precision, gold)
    table.add("map", average, gold > 0)
    # The official script of CodiEsp divides by the notes that have a prediction.
    table.add("codiesp_map", average, np.array([float(len(codes) > 0) for codes in ranked]), 0.0)


def _add_supported(table: RatioTable, aligned: AlignedNotes) -> None:
    """Add the recall of gold codes with evidence, and of gold codes without evidence."""
    counts = np.zeros((len(aligned.gold), 4))
    for row, (gold, answer) in enumerate(zip(aligned.gold, aligned.predicted, strict=True)):
        supported = gold.supported
        for code in gold.codes:
            column = 0 if code in supported else 2
            counts[row, column] += code in answer.codes
            counts[row, column + 1] += 1
    table.add("supported_recall", counts[:, 0], counts[:, 1])
    table.add("unsupported_recall", counts[:, 2], counts[:, 3])


def add_hierarchical_scores(table: RatioTable, aligned: AlignedNotes, system: CodeSystem) -> None:
    """Add micro scores of chapters, categories and prefixes, and the prefix overlap.

    A label counts once per note. The prefix overlap is the mean over gold codes of the length of the
    longest prefix that a predicted code of the note shares with the gold code, divided by the length of
    the gold code.
    """
    for name, level in (
        ("chapter", lambda code: chapter_of(system, code)),
        ("category", lambda code: category_of(system, code)),
        *((f"prefix_{n}", lambda code, n=n: code.replace(".", "")[:n]) for n in PREFIXES),
    ):
        labels = labels_of(aligned, level)
        hits, predicted, gold = (
            count_by_note(m) for m in (labels.hits, labels.predicted, labels.gold)
        )
        table.add_counts(name, hits, predicted, gold)
    overlap = [
        sum(_longest_prefix(code, answer) / len(code.replace(".", "")) for code in gold_note.codes)
        for gold_note, answer in zip(aligned.gold, aligned.predicted, strict=True)
    ]
    table.add("prefix_overlap", overlap, [float(len(note.codes)) for note in aligned.gold])


def _longest_prefix(code: str, answer: ScoredNote) -> int:
    bare = code.replace(".", "")
    return max((_shared_prefix(bare, other.replace(".", "")) for other in answer.codes), default=0)


def _shared_prefix(one: str, two: str) -> int:
    length = 0
    for a, b in zip(one, two, strict=False):
        if a != b:
            break
        length += 1
    return length


def chapter_of(system: CodeSystem, code: str) -> str:
    """Return the chapter of a code, or `unknown` if the release does not contain the code."""
    return system.chapter(code) if code in system else "unknown"


def category_of(system: CodeSystem, code: str) -> str:
    """Return the category of a code. If the release does not contain it, return the part before the
    dot."""
    if code not in system:
        return code.partition(".")[0]
    for ancestor in (system.canonical(code), *system.ancestors(code)):
        if system[ancestor].kind == Kind.CATEGORY:
            return ancestor
    return system.canonical(code)


def add_grouped_scores(
    table: RatioTable, labels: Labels, groups: Mapping[str, Sequence[bool]]
) -> None:
    """Add micro scores over groups of codes, which are NaN for a group without codes.

    Args:
        table: Table to which the scores `GROUP/micro_f1` and so on are added.
        labels: Codes of the notes.
        groups: Membership of each label in a group, by the name of the group.
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
    """Return the groups of codes by chapter, for `add_grouped_scores`."""
    chapters = [chapter_of(system, code) for code in labels.names]
    order = sorted(set(chapters), key=lambda name: (not name.isdigit(), name.zfill(3)))
    return {f"chapter/{name}": [chapter == name for chapter in chapters] for name in order}


def frequency_groups(labels: Labels, training: Mapping[str, int]) -> dict[str, list[bool]]:
    """Return the groups of codes by training frequency, for `add_grouped_scores`.

    Args:
        labels: Codes of the notes.
        training: Number of training notes that contain each code. Codes with 0 are the group `unseen`.
    """
    counts = [training.get(code, 0) for code in labels.names]
    groups: dict[str, list[bool]] = {"seen": [count > 0 for count in counts]}
    upper = None
    for name, least in STRATA:
        groups[f"frequency/{name}" if least else name] = [
            count >= least and (upper is None or count < upper) for count in counts
        ]
        upper = least
    return groups


def add_family_recall(
    table: RatioTable,
    aligned: AlignedNotes,
    labels: Labels,
    groups: Mapping[str, Sequence[bool]],
    system: CodeSystem,
) -> None:
    """Add the share of the gold codes of groups of which a code of the same category was predicted.

    Args:
        table: Table to which the scores `GROUP/family_recall` are added, NaN for a group without codes.
        aligned: The notes.
        labels: Codes of the notes.
        groups: Membership of each label in a group, by the name of the group.
        system: Code system that provides the categories.
    """
    families = {code: category_of(system, code) for code in labels.names}
    members = dict(zip(labels.names, np.array(list(groups.values()), float).T, strict=True))
    found = np.zeros((len(aligned.gold), len(groups)))
    wanted = np.zeros_like(found)
    for number, (gold, predicted) in enumerate(zip(aligned.gold, aligned.predicted, strict=True)):
        near = {families[code] for code in predicted.codes}
        for code in gold.codes:
            wanted[number] += members[code]
            if families[code] in near:
                found[number] += members[code]
    for number, name in enumerate(groups):
        table.add(f"{name}/family_recall", found[:, number], wanted[:, number])
