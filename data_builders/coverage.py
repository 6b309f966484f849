"""How much of a code system a data set covers: distinct strings a code, by chapter."""

from __future__ import annotations

import hashlib
from array import array
from collections import Counter
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key

BUCKETS = ("0", "1", "2–4", "5–9", "≥ 10")
"""Distinct strings of a code."""

_STARTS = (0, 1, 2, 5, 10)

MOST_GROUPS = 40
"""A system with more chapters (a user's flat table) is shown as a whole alone."""


def string_hash(text: str) -> int:
    """Return a 64-bit hash of a string, which ignores case and white space.

    Python's own hash differs from one process to the next, and a collision would change the counts.
    """
    digest = hashlib.blake2b(string_key(text).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little", signed=True)


class Coverage:
    """Counts the distinct strings of each code, case and blanks aside, eight bytes a string."""

    def __init__(self) -> None:
        self._strings: dict[str, array[int]] = {}

    def add(self, code: str, text: str) -> None:
        """Count a string of a code."""
        hashes = self._strings.get(code)
        if hashes is None:
            hashes = self._strings[code] = array("q")
        hashes.append(string_hash(text))

    def shared(self) -> set[int]:
        """Return the hashes of the strings that stand for more than one code."""
        import numpy as np

        own = [np.unique(np.frombuffer(hashes, np.int64)) for hashes in self._strings.values()]
        if not own:
            return set()
        hashes, counts = np.unique(np.concatenate(own), return_counts=True)
        return set(hashes[counts > 1].tolist())

    def remove(self, code: str, text: str) -> None:
        """Take a string of a code back."""
        self._strings[code].remove(string_hash(text))

    @property
    def codes(self) -> int:
        """How many codes have a string."""
        return sum(len(hashes) > 0 for hashes in self._strings.values())

    def distinct(self, code: str) -> int:
        """Return how many strings a code has."""
        return len(set(self._strings.get(code, ())))

    def table(self, system: CodeSystem) -> dict[str, dict[str, int]]:
        """Count the billable codes of each chapter by their distinct strings.

        Returns:
            By chapter, those alone of which some code has a string, and `all`: by bucket, the codes.
        """
        table: dict[str, Counter[str]] = {}
        every: Counter[str] = Counter()
        for code in system.billable_codes():
            bucket = _bucket(self.distinct(code))
            every[bucket] += 1
            table.setdefault(system.chapter(code), Counter())[bucket] += 1
        shown = {name: counts for name, counts in table.items() if set(counts) != {BUCKETS[0]}}
        if len(table) > MOST_GROUPS:
            shown = {}
        return {
            name: {bucket: counts[bucket] for bucket in BUCKETS}
            for name, counts in {**shown, "all": every}.items()
        }


def _bucket(count: int) -> str:
    return next(
        b for b, start in reversed(list(zip(BUCKETS, _STARTS, strict=True))) if count >= start
    )


def markdown(table: dict[str, dict[str, int]], system: CodeSystem) -> str:
    """Write the table for a dataset card."""
    lines = [
        "| chapter | " + " | ".join(BUCKETS) + " |",
        "| --- |" + " ---: |" * len(BUCKETS),
    ]
    for name, counts in table.items():
        title = "**all**" if name == "all" else f"{name} {system.description(name)}"
        lines.append(f"| {title} | " + " | ".join(f"{counts[b]:,}" for b in BUCKETS) + " |")
    return "\n".join(lines)


def plot(table: dict[str, dict[str, int]], path: Path) -> None:
    """Draw the shares of the buckets, a bar a chapter, as a PNG file."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(reversed(table))
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    left = [0.0] * len(names)
    # Light to dark, so that it reads in print.
    greys = ("#e0e0e0", "#c6dbef", "#9ecae1", "#4292c6", "#08519c")
    for bucket, colour in zip(BUCKETS, greys, strict=True):
        widths = [100 * table[n][bucket] / max(sum(table[n].values()), 1) for n in names]
        axes.barh(names, widths, left=left, color=colour, label=bucket)
        left = [done + width for done, width in zip(left, widths, strict=True)]
    axes.set_xlim(0, 100)
    axes.set_xlabel("billable codes, %, by distinct strings")
    axes.set_ylabel("chapter")
    axes.legend(ncols=len(BUCKETS), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    figure.savefig(path, dpi=120, metadata={"Software": None})
