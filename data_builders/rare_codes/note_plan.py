"""The plan of a build: which notes are written, and what has become of them."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue

from cclearn.notes import CodedNote
from data_builders.builder import RejectedRow
from data_builders.rare_codes.code_sets import SET_RULES, AnchorCodeSets, CodeSet
from data_builders.rare_codes.strata import STRATUM_NAMES, FrequencyStrata, Stratum


@dataclass(frozen=True, slots=True)
class PlannedNote:
    """A note to be written.

    Attributes:
        id: Id of the note.
        stratum: Stratum of the anchor.
        code_set: Codes of the note.
    """

    id: str
    stratum: Stratum
    code_set: CodeSet

    @property
    def metadata(self) -> dict[str, JsonValue]:
        """The anchor, its stratum, and the rule and the source of the code set."""
        return {
            "anchor": self.code_set.anchor,
            "stratum": self.stratum,
            "code_set": self.code_set.rule,
            "neighbour": self.code_set.source,
        }


PlannedOutcome = tuple[PlannedNote, CodedNote | RejectedRow]
"""A planned note, and the note that was written or the reason why there is none."""


class NotePlan:
    """The notes of a build.

    Args:
        counts: Number of training notes with each code of the label space, in the order of the notes.
        allocation: Number of synthetic notes for each code that gets any.
        strata: Bounds of the strata.
        code_sets: Maker of the code sets.
        prefix: Beginning of the ids of the notes.
        seed: Seed of the code sets.
    """

    def __init__(
        self,
        counts: Mapping[str, int],
        allocation: Mapping[str, int],
        strata: FrequencyStrata,
        code_sets: AnchorCodeSets,
        prefix: str,
        seed: int,
    ) -> None:
        self._allocation = allocation
        self._stratum = {code: strata.stratum_of(count) for code, count in counts.items()}
        self._code_sets = code_sets
        self._prefix = prefix
        self._seed = seed
        self._realised: Counter[str] = Counter()
        self._rules: Counter[str] = Counter()
        self._conflicts: Counter[str] = Counter()

    def notes(self) -> Iterator[PlannedNote]:
        """Yield the planned notes. A note depends on the seed, its anchor and its own number only."""
        for anchor, count in self._allocation.items():
            for number in range(1, count + 1):
                rng = random.Random(f"{self._seed} {anchor} {number}")  # noqa: S311 - reproducible
                code_set = self._code_sets.anchor_code_set(anchor, rng)
                identifier = f"{self._prefix}-{anchor}-{number}"
                yield PlannedNote(identifier, self._stratum[anchor], code_set)

    def add(self, planned: PlannedNote, outcome: CodedNote | RejectedRow) -> None:
        """Count what has become of a planned note."""
        code_set = planned.code_set
        self._rules[code_set.rule] += 1
        for kind in code_set.refused:
            self._conflicts[f"sets refused: {kind}"] += 1
        for kind in code_set.removed:
            self._conflicts[f"codes removed: {kind}"] += 1
        if isinstance(outcome, CodedNote):
            self._realised[code_set.anchor] += 1

    def statistics(self) -> dict[str, Any]:
        """Return the strata with their codes, allocated and realised notes, the rules and the conflicts.

        `missing` has the number of missing notes of each code that has fewer than were allocated to it.
        """
        strata: dict[str, dict[str, int]] = {
            name: {"codes": 0, "codes with notes": 0, "allocated": 0, "realised": 0}
            for name in STRATUM_NAMES
        }
        for code, stratum in self._stratum.items():
            row, allocated = strata[stratum], self._allocation.get(code, 0)
            row["codes"] += 1
            row["codes with notes"] += allocated > 0
            row["allocated"] += allocated
            row["realised"] += self._realised[code]
        missing = {
            code: allocated - self._realised[code]
            for code, allocated in self._allocation.items()
            if self._realised[code] < allocated
        }
        return {
            "strata": strata,
            "allocation": {
                name: sum(row[name] for row in strata.values())
                for name in ("codes with notes", "allocated", "realised")
            },
            "code sets": {rule: self._rules[rule] for rule in SET_RULES},
            "conflicts": dict(sorted(self._conflicts.items())),
            "missing": missing,
        }

    def table(self) -> list[str]:
        """Return the allocation as the lines of a table, one for each stratum and one for all."""
        found = self.statistics()
        rows = [*found["strata"].items(), ("all", found["allocation"])]
        return [f"{'stratum':12}{'codes that get notes':>22}{'notes':>10}"] + [
            f"{name:12}{row['codes with notes']:>22,}{row['allocated']:>10,}" for name, row in rows
        ]
