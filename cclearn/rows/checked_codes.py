"""Codes of training data that cannot be trained on, and what is done about them.

The release cannot assign some codes, and others have no evidence.
"""

from __future__ import annotations

from typing import Literal

from cclearn.codes import CodeSystem, Status
from cclearn.errors import shown_id
from cclearn.notes import AssignedCode, CodedNote, SpanPair

InvalidCodes = Literal["raise", "drop", "unspecified"]

UncitedCodes = Literal["raise", "drop_code", "drop_note", "answer_only"]

_EXAMPLES = 3
"""Number of codes of each status that a message names."""

_WORDS: dict[Status, tuple[str, str]] = {
    "unknown": ("code is unknown", "codes are unknown"),
    "retired": ("code is retired", "codes are retired"),
    "header": ("code is a header", "codes are headers"),
}


class CodeCheck:
    """Checks the codes of the pairs and notes of a file, and counts those that cannot be trained on.

    Args:
        system: Code system of the codes.
        invalid: `unspecified` replaces a header by its unspecified child (`CodeSystem.unspecified`) and
            drops all other codes that are not billable. `drop` drops all of them. `raise` does the same
            as `drop`, and the caller raises an error with `problem`.
        uncited: `drop_code` drops the codes of notes that have no evidence, `drop_note` the notes with
            such codes, and `answer_only` keeps them. `raise` keeps them too, and the caller raises an
            error with `uncited_problem`.

    Attributes:
        dropped: Number of codes that were dropped because they are not billable.
        replaced: Number of headers that were replaced.
        uncited: Number of billable codes without evidence.
        uncited_notes: Number of notes with such codes.
    """

    def __init__(
        self, system: CodeSystem, invalid: InvalidCodes, uncited: UncitedCodes = "answer_only"
    ) -> None:
        self._system = system
        self._invalid = invalid
        self._uncited = uncited
        self.dropped = self.replaced = self.uncited = self.uncited_notes = 0
        # The number of mentions of each code that is not billable.
        self._found: dict[Status, dict[str, int]] = {}

    def pair(self, pair: SpanPair) -> SpanPair | None:
        """Return a span pair with a billable code in its official spelling. None drops the pair."""
        code = self._billable(pair.code)
        if code is None:
            return None
        release = pair.release or self._system.release
        if (code, release) == (pair.code, pair.release):
            return pair
        return pair.model_copy(update={"code": code, "release": release})

    def note(self, note: CodedNote) -> CodedNote | None:
        """Return a note with codes that can be trained on. None drops the note.

        A note of which no code is left is dropped. A note without codes is kept, because it is an
        example of one.
        """
        codes: dict[str, AssignedCode] = {}
        for assigned in note.codes:
            code = self._billable(assigned.code)
            if code is None:
                continue
            if code != assigned.code:
                assigned = assigned.model_copy(update={"code": code})
            if code in codes:  # A header has been replaced by a code that the note has too.
                assigned = _joined(codes[code], assigned)
            codes[code] = assigned
        kept = list(codes.values())
        if kept != note.codes:
            if not kept:
                return None
            note = note.model_copy(update={"codes": kept})
        if uncited := sum(not assigned.evidence for assigned in kept):
            self.uncited += uncited
            self.uncited_notes += 1
        return without_uncited(note, self._uncited)

    @property
    def problem(self) -> str | None:
        """Description of the codes that are not billable. None if there are none."""
        parts = []
        for status, counts in sorted(self._found.items()):
            mentions, first = sum(counts.values()), sorted(counts)[:_EXAMPLES]
            shown = ", ".join(map(shown_id, first)) + (", …" if len(counts) > len(first) else "")
            parts.append(f"{mentions} {_WORDS[status][mentions > 1]} ({shown})")
        if not parts:
            return None
        return f"{' and '.join(parts)} in {self._system.name} {self._system.release}"

    @property
    def uncited_problem(self) -> str | None:
        """Description of the codes without evidence. None if there are none."""
        if not self.uncited:
            return None
        codes = "code has" if self.uncited == 1 else "codes have"
        notes = "note" if self.uncited_notes == 1 else "notes"
        return f"{self.uncited} {codes} no evidence, in {self.uncited_notes} {notes}"

    def _billable(self, code: str) -> str | None:
        """Return the billable code that a code stands for. None drops it."""
        code = self._system.canonical(code)
        status = self._system.status(code)
        if status == "valid":
            return code
        counts = self._found.setdefault(status, {})
        counts[code] = counts.get(code, 0) + 1
        replacement = None
        if status == "header" and self._invalid == "unspecified":
            replacement = self._system.unspecified(code)
        self.replaced += replacement is not None
        self.dropped += replacement is None
        return replacement


def without_uncited(note: CodedNote, uncited: UncitedCodes) -> CodedNote | None:
    """Return a note without the codes that have no evidence, if they are to be dropped.

    Args:
        note: Coded note.
        uncited: `drop_code` drops the codes without evidence, and a note of which no code is left.
            `drop_note` drops a note with such a code. Otherwise they are kept.

    Returns:
        The note, or None if it is dropped.
    """
    cited = [assigned for assigned in note.codes if assigned.evidence]
    if len(cited) == len(note.codes) or uncited not in ("drop_code", "drop_note"):
        return note
    if uncited == "drop_note" or not cited:
        return None
    return note.model_copy(update={"codes": cited})


def _joined(one: AssignedCode, two: AssignedCode) -> AssignedCode:
    """Return one of two entries of a code, with the evidence of both in order of mention."""
    pieces = {(piece.start, piece.end): piece for piece in (*one.evidence, *two.evidence)}
    return one.model_copy(update={"evidence": [pieces[span] for span in sorted(pieces)]})
