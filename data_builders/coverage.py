"""Coverage of a code system by a data set: the number of distinct strings for each code, by chapter."""

from __future__ import annotations

import hashlib
from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from pathlib import Path

from cclearn.codes import CodeSystem
from cclearn.codes.strings import string_key

BUCKETS = ("0", "1", "2–4", "5–9", "≥ 10")
"""Names of the buckets, which are ranges of the number of distinct strings for a code."""

_STARTS = (0, 1, 2, 5, 10)

MAX_CHAPTERS = 40
"""If there are more chapters, none is listed. A flat table of a user may have very many."""


def string_hash(text: str) -> int:
    """Return a 64-bit hash of a string that ignores case and white space.

    Python's `hash` is not used, because it differs between processes, so that a rare collision would
    change the counts of one of them.
    """
    digest = hashlib.blake2b(string_key(text).encode("utf-8", "surrogatepass"), digest_size=8)
    return int.from_bytes(digest.digest(), "little", signed=True)


class Coverage:
    """Counts the distinct strings of each code. Case and white space are ignored.

    A string takes 8 bytes of memory.
    """

    def __init__(self) -> None:
        self._strings: dict[str, array[int]] = {}

    def add(self, code: str, text: str) -> None:
        """Add a string of a code."""
        hashes = self._strings.get(code)
        if hashes is None:
            hashes = self._strings[code] = array("q")
        hashes.append(string_hash(text))

    def shared(self) -> set[int]:
        """Return the hashes of the strings that have more than one code."""
        import numpy as np

        by_code = [np.unique(np.frombuffer(hashes, np.int64)) for hashes in self._strings.values()]
        if not by_code:
            return set()
        hashes, counts = np.unique(np.concatenate(by_code), return_counts=True)
        return set(hashes[counts > 1].tolist())

    def remove(self, code: str, text: str) -> None:
        """Remove a string of a code."""
        self._strings[code].remove(string_hash(text))

    @property
    def codes(self) -> int:
        """Return the number of codes that have a string."""
        return sum(len(hashes) > 0 for hashes in self._strings.values())

    def distinct(self, code: str) -> int:
        """Return the number of distinct strings of a code."""
        return len(set(self._strings.get(code, ())))

    def table(self, system: CodeSystem) -> dict[str, dict[str, int]]:
        """Count the billable codes of each chapter by their distinct strings.

        Returns:
            Number of codes by bucket, for each chapter with a string and for `all` codes.
        """
        table: defaultdict[str, Counter[str]] = defaultdict(Counter)
        total: Counter[str] = Counter()
        for code in system.billable_codes():
            bucket = _bucket(self.distinct(code))
            total[bucket] += 1
            table[system.chapter(code)][bucket] += 1
        shown = {name: counts for name, counts in table.items() if set(counts) != {BUCKETS[0]}}
        if len(table) > MAX_CHAPTERS:
            shown = {}
        return {
            name: {bucket: counts[bucket] for bucket in BUCKETS}
            for name, counts in {**shown, "all": total}.items()
        }


def _bucket(count: int) -> str:
    return BUCKETS[bisect_right(_STARTS, count) - 1]


def markdown(table: dict[str, dict[str, int]], system: CodeSystem) -> str:
    """Return the table in Markdown for the data card."""
    lines = [
        "| chapter | " + " | ".join(BUCKETS) + " |",
        "| --- |" + " ---: |" * len(BUCKETS),
    ]
    for name, counts in table.items():
        title = "**all**" if name == "all" else f"{name} {system.description(name)}"
        lines.append(f"| {title} | " + " | ".join(f"{counts[b]:,}" for b in BUCKETS) + " |")
    return "\n".join(lines)


def plot(table: dict[str, dict[str, int]], path: Path) -> None:
    """Write a PNG file with one bar per chapter, which shows the shares of the buckets."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    names = list(reversed(table))
    figure = Figure(figsize=(7, 1.2 + 0.25 * len(names)), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    left = [0.0] * len(names)
    # The colours go from light to dark, so that they differ in print.
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
