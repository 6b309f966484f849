"""The scores of the rare-code experiment, and their tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from cclearn.evaluation import Comparison

SCORES = {
    "micro_f1": "micro F1",
    "macro_f1": "macro F1",
    "category_f1": "micro F1 of categories",
    "frequency/head/micro_f1": "F1, 100 notes and more",
    "frequency/medium/micro_f1": "F1, 10–99 notes",
    "frequency/tail/micro_f1": "F1, 2–9 notes",
    "frequency/ultra_tail/micro_f1": "F1, 1 note",
    "unseen/micro_f1": "F1, no note",
    "frequency/head/family_recall": "family found, 100 notes and more",
    "frequency/medium/family_recall": "family found, 10–99 notes",
    "frequency/tail/family_recall": "family found, 2–9 notes",
    "frequency/ultra_tail/family_recall": "family found, 1 note",
    "unseen/family_recall": "family found, no note",
}
"""Scores of the tables, and their headings. The notes of a code are those of the training."""

ORIGINAL = "original"


def describe(comparison: Comparison) -> dict[str, Any]:
    """Return the scores of the arms, and the paired differences to the original notes."""
    return {
        "scores": {
            arm: {name: asdict(found.scores[name]) for name in SCORES if name in found.scores}
            for arm, found in comparison.evaluations.items()
        },
        "differences": {
            arm: {name: asdict(found[name]) for name in SCORES if name in found}
            for (arm, other), found in comparison.differences.items()
            if other == ORIGINAL
        },
    }


def markdown(results: Mapping[str, Any]) -> str:
    """Return the tables of the results: one for each baseline and seed."""
    lines: list[str] = []
    for name, seeds in results["results"].items():
        for seed, found in seeds.items():
            arms = sorted(found["scores"], key=lambda arm: arm != ORIGINAL)
            lines += [f"## {name}, seed {seed}", ""]
            lines.append(f"| score | {' | '.join(arms)} |")
            lines.append(f"| --- |{' --- |' * len(arms)}")
            lines += [_row(score, title, found, arms) for score, title in SCORES.items()]
            lines.append("")
    return "\n".join(lines)


def _row(score: str, title: str, found: Mapping[str, Any], arms: list[str]) -> str:
    cells = []
    for arm in arms:
        own = found["scores"][arm].get(score, {})
        value = own.get("value")
        text = "–" if value is None else f"{value:.3f}"
        difference = found["differences"].get(arm, {}).get(score, {})
        if difference.get("low") is not None:
            text += f" ({difference['low']:+.3f} to {difference['high']:+.3f})"
        cells.append(text)
    return f"| {title} | {' | '.join(cells)} |"
