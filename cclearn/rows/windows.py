"""Splitting coded notes into windows that keep every piece of evidence whole."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from cclearn.notes import CodedNote
from cclearn.notes.spans import Span
from cclearn.notes.windows import TooLongError, split_text


def note_windows(note: CodedNote, fits: Callable[[CodedNote], bool]) -> Iterator[CodedNote]:
    """Split a coded note into windows that fit, none of which cuts a piece of evidence.

    The texts of the windows, joined, are the text of the note (`cclearn.notes.windows.split_text`).

    Args:
        note: Coded note to split. A window has the codes whose evidence it contains.
        fits: Function that returns whether a window is short enough. Every part of a window that fits
            must fit too.

    Raises:
        TooLongError: A single word or a piece of evidence does not fit.
    """
    windows = split_text(
        note.text, lambda start, end: fits(note_part(note, start, end, 0)), evidence_spans(note)
    )
    try:
        for number, (start, end) in enumerate(windows, start=1):
            yield note_part(note, start, end, number)
    except TooLongError as error:
        raise TooLongError(f"{note.id}: {error}") from None


def evidence_spans(note: CodedNote) -> set[Span]:
    """Return the spans of the evidence of a note's codes."""
    return {(evidence.start, evidence.end) for code in note.codes for evidence in code.evidence}


def note_part(note: CodedNote, start: int, end: int, number: int) -> CodedNote:
    """Return a part of a coded note, with the codes whose evidence it contains.

    Args:
        note: Coded note that the part is taken from.
        start: Offset of the part's first code point.
        end: Offset after the part's last code point.
        number: Number that is appended to the note's id to form the id of the part.
    """
    codes = []
    for code in note.codes:
        inside = [
            evidence.model_copy(
                update={"start": evidence.start - start, "end": evidence.end - start}
            )
            for evidence in code.evidence
            if start <= evidence.start and evidence.end <= end
        ]
        if inside:
            codes.append(code.model_copy(update={"evidence": inside}))
    changed = {
        "id": f"{note.id}#{number}",
        "text": note.text[start:end],
        "codes": codes,
        "rejected": [],
    }
    return note.model_copy(update=changed)
