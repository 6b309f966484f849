"""A check of an audit: a number that was found, and the limit that it must not exceed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """A number that was found, and its limit.

    Attributes:
        name: Name in the JSON report.
        title: Title in tables.
        found: Number that was found.
        limit: Largest number with which the check passes. With None, the number is only reported.
        notes: Ids of the offending notes, in the order of the corpus.
    """

    name: str
    title: str
    found: float
    limit: float | None = None
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool | None:
        """Whether the number does not exceed the limit. None if there is no limit."""
        return None if self.limit is None else self.found <= self.limit

    @classmethod
    def of_notes(cls, name: str, title: str, notes: tuple[str, ...], limit: int | None) -> Check:
        """Return a check of the number of offending notes.

        Args:
            name: Name in the JSON report.
            title: Title in tables.
            notes: Ids of the offending notes.
            limit: Largest number of such notes. With None, the number is only reported.
        """
        return cls(name, title, len(notes), limit, notes)
